// A checkpoint that `python -m training export CHECKPOINT --onnx` wrote, in ONNX Runtime.

import { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { Tokenizer } from "@huggingface/tokenizers";

export class Classifier {
  constructor(config, tokenizer, session) {
    this.config = config;
    this.tokenizer = tokenizer;
    this.session = session;
  }

  // Fetches the files of an exported folder; throws an error that names the file which is missing.
  static async load(folder) {
    const files = ["config.json", "tokenizer.json", "model.onnx"].map((name) => fetched(new URL(name, folder)));
    const [config, tokenizer, model] = await Promise.all(files);
    const session = await InferenceSession.create(await model.arrayBuffer());
    return new Classifier(await config.json(), new Tokenizer(await tokenizer.json(), {}), session);
  }

  // Token ids of a text, cut as in training.
  encode(text) {
    const { max_characters, max_tokens } = this.config;
    const start = Array.from(text.trim()).slice(0, max_characters).join("");
    return this.tokenizer.encode(start).ids.slice(0, max_tokens);
  }

  // Probabilities [labels] of a text, in the order of `config.labels`.
  async classify(text) {
    const tokens = this.encode(text);
    const ids = BigInt64Array.from(tokens.length ? tokens : [0], BigInt); // one step at least
    const { probabilities } = await this.session.run({
      ids: new Tensor("int64", ids, [1, ids.length]),
      lengths: new Tensor("int64", BigInt64Array.of(BigInt(tokens.length)), [1]),
    });
    return Array.from(probabilities.data);
  }

  // Labels that the answer gives: the most probable one, or all that reach their thresholds.
  given(probabilities) {
    const { labels, task, thresholds } = this.config;
    if (task === "multi_label") return labels.filter((_, i) => probabilities[i] >= thresholds[i]);
    return [labels[probabilities.indexOf(Math.max(...probabilities))]];
  }
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}. Has the checkpoint been exported there?`);
  return answer;
}
