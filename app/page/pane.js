/** One text and what the server says of it, as it is typed. */

import { ApiError, ask } from "./api.js";
import { coloursOf } from "./colours.js";
import { byId, el, setVars } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { Explained } from "./explained.js";
import { percent, t, translate, whole } from "./i18n.js";

const PREDICT_AFTER_MS = 150;
const MANY_LABELS = 8;
const PATIENCE = 20;

let panes = 0;

/**
 * A pane of the page.
 *
 * @param {object} model signal with the name of the model, or null.
 * @param {function} onChange told when its text changes.
 */
export class Pane {
  constructor(model, onChange) {
    // Not `cloneNode`: Chromium then never finds the direction of a text for `dir="auto"`.
    this.node = document.importNode(byId("pane-template").content, true).firstElementChild;
    this.model = model;
    this.onChange = onChange;
    this.answer = null;
    this.error = null;
    this.allLabels = false;
    panes += 1;
    for (const radio of this.node.querySelectorAll("[data-group]")) radio.name = `${radio.dataset.group}-${panes}`;
    this.explained = new Explained(this);
    this.part("text").addEventListener("input", () => this.typed());
    this.part("text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.refresh(0);
    });
    this.translate();
  }

  part(name) {
    return this.node.querySelector(`[data-part="${name}"]`);
  }

  get text() {
    return this.part("text").value;
  }

  /** Puts another text there. */
  write(text) {
    this.part("text").value = text;
    this.typed(0);
  }

  typed(after_ms = PREDICT_AFTER_MS) {
    this.refresh(after_ms);
    this.onChange();
  }

  /** Asks anew, after a moment in which nothing else is typed. */
  refresh(after_ms = 0) {
    this.abort?.abort();
    this.explained.fade();
    clearTimeout(this.timer);
    if (!this.text.trim() || this.model.get() === null) {
      this.show(null, null);
      this.explained.clear();
      return;
    }
    this.abort = new AbortController();
    this.timer = setTimeout(() => this.predict(this.text, this.abort.signal), after_ms);
  }

  async predict(text, signal) {
    const body = { inputs: text, model: this.model.get() };
    const onWait = (seconds) => this.say(t("waiting", { n: seconds }));
    if (!this.answer) this.say(t("asking"));
    try {
      const answer = await (await ask("predict", { body, signal, patience: PATIENCE, onWait })).json();
      if (signal.aborted) return;
      const [entry] = answer.predictions;
      if (entry.error) throw new ApiError(200, entry.error.type, entry.error.detail);
      this.show(entry, null);
      this.explained.ask(text, entry, signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.show(null, error);
      this.explained.clear();
    }
  }

  say(words) {
    this.part("state").textContent = words;
  }

  show(answer, error) {
    this.answer = answer;
    this.error = error;
    this.render();
  }

  /** Shows what is known, in the language of the page. */
  render() {
    const { answer, error } = this;
    this.part("result").hidden = !answer;
    if (!answer) {
      this.say(error ? error.message || t("unreachable") : t("empty"));
      return;
    }
    this.say("");
    this.part("label").textContent = answer.label;
    setVars(this.part("label"), { "--hue": coloursOf(answer.scores.map((one) => one.label)).get(answer.label) });
    this.part("score").textContent = percent(answer.score);
    this.part("bars").replaceChildren(...this.bars(answer.scores));
    const notes = [t("readTokens", { n: whole(answer.tokens) })];
    if (answer.truncated) notes.push(t("truncated"));
    if (answer.scores.reduce((sum, one) => sum + one.score, 0) > 1.01) notes.push(t("independent"));
    this.part("note").textContent = notes.join(" ");
  }

  bars(scores) {
    const shown = this.allLabels ? scores : scores.slice(0, MANY_LABELS);
    const colours = coloursOf(scores.map((one) => one.label));
    const bars = shown.map(({ label, score }) => bar(label, score, percent(score, 2), colours.get(label)));
    if (shown.length < scores.length) {
      const onclick = () => {
        this.allLabels = true;
        this.render();
      };
      bars.push(el("li", { class: "plain" }, el("button", { type: "button", onclick }, t("more", { n: scores.length }))));
    }
    return bars;
  }

  /** Puts everything into the language of the page. */
  translate() {
    translate(this.node);
    const chips = EXAMPLES.map(({ lang, name, text }) =>
      el("button", { type: "button", class: "chip", lang, title: text, onclick: () => this.write(text) }, name),
    );
    this.part("examples").replaceChildren(...chips);
    this.render();
    this.explained.render();
  }
}

/** A name behind a spot of its colour. */
export const tag = (words, colour) => el("span", { class: "swatch", vars: { "--hue": colour } }, words);

/** One label with its share as a bar of its colour. */
export function bar(label, share, value, colour) {
  return el(
    "li",
    { vars: { "--share": share, "--hue": colour } },
    el("span", { class: "name swatch" }, label),
    el("span", { class: "track" }),
    el("span", { class: "number" }, value),
  );
}
