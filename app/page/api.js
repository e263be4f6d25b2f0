/** Asking the server: its address, the key, errors, and waiting when it asks for that. */

import { keep, recall, signal } from "./dom.js";

/** Where the server is; behind a proxy with a prefix, below that. */
export const ROOT = new URL(document.documentElement.dataset.root, window.location.href).href;

const KEY = "sluice.key";

/** The API key, or null. It stays in this tab and goes nowhere but into the header of requests to this server. */
export const apiKey = signal(recall("sessionStorage", KEY));
apiKey.on((value) => keep("sessionStorage", KEY, value));

/** Whether the server wanted another key than it got; false again once it lists its models. */
export const keyWanted = signal(false);

/** An answer that is not a success. `status` is 0 if there was none. */
export class ApiError extends Error {
  constructor(status, type, detail) {
    super(detail);
    this.status = status;
    this.type = type;
  }
}

/**
 * The answer to a request, once it is a success.
 *
 * @param {string} path without the slash at its beginning.
 * @param {object} options `body`: of a POST, a value for JSON or a string as it is; `signal`: aborts; `patience`: how
 *   often a busy server (429, 503) or a broken connection is asked again, after what Retry-After says; `onWait`: told
 *   the seconds.
 * @throws {ApiError} it never was. @throws {DOMException} AbortError.
 */
export async function ask(path, { body, signal: abort, patience = 0, onWait = () => {} } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const { answer, error, wait_s } = await once(path, body, abort);
    if (answer) return answer;
    if (attempt >= patience || wait_s === null) throw error;
    onWait(wait_s);
    await sleep(wait_s * 1000, abort);
  }
}

/**
 * What `work` gives, told a signal that aborts when `abort` does or after `limit_ms`.
 *
 * @throws {ApiError} of type "late": the time was over.
 */
export async function within(limit_ms, abort, work) {
  const limit = new AbortController();
  const stop = () => limit.abort();
  const timer = setTimeout(stop, limit_ms);
  abort.addEventListener("abort", stop, { once: true });
  try {
    return await work(limit.signal);
  } catch (error) {
    if (limit.signal.aborted && !abort.aborted) throw new ApiError(0, "late", "");
    throw error;
  } finally {
    clearTimeout(timer);
    abort.removeEventListener("abort", stop);
  }
}

async function once(path, body, abort) {
  const headers = apiKey.get() === null ? {} : { "X-API-Key": apiKey.get() };
  const options = { headers, signal: abort, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    options.body = typeof body === "string" ? body : JSON.stringify(body);
    headers["Content-Type"] = typeof body === "string" ? "application/x-ndjson" : "application/json";
  }
  let answer;
  try {
    answer = await fetch(ROOT + path, options);
  } catch (error) {
    if (abort?.aborted) throw error;
    return { error: new ApiError(0, "unreachable", ""), wait_s: 1 };
  }
  if (answer.status === 401) keyWanted.set(true);
  if (answer.ok) return { answer };
  const problem = await answer.json().catch(() => ({}));
  const error = new ApiError(answer.status, problem.error_type ?? "unknown", problem.detail ?? answer.statusText);
  const busy = answer.status === 503 || answer.status === 429;
  return { error, wait_s: busy ? waitOf(answer.headers.get("Retry-After")) : null };
}

/** Seconds of a `Retry-After`, 1 without one, never more than 30. */
export function waitOf(header) {
  const seconds = Number.parseFloat(header ?? "1");
  return Math.min(30, Math.max(0.1, Number.isFinite(seconds) ? seconds : 1));
}

/** Waits, or throws an AbortError. */
export function sleep(ms, abort) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    };
    const timer = setTimeout(() => {
      abort?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (abort?.aborted) stop();
    else abort?.addEventListener("abort", stop, { once: true });
  });
}
