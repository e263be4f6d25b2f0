/** The view of a file: take it, choose its column, score its rows, show and give back what came of them. */

import { readFile } from "./csv.js";
import { byId, el } from "./dom.js";
import { Unreadable } from "./encoding.js";
import { fill } from "./explained.js";
import { t, whole } from "./i18n.js";
import { Results } from "./results.js";
import { scoreAll } from "./scoring.js";

const MAX_BYTES = 400e6;
const RENDER_EVERY_MS = 300;
const NAMES = /^(text|texts|review|sentence|comment|content|body|message|文本|内容|评论|评价|正文|句子)$/i;
const SAMPLE_ROWS = 50;
const SEPARATORS = { ";": "fileBy_semicolon", "|": "fileBy_bar" };
/** What is said of a file where there is any, by the name of the count. */
const COUNTED = {
  inside: "file_inside",
  empty: "file_empty",
  short: "file_short",
  trailing: "file_trailing",
  leftOut: "file_leftOut",
  literal: "file_literal",
  loose: "file_loose",
  escaped: "file_escaped",
  damaged: "file_damaged",
};

/** Its own; there is one. */
export class FileView {
  /** @param {object} model signal with the name of the model. @param {function} onChange told when the file changes. */
  constructor(model, onChange) {
    this.model = model;
    this.onChange = onChange;
    this.read = null;
    this.results = null;
    this.words = () => "";
    this.ending = () => "";
    byId("file-choose").addEventListener("click", () => byId("file-input").click());
    byId("file-input").addEventListener("change", (event) => this.take(event.target.files[0]));
    this.listenToDrops(byId("drop"));
    byId("file-header").addEventListener("change", () => {
      this.showColumns();
      this.say(this.words);
    });
    byId("file-column").addEventListener("change", onChange);
    byId("file-setup").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    byId("file-cancel").addEventListener("click", () => this.abort.abort());
    byId("file-filter").addEventListener("change", (event) => this.results.choose(event.target.value));
    byId("file-back").addEventListener("click", () => this.results.turn(-1));
    byId("file-next").addEventListener("click", () => this.results.turn(1));
    byId("file-download").addEventListener("click", () => this.download());
  }

