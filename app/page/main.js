/** The page, put together: views, language, model, key, health, and the call for what is on the screen. */

import { apiKey, ask, keyWanted, ROOT } from "./api.js";
import { showCard, showHealth } from "./card.js";
import { byId, signal } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { fill } from "./explained.js";
import { FileView } from "./file.js";
import { language, t, translate } from "./i18n.js";
import { Pane } from "./pane.js";
import { callOf, streamOf } from "./snippets.js";

const VIEWS = ["text", "file", "model"];
const HEALTH_EVERY_MS = 10_000;
const STARTING_EVERY_MS = 1000;
/** What the call is shown for while no file is chosen. */
const EXAMPLE_FILE = { name: "reviews.csv", delimiter: ",", column: 0, columnName: "text", codec: "utf-8-sig" };

const model = signal(null);
const panes = [new Pane(model, showCode), new Pane(model, showCode)];
const file = new FileView(model, showCode);
let view = "text";

// --- views ---

function showView() {
  const wanted = window.location.hash.slice(1);
  if (wanted === "main") return; // the link past the bar
  view = VIEWS.includes(wanted) ? wanted : "text";
  for (const name of VIEWS) {
    byId(`view-${name}`).hidden = name !== view;
    const link = document.querySelector(`[data-view="${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("call").hidden = view === "model";
  showCode();
}

// --- two texts ---

function compare(on) {
  byId("compare").setAttribute("aria-pressed", String(on));
  byId("compare").dataset.t = on ? "single" : "compare";
  byId("panes").classList.toggle("two", on);
  panes[1].node.hidden = !on;
  panes[0].part("title").dataset.t = on ? "firstText" : "yourText";
  panes[1].part("title").dataset.t = "secondText";
  for (const pane of panes) translate(pane.node);
  showCode();
}

const comparing = () => byId("compare").getAttribute("aria-pressed") === "true";

// --- the call ---

const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

function showCode() {
  byId("copied").textContent = "";
  byId("call-route").hidden = view !== "text";
  byId("code").textContent = view === "file" ? fileCode() : textCode();
}

function textCode() {
  const route = chosen("route");
  const texts = (comparing() ? panes : panes.slice(0, 1)).map((pane) => pane.text);
  const inputs = texts.length > 1 ? texts : texts[0];
  const plain = { inputs, ...(model.get() === null ? {} : { model: model.get() }) };
  const body = route === "predict" ? plain : { ...panes[0].explained.body(""), ...plain };
  return callOf(chosen("code"), ROOT + route, body, apiKey.get() !== null);
}

function fileCode() {
  const described = file.described ?? EXAMPLE_FILE;
  const query = model.get() === null ? "" : `?model=${encodeURIComponent(model.get())}`;
  return streamOf(chosen("code"), `${ROOT}predict/stream${query}`, described, apiKey.get() !== null);
}

async function copy() {
  const node = byId("code");
  try {
    await navigator.clipboard.writeText(node.textContent);
    byId("copied").textContent = t("copied");
  } catch {
    // Without TLS browsers have no clipboard for pages.
    window.getSelection().selectAllChildren(node);
    byId("copied").textContent = t("notCopied");
  }
}

// --- the server ---

/** Asks which models there are; whether there is one. */
async function loadModels() {
  try {
    const answer = await (await ask("models")).json();
    keyWanted.set(false);
    const names = answer.models.map((one) => one.name);
    const known = [model.get(), answer.default, names[0]];
    const now = known.find((name) => names.includes(name)) ?? null;
    fill(byId("model-name"), names.map((name) => [name, name]), now);
    model.set(now);
  } catch {
    fill(byId("model-name"), [], "");
    model.set(null);
  }
  return model.get() !== null;
}

async function watchHealth() {
  const ready = document.hidden || (await showHealth());
  const loaded = model.get() !== null || keyWanted.get() || (await loadModels());
  setTimeout(watchHealth, ready && loaded ? HEALTH_EVERY_MS : STARTING_EVERY_MS);
}

function onModel() {
  showCard(model.get());
  for (const pane of panes) pane.refresh();
  showCode();
}

// --- the key ---

function showKey(open) {
  byId("key-panel").hidden = !open;
  byId("key-button").setAttribute("aria-expanded", String(open));
}

async function useKey(value) {
  apiKey.set(value);
  byId("key").value = "";
  byId("key-forget").hidden = value === null;
  const loaded = await loadModels();
  byId("key-state").textContent = keyWanted.get() ? t(value === null ? "keyWhy" : "keyRefused") : t("keyAccepted");
  if (loaded) onModel();
  showKey(keyWanted.get());
}

// --- all ---

function speak() {
  const code = language.get();
  document.documentElement.lang = code === "zh" ? "zh-Hans" : "en";
  byId("language").textContent = code === "zh" ? "English" : "中文";
  byId("language").lang = code === "zh" ? "en" : "zh";
  translate(document.body);
  for (const pane of panes) pane.translate();
  compare(comparing());
  file.translate();
  showHealth();
  showCard(model.get());
}

byId("panes").append(...panes.map((pane) => pane.node));
panes[0].node.querySelector(".writing").append(byId("compare"));
byId("compare").addEventListener("click", () => {
  const on = !comparing();
  compare(on);
  const [first] = EXAMPLES.filter(({ lang, text }) => lang === language.get() && text !== panes[0].text);
  if (on && !panes[1].text) panes[1].write(first.text);
  if (on) panes[1].part("text").focus();
});
byId("language").addEventListener("click", () => language.set(language.get() === "zh" ? "en" : "zh"));
language.on(speak);
byId("model-name").addEventListener("change", (event) => model.set(event.target.value));
model.on(onModel);
byId("key-button").addEventListener("click", () => showKey(byId("key-panel").hidden));
byId("key-panel").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key").value.trim() || null);
});
byId("key-forget").addEventListener("click", () => useKey(null));
byId("key-forget").hidden = apiKey.get() === null;
const offerKey = () => (byId("key-button").hidden = !keyWanted.get() && apiKey.get() === null);
apiKey.on(offerKey);
keyWanted.on((wanted) => {
  offerKey();
  if (wanted) showKey(true);
});
offerKey();
for (const radio of byId("call").querySelectorAll("input")) radio.addEventListener("change", showCode);
byId("copy").addEventListener("click", copy);
window.addEventListener("hashchange", showView);
// A file dropped beside the zone would replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

speak();
showView();
panes[0].write(EXAMPLES.find(({ lang }) => lang === language.get()).text);
watchHealth();
