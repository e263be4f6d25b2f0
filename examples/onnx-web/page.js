import { env } from "onnxruntime-web/wasm";
import { Classifier } from "./classifier.js";

env.wasm.numThreads = 1; // more need a page that is isolated from others (headers COOP and COEP)

const [text, answer, scores] = ["text", "answer", "scores"].map((id) => document.getElementById(id));
const folder = new URLSearchParams(location.search).get("model") ?? "model";
let turn = 0;

function row(label, probability, given) {
  const line = document.createElement("li");
  const name = Object.assign(document.createElement(given ? "strong" : "span"), { textContent: label });
  const bar = Object.assign(document.createElement("meter"), { value: probability, ariaLabel: label });
  const number = Object.assign(document.createElement("output"), { textContent: probability.toFixed(4) });
  number.dataset.value = probability;
  line.append(name, bar, number);
  return line;
}

async function show(classifier) {
  const mine = ++turn;
  const began = performance.now();
  const probabilities = await classifier.classify(text.value);
  if (mine !== turn) return; // the text has changed since
  const labels = classifier.given(probabilities);
  const took = (performance.now() - began).toFixed(1);
  answer.textContent = `${labels.join(", ") || "no label"} (${classifier.encode(text.value).length} tokens, ${took} ms)`;
  const rows = classifier.config.labels.map((label, i) => row(label, probabilities[i], labels.includes(label)));
  scores.replaceChildren(...rows);
}

try {
  const classifier = await Classifier.load(new URL(`${folder}/`, location.href));
  const update = () => show(classifier).catch((error) => (answer.textContent = String(error)));
  text.addEventListener("input", update);
  text.disabled = false;
  await update();
} catch (error) {
  answer.textContent = String(error);
}
