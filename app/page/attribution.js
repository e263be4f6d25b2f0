/** Which words made the label: the text coloured, its strongest pieces in a table, its sentences. */

import { el, setVars } from "./dom.js";
import { percent, signed, t } from "./i18n.js";

const STRONGEST = 10;

/**
 * Pieces that lie in the text one after the other.
 *
 * Tokens of one character, such as the bytes of an emoji, have the same place: they become one piece, their scores added.
 */
export function apart(pieces) {
  const found = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (!last || piece.start >= last.end) {
      found.push({ ...piece });
      continue;
    }
    last.end = Math.max(last.end, piece.end);
    last.score += piece.score;
    if (piece.occlusion !== undefined) last.occlusion += piece.occlusion;
  }
  return found.filter((piece) => piece.end > piece.start);
}

/** Shows the text with its pieces coloured: `for` the label, `against` it, the more the stronger. */
export function showReading(node, text, pieces, values) {
  const points = Array.from(text); // offsets count code points, JavaScript's own half of an emoji
  const strongest = Math.max(...pieces.map((piece) => Math.abs(piece.score)), 1e-9);
  const parts = [];
  let at = 0;
  for (const piece of pieces) {
    if (piece.start > at) parts.push(points.slice(at, piece.start).join(""));
    parts.push(word(points.slice(piece.start, piece.end).join(""), piece, strongest));
    at = piece.end;
  }
  parts.push(points.slice(at).join(""));
  node.replaceChildren(...parts);
  node.classList.toggle("with-values", values);
}

function word(text, piece, strongest) {
  const share = Math.abs(piece.score) / strongest;
  const node = el("span", { class: `word ${side(piece.score)}`, title: titleOf(piece) }, el("span", {}, text));
  setVars(node, { "--share": share.toFixed(3) });
  node.append(el("span", { class: "value" }, signed(piece.score)));
  return node;
}

const side = (score) => (score < 0 ? "against" : "for");

function titleOf(piece) {
  const left = piece.occlusion === undefined ? "" : ` · ${t("occlusion")} ${signed(piece.occlusion)}`;
  return `${t("attribution")} ${signed(piece.score)}${left}`;
}

/** The strongest pieces as a table, each beside what leaving it out does. */
export function showStrongest(table, text, pieces) {
  const points = Array.from(text);
  const strongest = [...pieces].sort((a, b) => Math.abs(b.score) - Math.abs(a.score)).slice(0, STRONGEST);
  const most = Math.max(...strongest.map((piece) => Math.abs(piece.score)), 1e-9);
  const head = ["piece", "attribution", "occlusion"].map((name) => el("th", { scope: "col" }, t(name)));
  const rows = strongest.map((piece) => {
    const share = Math.abs(piece.score) / most;
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, points.slice(piece.start, piece.end).join("").trim() || "␣"),
      el("td", {}, el("span", { class: `meter ${side(piece.score)}`, vars: { "--share": share } }), signed(piece.score)),
      el("td", {}, piece.occlusion === undefined ? "–" : signed(piece.occlusion)),
    );
  });
  table.replaceChildren(el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

/** How far the pieces add up: baseline, value and what is left unexplained. */
export function sumOf({ label, attribution }) {
  const { baseline, value, gap } = attribution;
  return t("sum", { label, base: signed(baseline), value: signed(value), gap: percent(gap, 2) });
}

/** The sentences, each with its label in the colour that `colours` has for it. */
export function showSentences(list, sentences, colours) {
  list.replaceChildren(
    ...sentences.map((sentence) =>
      el(
        "li",
        {},
        el("span", { class: "sentence", dir: "auto" }, sentence.text.trim()),
        el("span", { class: "tag swatch", vars: { "--hue": colours.get(sentence.label) } }, words(sentence)),
      ),
    ),
  );
}

const words = ({ label, score }) => `${label} ${percent(score)}`;
