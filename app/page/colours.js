/** Colours of labels: three fixed ones for sentiment, and for other labels hues as far apart as they can be. */

import { setVars } from "./dom.js";

const ROLES = new Map(
  Object.entries({
    negative: ["negative", "neg", "负面", "负向", "消极"],
    neutral: ["neutral", "中性", "中立"],
    positive: ["positive", "pos", "正面", "正向", "积极"],
  }).flatMap(([role, names]) => names.map((name) => [name, role])),
);
/** Nobody tells more colours apart; then all labels have the same one. */
const MOST_COLOURS = 12;
const FIRST_DEG = 215;

/** The colour of each of these labels, by label, whatever their order. */
export function coloursOf(labels) {
  const roles = labels.map((label) => ROLES.get(label.toLowerCase()));
  if (roles.every(Boolean) && new Set(roles).size === roles.length) {
    return new Map(labels.map((label, at) => [label, `var(--${roles[at]})`]));
  }
  const colour = (at) => `oklch(var(--lightness) .11 ${Math.round(FIRST_DEG + (360 * at) / labels.length) % 360})`;
  const sorted = [...labels].sort();
  return new Map(sorted.map((label, at) => [label, sorted.length > MOST_COLOURS ? "var(--any)" : colour(at)]));
}

/** Gives what speaks for `label` below `node` its colour; what speaks against it that of the other label of two. */
export function colourSides(node, label, labels) {
  const colours = coloursOf(labels);
  const [other, ...more] = labels.filter((one) => one !== label);
  const against = other === undefined || more.length ? "var(--opposed)" : colours.get(other);
  setVars(node, { "--for": colours.get(label) ?? "var(--any)", "--against": against });
}
