/** What the server tells of itself: the card of the model, and whether it is well. */

import { ask, keyWanted } from "./api.js";
import { byId, el } from "./dom.js";
import { percent, t, whole } from "./i18n.js";

/** The card of one model, or a sentence if it cannot be had. */
export async function showCard(name) {
  const node = byId("card");
  if (name === null) {
    node.replaceChildren(el("h2", {}, t("viewModel")), el("p", { class: "note" }, keyWanted.get() ? t("keyWhy") : t("noModel")));
    return;
  }
  try {
    const card = await (await ask(`models/${encodeURIComponent(name)}`)).json();
    node.replaceChildren(...cardOf(card));
  } catch (error) {
    node.replaceChildren(el("h2", {}, name), el("p", { class: "note" }, error.message || t("unreachable")));
  }
}

function cardOf(card) {
  const { limits } = card;
  const facts = [
    ["version", el("code", {}, card.version)],
    ["stateOf", card.state],
    ["task", t(card.task)],
    ["labels", card.labels.join(", ")],
    ["device", `${card.device}, ${card.dtype}`],
    ["limits", t("limitsText", { tokens: whole(limits.max_tokens), chars: whole(limits.max_chars), texts: whole(limits.max_texts), ms: whole(limits.deadline_ms) })],
    ["versions", card.versions.map((one) => el("span", { class: "line" }, t("versionText", { ...one, share: percent(one.share, 0) })))],
    ...(card.last_failure ? [["lastFailure", card.last_failure.detail]] : []),
  ];
  const list = el("dl", {}, facts.map(([name, value]) => [el("dt", {}, t(name)), el("dd", {}, value)]));
  const raw = el("details", {}, el("summary", {}, t("raw")), el("pre", { tabindex: 0 }, JSON.stringify(card.metrics, null, 2)));
  return [el("h2", {}, card.name), list, ...measured(card.metrics), raw];
}

/** The test scores as `training` writes them; a checkpoint from elsewhere may have others, or none. */
function measured(metrics) {
  const sets = Object.entries(metrics.evaluations ?? {}).filter(([, one]) => typeof one?.scores?.macro_f1 === "number");
  if (!sets.length) return [];
  const share = (value) => (typeof value === "number" ? percent(value) : "–");
  const head = ["set", "rows", "accuracy", "interval", "f1", "calibration"].map((name) => el("th", { scope: "col" }, t(name)));
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
