/** The language of the page: English or Chinese, the reader's choice or the browser's. */

import { keep, recall, signal } from "./dom.js";
import { en } from "./en.js";
import { zh } from "./zh.js";

const WORDS = { en, zh };
const STORED = "sluice.language";

function first() {
  const stored = recall("localStorage", STORED);
  if (stored in WORDS) return stored;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** `en` or `zh`. */
export const language = signal(first());
language.on((code) => keep("localStorage", STORED, code));

/** The words for `name`, with `{n}` and such replaced by `values`. */
export function t(name, values = {}) {
  return WORDS[language.get()][name].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}

/** Puts the words into all elements of `root` that are marked with `data-t`, `data-t-label` or `data-t-placeholder`. */
export function translate(root) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of root.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
}

/** 12,345, in the language of the page. */
export const whole = (n) => n.toLocaleString(language.get());

/** 97.3 %, never 100 or 0 for what only nearly is. */
export function percent(share, digits = 1) {
  const step = 10 ** -(digits + 2);
  const shown = share > 0 && share < 1 ? Math.min(1 - step, Math.max(step, share)) : share;
  return `${(shown * 100).toFixed(digits)}%`;
}

/** 2.10 or −0.31; what is nearly 0 has no sign. */
export function plain(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) ? `−${text}` : text;
}

/** +2.10 or −0.31. */
export function signed(value) {
  const text = plain(value);
  return value > 0 && Number(text) ? `+${text}` : text;
}

/** A time in the reader's own zone. */
export const when = (time) => new Date(time).toLocaleString(language.get() === "zh" ? "zh-CN" : "en-GB");
