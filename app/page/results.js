/** What came of a file: the share of each label, the rows page by page, the file with its scores. */

import { coloursOf } from "./colours.js";
import { csvLine } from "./csv.js";
import { byId, el } from "./dom.js";
import { fill } from "./explained.js";
import { percent, t, whole } from "./i18n.js";
import { bar, tag } from "./pane.js";

const COLUMNS = [["row", "number"], ["text", null], ["label", null], ["score", "number"]];
const PAGE_ROWS = 50;
const FAILED = -1;
const NOT_YET = -2;
const FAILED_COLOUR = "var(--bad)";
/** Characters of a text that are shown: two lines, and a browser needs seconds to break a line of a million. */
const SHOWN_CHARS = 400;
/** Lines of one part of the download: the page stays awake between parts. */
const PART_LINES = 5000;

/** The scores of the rows of one file. */
export class Results {
  /** @param {object} table `rows`, `header` (names or null), `column` of the texts; the rest as of `readFile`. */
  constructor(table) {
    this.table = table;
    this.labels = [];
    this.colours = new Map();
    this.best = new Int32Array(table.rows.length).fill(NOT_YET);
    this.scores = new Array(table.rows.length);
    this.errors = new Map();
    this.counts = [];
    this.done = 0;
    this.page = 0;
    this.filter = "all";
  }

  textOf(number) {
    return this.table.rows[number][this.table.column] ?? "";
  }

  /** Notes the answer to one row. */
  add(number, entry) {
    this.done += 1;
    if (entry.error) {
      this.best[number] = FAILED;
      this.errors.set(number, entry.error.detail);
      return;
    }
    if (!this.labels.length) {
      this.labels = entry.scores.map((one) => one.label).sort();
      this.colours = coloursOf(this.labels);
      this.counts = this.labels.map(() => 0);
    }
    const scores = new Float32Array(this.labels.length);
    for (const { label, score } of entry.scores) scores[this.labels.indexOf(label)] = score;
    const best = this.labels.indexOf(entry.label);
    this.best[number] = best;
    this.scores[number] = scores;
    this.counts[best] += 1;
  }

  /** Shows everything as it is now. */
  render() {
    const bars = this.labels.map((label, at) => this.bar(label, this.counts[at], this.colours.get(label)));
    if (this.errors.size) bars.push(this.bar(t("failed"), this.errors.size, FAILED_COLOUR));
    byId("file-shares").replaceChildren(...bars);
    const choices = [["all", t("everything")], ...this.labels.map((label, at) => [String(at), label])];
    if (this.errors.size) choices.push([String(FAILED), t("failed")]);
    fill(byId("file-filter"), choices, this.filter);
    this.renderRows();
  }

  bar(label, count, colour) {
    const share = this.done ? count / this.done : 0;
    return bar(label, share, `${whole(count)} · ${percent(share)}`, colour);
  }

  /** Turns the pages, by 1 or -1. */
  turn(by) {
    this.page += by;
    this.renderRows();
  }

  /** Shows only the rows with this label, given by its place; `all` for all. */
  choose(filter) {
    this.filter = filter;
    this.page = 0;
    this.renderRows();
  }

  renderRows() {
    const numbers = this.numbers();
    const pages = Math.max(1, Math.ceil(numbers.length / PAGE_ROWS));
    this.page = Math.min(this.page, pages - 1);
    const shown = numbers.slice(this.page * PAGE_ROWS, (this.page + 1) * PAGE_ROWS);
    const head = COLUMNS.map(([name, kind]) => el("th", { scope: "col", class: kind }, t(name)));
    const rows = Array.from(shown, (number) => this.row(number));
    byId("file-table").replaceChildren(el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
    byId("file-page").textContent = t("pageOf", { page: whole(this.page + 1), pages: whole(pages) });
    byId("file-back").disabled = this.page === 0;
    byId("file-next").disabled = this.page === pages - 1;
  }

  numbers() {
    const numbers = [];
    const wanted = this.filter === "all" ? null : Number(this.filter);
    for (let number = 0; number < this.best.length; number += 1) {
      if (wanted === null || this.best[number] === wanted) numbers.push(number);
    }
    return numbers;
  }

  row(number) {
    const best = this.best[number];
    const label = best >= 0 ? this.labels[best] : best === FAILED ? t("failed") : "";
    const colour = best === FAILED ? FAILED_COLOUR : this.colours.get(label);
    const score = best >= 0 ? percent(this.scores[number][best]) : "";
    return el(
      "tr",
      {},
      el("td", { class: "number" }, whole(number + 1)),
      el("td", { class: "text" }, el("div", { class: "clamp", dir: "auto" }, this.textOf(number).slice(0, SHOWN_CHARS))),
      el("td", { title: this.errors.get(number) }, label && tag(label, colour)),
      el("td", { class: "number" }, score),
    );
  }

  /** The file as it came with the scores beside it. */
  async file() {
    const { rows, header, delimiter, marked } = this.table;
    const to = delimiter ?? ",";
    const width = rows.reduce((most, row) => Math.max(most, row.length), header?.length ?? 0);
    const names = Array.from({ length: width }, (_, at) => header?.[at] ?? `column_${at + 1}`);
    const ours = ["predicted_label", "predicted_score", ...this.labels.map((label) => `probability_${label}`), "error"];
    const parts = [(marked ? "\ufeff" : "") + csvLine([...names, ...ours], to)];
    for (let from = 0; from < rows.length; from += PART_LINES) {
      const part = rows.slice(from, from + PART_LINES).map((row, at) => csvLine(this.line(row, from + at, width), to));
      parts.push(part.join(""));
      await new Promise((resolve) => setTimeout(resolve));
    }
    return new Blob(parts, { type: to === "\t" ? "text/tab-separated-values" : "text/csv" });
  }

  line(row, number, width) {
    const padded = [...row, ...Array(width - row.length).fill("")];
    const best = this.best[number];
    if (best < 0) return [...padded, "", "", ...this.labels.map(() => ""), this.errors.get(number) ?? ""];
    const scores = Array.from(this.scores[number], (score) => score.toFixed(6));
    return [...padded, this.labels[best], scores[best], ...scores, ""];
  }
}