  listenToDrops(zone) {
    for (const type of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(type, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", type === "dragover");
        if (type === "drop") this.take(event.dataTransfer.files[0]);
      });
    }
  }

  /** Reads a file, in place of the one before. */
  async take(file) {
    byId("file-input").value = ""; // the same file may be chosen again
    if (!file) return;
    this.abort?.abort();
    this.read = null;
    byId("file-setup").hidden = true;
    byId("file-results").hidden = true;
    if (file.size > MAX_BYTES) {
      this.say(() => t("fileTooLarge", { name: file.name, n: whole(Math.round(file.size / 1e6)) }));
      return;
    }
    this.say(() => t("fileReading", { n: 0 }));
    try {
      const read = await readFile(file, (n) => this.say(() => t("fileReading", { n: whole(n) })));
      this.show({ ...read, name: file.name });
    } catch (error) {
      const what = error instanceof Unreadable ? error.message : "fileUnreadable";
      this.say(() => t(what, { name: file.name, n: whole(error.line ?? 0) }));
    }
    this.onChange();
  }

  show(read) {
    const { name, rows, delimiter } = read;
    if (!rows.length) {
      this.say(() => t("fileEmpty", { name }));
      return;
    }
    this.read = read;
    this.say(() => this.account());
    byId("file-header").checked = delimiter !== null && rows.length > 1;
    byId("file-header").parentElement.hidden = delimiter === null;
    byId("file-setup").hidden = false;
    byId("file-progress-row").hidden = true;
    this.showColumns();
    this.say(this.words); // the header is known now
  }

  /** How the file was read, in a line: no row is passed over, mended or left out without a word. */
  account() {
    const { name, rows, encoding, delimiter, counts } = this.read;
    const parts = [t("fileRead", { name, n: whole(rows.length - (this.header ? 1 : 0)), encoding })];
    if (SEPARATORS[delimiter]) parts.push(t(SEPARATORS[delimiter]));
    for (const [count, said] of Object.entries(COUNTED)) if (counts[count]) parts.push(t(said, { n: whole(counts[count]) }));
    return parts.join(" · ");
  }

  get header() {
    return byId("file-header").checked ? this.read.rows[0] : null;
  }

  get column() {
    return Number(byId("file-column").value);
  }

  /** What a call from elsewhere needs to know of the file; null without one. */
  get described() {
    if (!this.read) return null;
    const { name, delimiter, codec, rows } = this.read;
    const columnName = this.header?.[this.column] ?? null;
    const isOne = columnName === null || rows[0].indexOf(columnName) === rows[0].lastIndexOf(columnName);
    return { name, delimiter, column: this.column, columnName, codec: isOne ? codec : null };
  }

  showColumns() {
    const { rows } = this.read;
    const width = Math.max(...rows.slice(0, SAMPLE_ROWS).map((row) => row.length));
    const names = Array.from({ length: width }, (_, at) => this.header?.[at] || t("columnName", { n: at + 1 }));
    const options = names.map((name, at) => [String(at), name]);
    fill(byId("file-column"), options, String(likeliest(names, rows.slice(1, SAMPLE_ROWS))));
    this.onChange();
  }

  /** Scores all rows. */
  async start() {
    const { header, column } = this;
    const { rows, delimiter, marked } = this.read;
    const results = new Results({ rows: header ? rows.slice(1) : rows, header, column, delimiter, marked });
    const count = results.best.length;
    const abort = new AbortController();
    [this.results, this.abort] = [results, abort];
    this.busy(true);
    byId("file-results").hidden = false;
    this.started = performance.now();
    this.shownAt = 0;
    this.end(() => "");
    results.render();
    this.progress(results, count);
    const job = {
      count,
      model: this.model.get(),
      signal: abort.signal,
      textOf: (number) => results.textOf(number),
      onEntry: (number, entry) => results.add(number, entry),
      onChunk: () => this.progress(results, count),
      onWait: (seconds) => {
        byId("file-progress-text").textContent = t("waiting", { n: seconds });
      },
    };
    const ending = await this.run(job, results);
    if (this.results !== results) return; // another file came
    this.shownAt = 0;
    this.progress(results, count);
    this.end(ending);
    this.busy(false);
  }

  async run(job, results) {
    const n = () => whole(results.done);
    try {
      await scoreAll(job);
      const s = ((performance.now() - this.started) / 1000).toFixed(1);
      return () => t("fileDone", { n: n(), s, failed: whole(results.errors.size) });
    } catch (error) {
      if (error.name === "AbortError") return () => t("fileCancelled", { n: n() });
      return () => t("fileStopped", { n: n(), why: error.message || t("unreachable") });
    }
  }

  busy(is) {
    byId("file-start").hidden = is;
    byId("file-cancel").hidden = !is;
    byId("file-download").disabled = is;
    for (const id of ["file-column", "file-header", "file-choose"]) byId(id).disabled = is;
    byId("file-progress-row").hidden = !is;
    (is ? byId("file-cancel") : byId("file-download")).focus();
  }

  progress(results, count) {
    const now = performance.now();
    if (now - this.shownAt < RENDER_EVERY_MS) return;
    this.shownAt = now;
    const rate = results.done / Math.max(0.001, (now - this.started) / 1000);
    byId("file-progress").value = count ? results.done / count : 1;
    const left = rate ? Math.ceil((count - results.done) / rate) : "…";
    const values = { done: whole(results.done), total: whole(count), rate: whole(Math.round(rate)), left };
    byId("file-progress-text").textContent = t("progressText", values);
    results.render();
  }

  async download() {
    const { name, delimiter } = this.read;
    const href = URL.createObjectURL(await this.results.file());
    const ending = delimiter === "\t" ? "tsv" : "csv";
    el("a", { href, download: `${name.replace(/\.[^.]*$/, "")}.scored.${ending}` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }

  say(words) {
    this.words = words;
    byId("file-state").textContent = words();
  }

  end(words) {
    this.ending = words;
    byId("file-done").textContent = words();
  }

  /** Shows everything in the language of the page. */
  translate() {
    this.say(this.words);
    this.end(this.ending);
    if (this.read && !byId("file-column").disabled) {
      const chosen = byId("file-column").value;
      this.showColumns();
      byId("file-column").value = chosen;
    }
    this.results?.render();
  }
}

/** The column that has the texts, by its name, else by how much stands there. */
function likeliest(names, rows) {
  const named = names.findIndex((name) => NAMES.test(name.trim()));
  if (named >= 0) return named;
  const lengths = names.map((_, at) => rows.reduce((sum, row) => sum + (row[at]?.length ?? 0), 0));
  return lengths.indexOf(Math.max(...lengths));
}
