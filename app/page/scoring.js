/**
 * Any number of texts through `POST /predict/stream`.
 *
 * Browsers send a whole request before they read its answer, so a long stream is cut into chunks. A chunk's body is small
 * enough for the buffers on its way: the server stops reading when nobody takes its answers, and would wait for ever.
 */

import { ApiError, ask, sleep } from "./api.js";
import { t } from "./i18n.js";

const CHUNK_LINES = 1000;
const CHUNK_BYTES = 1 << 17;
const AT_ONCE = 3;
/** How often a busy server, or a broken connection, is asked again for the same texts: some minutes. */
const PATIENCE = 60;
const BUSY = new Set(["overloaded", "not_ready", "deadline_exceeded", "rate_limited"]);

/**
 * Scores texts 0 to `count` - 1, a few chunks at a time; one that is empty fails, as it does on the command line.
 *
 * @param {object} job `count`; `textOf`: number to text; `model`: its name; `signal`: ends it; `onEntry`: gets a number
 *   and its entry, in no certain order; `onChunk`: after each chunk; `onWait`: the seconds that a busy server asks for.
 * @throws {ApiError} the server refuses. @throws {DOMException} AbortError.
 */
export async function scoreAll(job) {
  const failing = new AbortController(); // one failure ends all
  const signal = AbortSignal.any([job.signal, failing.signal]);
  const chunks = chunksOf(job);
  const work = async () => {
    for (const chunk of chunks) {
      await scoreChunk({ ...job, signal }, chunk);
      job.onChunk();
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    failing.abort();
  }
}

function* chunksOf({ count, textOf, onEntry }) {
  const encoder = new TextEncoder();
  let chunk = [];
  let bytes = 0;
  for (let number = 0; number < count; number += 1) {
    if (!textOf(number).trim()) {
      onEntry(number, { error: { type: "no_text", detail: t("noText") } });
      continue;
    }
    const more = encoder.encode(textOf(number)).length;
    if (chunk.length === CHUNK_LINES || (chunk.length && bytes + more > CHUNK_BYTES)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(number);
    bytes += more;
  }
  if (chunk.length) yield chunk;
}

async function scoreChunk(job, chunk) {
  let open = chunk;
  for (let attempt = 0; open.length; attempt += 1) {
    if (attempt) {
      job.onWait(1);
      await sleep(1000, job.signal);
    }
    const entries = await scoreOnce(job, open);
    const last = attempt === PATIENCE;
    if (last && entries.size < open.length) throw new ApiError(0, "unreachable", "");
    open = open.filter((number) => {
      const entry = entries.get(number);
      if (entry === undefined || (BUSY.has(entry.error?.type) && !last)) return true;
      job.onEntry(number, entry);
      return false;
    });
  }
}

/** Entries by number; fewer than asked for if the connection broke. */
async function scoreOnce({ textOf, model, signal, onWait }, numbers) {
  const body = numbers.map((number) => `${JSON.stringify({ inputs: textOf(number) })}\n`).join("");
  const path = `predict/stream?model=${encodeURIComponent(model)}`;
  const answer = await ask(path, { body, signal, patience: PATIENCE, onWait });
  const entries = new Map();
  try {
    for (const line of (await answer.text()).split("\n")) {
      if (!line) continue;
      const entry = JSON.parse(line);
      entries.set(numbers[entry.line - 1], entry);
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  return entries;
}
