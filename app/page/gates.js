/** The gates over the tokens: a heat map that is a table, and below it the line of one unit's cell state. */

import { el, setVars, svg } from "./dom.js";
import { t } from "./i18n.js";

const QUANTITIES = ["forget", "input", "output", "reset", "update", "candidate", "cell", "hidden"];

/** What these gates have: those of an LSTM are others than those of a GRU. */
export const quantitiesOf = (gates) => QUANTITIES.filter((name) => gates[0].mean[name]);

const ARROWS = { forward: "→", backward: "←" };
const HEAD_PX = 116;
const LAYERED_HEAD_PX = 160;
const TOKEN_PX = 56;
const HEIGHT_PX = 150;
const MARGIN_PX = 14;

/** Shows the table. `gate` is one of the quantities or `all`; `unit` the number of the chosen unit. */
export function showHeat(table, tokens, gates, gate, unit) {
  const rows = gates.flatMap((layer) => rowsOf(layer, gates, gate, unit));
  const head = el("tr", {}, el("th", { scope: "col", class: "corner" }, t("gate")), tokens.map(columnOf));
  table.replaceChildren(el("thead", {}, head), el("tbody", {}, rows.map(rowOf)));
  setVars(table, { "--tokens": tokens.length, "--head": `${headOf(gates)}px`, "--token": `${TOKEN_PX}px` });
}

const layered = (gates) => gates.length > 2;
const headOf = (gates) => (layered(gates) ? LAYERED_HEAD_PX : HEAD_PX);

function columnOf(token) {
  const text = token.text.trim() || "␣";
  return el("th", { scope: "col", title: text }, text);
}

function rowsOf(layer, gates, gate, unit) {
  const chosen = layer.units?.find((one) => one.unit === unit);
  const names = gate === "all" ? quantitiesOf(gates) : [gate];
  const place = `${layered(gates) ? `${t("layer", { n: layer.layer + 1 })} ` : ""}${ARROWS[layer.direction]}`;
  const title = `${layered(gates) ? `${t("layer", { n: layer.layer + 1 })}, ` : ""}${t(layer.direction)}`;
  const rows = names.map((name, at) => {
    const label = `${place} ${t(name)}`;
    return { label, title: `${t(name)}, ${title}`, name, values: layer.mean[name], first: at === 0 };
  });
  if (!chosen) return rows;
  const ofUnit = gate === "all" ? [memoryOf(chosen)] : [gate];
  const label = (name) => `${place} ${t("unitRow", { n: unit })}${gate === "all" ? `, ${t(name)}` : ""}`;
  return [...rows, ...ofUnit.map((name) => ({ label: label(name), title: `${label(name)}, ${title}`, name, values: chosen[name] }))];
}

function rowOf({ label, title, name, values, first }) {
  // Gates lie between 0 and 1, the candidate and the hidden state between -1 and 1; the cell state has no bound.
  const most = name === "cell" ? Math.max(1, ...values.map(Math.abs)) : 1;
  const cells = values.map((value) => {
    const share = Math.min(1, Math.abs(value) / most);
    const node = el("td", { class: value < 0 ? "below" : "above" }, value.toFixed(2).replace("-", "−"));
    setVars(node, { "--share": share.toFixed(3) });
    return node;
  });
  return el("tr", { class: first ? "first" : null }, el("th", { scope: "row", title }, label), cells);
}

/** Where a unit keeps what it has read: a GRU has no cell state and keeps it in the hidden one. */
const memoryOf = (unit) => (unit.cell ? "cell" : "hidden");

/** Draws the cell state of one unit, each direction a line, each token below its column of the table. */
export function showLine(node, tokens, gates, unit) {
  const series = gates
    .map((layer) => ({ ...layer, chosen: layer.units?.find((one) => one.unit === unit) }))
    .filter((one) => one.chosen)
    .map((one) => ({ ...one, values: one.chosen[memoryOf(one.chosen)] }));
  if (!series.length) {
    node.replaceChildren();
    return;
  }
  const all = series.flatMap((one) => one.values);
  const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
  const span = high - low || 1;
  const left = headOf(gates);
  const width = left + tokens.length * TOKEN_PX;
  const y = (value) => MARGIN_PX + ((high - value) / span) * (HEIGHT_PX - 2 * MARGIN_PX);
  const x = (at) => left + (at + 0.5) * TOKEN_PX;
  const label = t("lineLabel", { n: unit, tokens: tokens.length, low: low.toFixed(2), high: high.toFixed(2) });
  const drawing = svg("svg", { role: "img", "aria-label": label, width, height: HEIGHT_PX, class: "line" });
  drawing.append(svg("line", { class: "zero", x1: left, x2: width, y1: y(0), y2: y(0) }));
  for (const value of new Set([low, 0, high])) {
    drawing.append(svg("text", { class: "tick", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2).replace("-", "−")));
  }
  for (const one of series) {
    const points = one.values.map((value, at) => `${x(at)},${y(value)}`).join(" ");
    drawing.append(svg("polyline", { class: one.direction, points, "data-layer": one.layer }));
    for (const [at, value] of one.values.entries()) {
      drawing.append(svg("circle", { class: one.direction, cx: x(at), cy: y(value), r: 2.5 }));
    }
  }
  const names = ["forward", "backward"].map((name) => el("span", { class: `key-${name}` }, `${ARROWS[name]} ${t(name)}`));
  node.replaceChildren(el("p", { class: "caption" }, t("cellOfUnit", { n: unit }), names), drawing);
}
