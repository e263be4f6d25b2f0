/** The gates over the tokens: a heat map that is a table, and below it the line of one unit's cell state. */

import { el, setVars, svg } from "./dom.js";
import { plain, t } from "./i18n.js";

const QUANTITIES = ["forget", "input", "output", "reset", "update", "candidate", "cell", "hidden"];

/** What these gates have: those of an LSTM are others than those of a GRU. */
export const quantitiesOf = (gates) => QUANTITIES.filter((name) => gates[0].mean[name]);

/** Those that may be negative; gates lie between 0 and 1. */
const SIGNED = new Set(["candidate", "cell", "hidden"]);

const ARROWS = { forward: "→", backward: "←" };
const HEAD_PX = 124;
const LAYERED_HEAD_PX = 160;
const TOKEN_PX = 56;
const HEIGHT_PX = 150;
const MARGIN_PX = 14;
const TICK_PX = 12;

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
  const label = (name) => `${place} ${t("unitRow", { n: unit })}${gate === "all" ? ` ${t(name)}` : ""}`;
  const unitRow = (name) => ({ label: label(name), title: `${label(name)}, ${title}`, name, values: chosen[name] });
  return [...rows, ...ofUnit.map(unitRow)];
}

function rowOf({ label, title, name, values, first }) {
  // Means over hundreds of units move little: a row is tinted by its own range, or nothing would be seen of it.
  const sizes = values.map(Math.abs);
  const least = SIGNED.has(name) ? 0 : Math.min(...sizes);
  const range = Math.max(...sizes) - least || 1;
  const cells = values.map((value, at) => {
    const node = el("td", { class: value < 0 ? "below" : "above" }, plain(value));
    setVars(node, { "--share": ((sizes[at] - least) / range).toFixed(3) });
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
  const label = t("lineLabel", { n: unit, tokens: tokens.length, low: plain(low), high: plain(high) });
  const drawing = svg("svg", { role: "img", "aria-label": label, width, height: HEIGHT_PX, class: "line" });
  drawing.append(svg("line", { class: "zero", x1: left, x2: width, y1: y(0), y2: y(0) }));
  for (const value of [0, low, high].filter((one, at) => !at || Math.abs(y(one) - y(0)) > TICK_PX)) {
    drawing.append(svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, plain(value)));
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
