/** What the server tells of itself: the card of the model, and whether it is well. */

import { ask, keyWanted } from "./api.js";
import { byId, el } from "./dom.js";
import { percent, t, when, whole } from "./i18n.js";

/** The card of one model, or a sentence if it cannot be had. */
export async function showCard(name) {
  const node = byId("card");
  if (name === null) {
    sayInstead(node, t("viewModel"), keyWanted.get() ? t("keyWhy") : t("noModel"));
    return;
  }
  try {
    const card = await (await ask(`models/${encodeURIComponent(name)}`)).json();
    node.replaceChildren(...cardOf(card));
  } catch (error) {
    sayInstead(node, name, error.message || t("unreachable"));
  }
}

function sayInstead(node, title, words) {
  node.replaceChildren(el("h2", {}, title), el("p", { class: "note" }, words));
}

function cardOf(card) {
  const facts = [
    ["version", el("code", {}, card.version)],
    ["stateOf", card.state],
    ["task", t(card.task)],
    ["labels", card.labels.join(", ") || "–"],
    ["device", `${card.device}, ${card.dtype}`],
    ["limits", limitsOf(card.limits)],
    ["versions", card.versions.map(versionOf)],
    ...(card.last_failure ? [["lastFailure", card.last_failure.detail]] : []),
  ];
  const list = el("dl", {}, facts.map(([name, value]) => [el("dt", {}, t(name)), el("dd", {}, value)]));
  const metrics = JSON.stringify(card.metrics, null, 2);
  const raw = el("details", {}, el("summary", {}, t("raw")), el("pre", { tabindex: 0 }, metrics));
  return [el("h2", {}, card.name), list, ...measured(card.metrics), raw];
}

function limitsOf({ max_tokens, max_chars, max_texts, deadline_ms }) {
  const values = { tokens: max_tokens, chars: max_chars, texts: max_texts, ms: deadline_ms };
  return t("limitsText", Object.fromEntries(Object.entries(values).map(([name, value]) => [name, whole(value)])));
}

function versionOf(one) {
  const words = t("versionText", { ...one, share: percent(one.share, 0), since: when(one.since) });
  return el("span", { class: "line" }, words);
}

/** The test scores as `training` writes them; a checkpoint from elsewhere may have others, or none. */
function measured(metrics) {
  const sets = Object.entries(metrics.evaluations ?? {}).filter(([, one]) => typeof one?.scores?.macro_f1 === "number");
  if (!sets.length) return [];
  const share = (value) => (typeof value === "number" ? percent(value) : "–");
  const names = ["set", "rows", "accuracy", "interval", "f1", "calibration"];
  const head = names.map((name, at) => el("th", { scope: "col", class: at ? "number" : null }, t(name)));
  const rows = sets.map(([name, { scores }]) => {
    const interval = scores.accuracy_interval?.map((end) => share(end)).join(" – ") ?? "–";
    const cells = [whole(scores.rows ?? 0), share(scores.accuracy), interval, share(scores.macro_f1), share(scores.ece)];
    return el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell) => el("td", { class: "number" }, cell)));
  });
  const table = el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
  const label = t("measured");
  return [el("h3", {}, label), el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label }, table)];
}

/** Asks whether the server is ready and shows it, in the bar and beside the card. */
export async function showHealth() {
  const health = { state: "down", words: t("unreachable"), models: {} };
  try {
    const answer = await (await ask("health/ready")).json();
    Object.assign(health, { state: "ready", words: t("ready"), models: answer.models });
  } catch (error) {
    if (error.status) Object.assign(health, { state: "unready", words: error.message });
  }
  byId("health").className = `health ${health.state}`;
  const short = health.state === "unready" ? t("unready") : health.words;
  if (byId("health-text").textContent !== short) byId("health-text").textContent = short;
  const models = Object.entries(health.models).map(([name, state]) => [el("dt", {}, name), el("dd", {}, state)]);
  byId("health-card").replaceChildren(el("h2", {}, t("health")), el("p", {}, health.words), el("dl", {}, models));
  return health.state === "ready";
}
