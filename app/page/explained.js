/** The lower half of a pane: why the text got its label. Without it the upper half works as before. */

import { ask, sleep, within } from "./api.js";
import { apart, showReading, showSentences, showStrongest, sumOf } from "./attribution.js";
import { colourSides, coloursOf } from "./colours.js";
import { el } from "./dom.js";
import { quantitiesOf, showHeat, showLine } from "./gates.js";
import { t } from "./i18n.js";

const AFTER_MS = 400;
const PATIENCE = 3;
/** An explanation takes less than a second as a rule; then the page says how long it may take. */
const SLOW_MS = 1500;
/** Then it waits no longer. Less than the server's own deadline, so that the server can stop as well. */
const LIMIT_S = 20;
const OFF = new Set([403, 404, 405, 501]);
/** Beyond so many words their values would hide the text. */
const FEW_WORDS = 80;

const labelsOf = ({ scores }) => scores.map((score) => score.label);

/** Of a pane. */
export class Explained {
  constructor(pane) {
    this.pane = pane;
    this.found = null;
    this.message = null;
    this.labels = [];
    this.label = "";
    const again = () => this.again();
    this.part("explained").addEventListener("change", (event) => {
      this.label = event.target.value;
      again();
    });
    this.part("unit").addEventListener("change", again);
    for (const name of ["values", "gate"]) this.part(name).addEventListener("change", () => this.render());
    for (const radio of this.pieces) radio.addEventListener("change", () => this.render());
  }

  part(name) {
    return this.pane.part(name);
  }

  get pieces() {
    return this.pane.node.querySelectorAll('[data-group="pieces"]');
  }

  get unit() {
    return Math.max(0, Math.trunc(this.part("unit").valueAsNumber || 0));
  }

  /** What `/explain` is asked for this text. */
  body(text) {
    const parts = { occlusion: true, sentences: true, gates: true, units: [this.unit] };
    const body = { inputs: text, model: this.pane.model.get(), ...parts };
    return this.label ? { ...body, label: this.label } : body;
  }

  /** Pales the explanation of the text before: it stays in its place until the next one comes, so that nothing jumps. */
  fade() {
    this.part("explained-parts").classList.add("stale");
  }

  /** Forgets it. */
  clear() {
    this.found = null;
    this.message = null;
    this.render();
  }

  /** Asks once more for the same text: another label or another unit. */
  again() {
    const { pane } = this;
    if (!pane.answer) return;
    pane.abort?.abort();
    pane.abort = new AbortController();
    pane.onChange();
    this.ask(pane.text, pane.answer, pane.abort.signal, 0);
  }

  /** Explains the text for which `prediction` is the answer, after a moment without typing. */
  async ask(text, prediction, signal, after_ms = AFTER_MS) {
    this.labels = labelsOf(prediction);
    if (!this.labels.includes(this.label)) this.label = "";
    const onWait = (seconds) => this.say("waiting", { n: seconds });
    try {
      await sleep(after_ms, signal);
      this.say("explaining");
      const slow = setTimeout(() => this.say("explainingSlow", { n: LIMIT_S }), SLOW_MS);
      const [entry] = await within(LIMIT_S * 1000, signal, async (limited) => {
        const answer = await ask("explain", { body: this.body(text), signal: limited, patience: PATIENCE, onWait });
        return (await answer.json()).explanations;
      }).finally(() => clearTimeout(slow));
      if (signal.aborted) return;
      if (entry.error) throw new Error(entry.error.detail);
      this.found = { text, entry };
      this.message = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 422 && this.found) this.message = ["explainFailed", { why: error.message }];
      else {
        this.found = null;
        this.message = this.failure(error);
      }
    }
    this.render();
  }

  failure(error) {
    if (OFF.has(error.status)) return ["explainOff"];
    if (error.type === "late") return ["explainLate", { n: LIMIT_S }];
    return ["explainFailed", { why: error.message || t("unreachable") }];
  }

  say(...message) {
    this.message = message;
    this.part("why").hidden = false;
    this.part("explaining").textContent = t(...message);
  }

  /** Shows what is known. */
  render() {
    const { found, message } = this;
    this.part("why").hidden = !found && !message;
    this.part("explaining").textContent = message ? t(...message) : "";
    this.part("explained-parts").hidden = !found;
    this.part("explained-parts").classList.remove("stale");
    this.options();
    if (!found) return;
    this.showAttribution(found.text, found.entry);
    const { sentences, gates } = found.entry;
    this.part("sentences-box").hidden = !(sentences?.length > 1);
    if (sentences) showSentences(this.part("sentences"), sentences, coloursOf(labelsOf(found.entry)));
    this.part("gates-box").hidden = !gates?.length;
    if (gates?.length) this.showGates(found.entry.attribution.tokens, gates);
  }

  showAttribution(text, entry) {
    const { label, attribution } = entry;
    colourSides(this.part("explained-parts"), label, labelsOf(entry));
    this.part("speaks-for").textContent = t("speaksFor", { label });
    this.part("speaks-against").textContent = t("speaksAgainst", { label });
    const kind = [...this.pieces].find((radio) => radio.checked).value;
    const pieces = apart(attribution[kind]);
    const values = this.part("values").checked && pieces.length <= FEW_WORDS;
    showReading(this.part("reading"), text, pieces, values);
    showStrongest(this.part("strongest"), text, pieces);
    this.part("sum").textContent = sumOf(entry);
  }

  showGates(tokens, gates) {
    showHeat(this.part("heat"), tokens, gates, this.part("gate").value, this.unit);
    showLine(this.part("line"), tokens, gates, this.unit);
  }

  options() {
    const labels = [["", t("likeliest")], ...this.labels.map((label) => [label, label])];
    fill(this.part("explained"), labels, this.label);
    const gates = this.found?.entry.gates;
    if (!gates?.length) return;
    const names = ["all", ...quantitiesOf(gates)];
    const gate = this.part("gate").value;
    fill(this.part("gate"), names.map((name) => [name, t(name)]), names.includes(gate) ? gate : "all");
  }
}

/** Gives a select these options, [value, words] each. */
export function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, words]) => el("option", { value, selected: value === chosen }, words)));
}
