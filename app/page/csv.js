/** Reading of files by the rules of the command line (`tables/`), counting every line; writing of CSV and TSV. */

import { findDialect } from "./dialect.js";
import { findEncoding, isPacked, pieces, Unreadable } from "./encoding.js";
import { Known, recordAt } from "./records.js";

const SAMPLE_LINES = 500;
/** Rows between two breaths of the page. */
const PART_ROWS = 20_000;
/** Of more rows that are longer than the header none is left out: it is no header then. */
const MOST_LEFT_OUT = 0.1;
/** Lines over which one JSON object may go on. */
const MOST_JSON_LINES = 10_000;
const JSON_NAME = /\.(json|jsonl|ndjson)(\.gz)?$/i;
const WEB_PAGE = /^\s*<(!doctype|html|table|\?xml)/i;
const JSON_START = /^\s*(\[\s*)?\{\s*["}]/;

/** One line of a file, with its end. */
export function csvLine(fields, delimiter) {
  return `${fields.map((field) => quoted(String(field), delimiter)).join(delimiter)}\r\n`;
}

function quoted(field, delimiter) {
  const special = field.includes(delimiter) || /["\r\n]/.test(field);
  return special ? `"${field.replaceAll('"', '""')}"` : field;
}

/**
 * All rows of a file, the header among them, read so that the page stays awake.
 *
 * @returns {{rows: string[][], delimiter: string|null, encoding: string, marked: boolean, counts: object,
 *   codec: string|null}} `delimiter`: null if each line is a text; `marked`: whether it needs a byte-order mark to be read
 *   as UTF-8 where it comes from; `counts`: of lines, and of what was passed over, mended or left out; `codec`: with
 *   which Python's `csv` reads the same rows, null if it does not.
 * @throws {Unreadable} it is no text, or no table.
 */
export async function readFile(file, onRows = () => {}) {
  const encoding = await findEncoding(file);
  const text = await decoded(file, encoding.codec);
  const marked = encoding.codec !== "utf-8" || text.marked;
  const counts = { lines: 0, empty: 0, inside: 0, short: 0, trailing: 0, leftOut: 0, damaged: encoding.damaged };
  Object.assign(counts, { literal: 0, loose: 0, escaped: 0 });
  const codec = (await isPacked(file)) ? null : pythonCodec(encoding.codec, text.marked);
  const found = { encoding: encoding.name, marked, counts, codec };
  const start = text.parts.slice(0, 2).join("").slice(0, 4096);
  if (WEB_PAGE.test(start)) throw new Unreadable("fileWebPage");
  if (JSON_NAME.test(file.name) || JSON_START.test(start)) {
    return { ...found, rows: fromJson(text.parts.join(""), counts), delimiter: ",", codec: null };
  }
  const end = start.includes("\r") && !start.includes("\n") ? "\r" : "\n";
  const lines = linesOf(text.parts, end);
  counts.lines = lines.length;
  if (/\.txt(\.gz)?$/i.test(file.name)) {
    const rows = lines.map((line) => [line.endsWith("\r") ? line.slice(0, -1) : line]);
    return { ...found, rows: rows.filter(([line]) => line !== ""), delimiter: null };
  }
  const dialect = findDialect(lines.slice(0, SAMPLE_LINES), /\.(tsv|tab)(\.gz)?$/i.test(file.name) ? "\t" : ",");
  const rows = await rowsOf(lines, dialect, end, counts, onRows);
  const plain = dialect.quote === '"' && !dialect.skipSpace && !dialect.named && lines[0]?.trim();
  const mended = counts.literal + counts.loose + counts.escaped + counts.leftOut + counts.damaged;
  return { ...found, rows, delimiter: dialect.separator, codec: plain && !mended ? codec : null };
}

/** The name that Python has for the encoding of a file, whose mark is no part of its text. */
function pythonCodec(codec, marked) {
  if (codec === "utf-8") return "utf-8-sig";
  return marked ? "utf-16" : codec;
}

/** The text of a file in parts, without its mark. */
async function decoded(file, codec) {
  const decoder = new TextDecoder(codec, { ignoreBOM: true });
  const parts = [];
  for await (const piece of pieces(file)) parts.push(decoder.decode(piece, { stream: true }));
  parts.push(decoder.decode());
  const at = parts.findIndex((part) => part !== "");
  const marked = at >= 0 && parts[at].startsWith("\ufeff");
  if (marked) parts[at] = parts[at].slice(1);
  return { parts, marked };
}

function linesOf(parts, end) {
  const lines = [];
  let open = "";
  for (const part of parts) {
    const cut = (open + part).split(end);
    open = cut.pop();
    for (const line of cut) lines.push(line);
  }
  if (open !== "") lines.push(open);
  return lines;
}

async function rowsOf(lines, dialect, end, counts, onRows) {
  const rows = [];
  const long = [];
  let known = null;
  let at = 0;
  let nextBreath = PART_ROWS;
  const isBlank = (fields) => fields.every((field) => field.trim() === "");
  if (dialect.named) at = lines.findIndex((line) => line.trim()) + 1;
  while (at < lines.length) {
    const record = recordAt(lines, at, dialect, known, end);
    at += record.used;
    counts.inside += record.used - 1;
    if (isBlank(record.fields)) {
      counts.empty += rows.length ? 1 : 0;
      continue;
    }
    if (!known) known = new Known(dialect, record.fields.length, lines.slice(at, SAMPLE_LINES), end);
    if (record.way !== "strict") counts[record.way] += 1;
    const { fields } = record;
    if (fields.length > known.width && isBlank(fields.slice(known.width))) {
      counts.trailing += 1;
      fields.length = known.width;
    }
    if (fields.length > known.width) long.push(rows.length);
    if (fields.length < known.width) counts.short += 1;
    rows.push(fields);
    if (rows.length === nextBreath) {
      nextBreath += PART_ROWS;
      onRows(rows.length);
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  if (long.length > Math.max(1, MOST_LEFT_OUT * (rows.length - 1))) return rows;
  counts.leftOut = long.length;
  const left = new Set(long);
  return long.length ? rows.filter((_, place) => !left.has(place)) : rows;
}

/** The rows of JSON objects: in an array, one a line, or one after the other. Their keys are the header. */
function fromJson(text, counts) {
  counts.lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  const objects = objectsOf(text);
  const names = [...new Set(objects.flatMap((object) => Object.keys(object)))];
  const shown = (value) => (typeof value === "string" ? value : value == null ? "" : JSON.stringify(value));
  return objects.length ? [names, ...objects.map((object) => names.map((name) => shown(object[name])))] : [];
}

function objectsOf(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    return onesInLines(text);
  }
  const objects = Array.isArray(found) ? found : isObject(found) ? (tableOf(found) ?? [found]) : [];
  if (objects.every(isObject) && (objects.length || Array.isArray(found))) return objects;
  throw new Unreadable("fileNoJson", 1);
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** The rows of an object that is a table, in one of the forms that pandas writes; null if it is a row itself. */
function tableOf(object) {
  const { columns, data } = object;
  const values = Object.values(object);
  const lists = Object.entries(object).filter(([, value]) => Array.isArray(value));
  const rows = lists.find(([, list]) => list.length && list.every(isObject));
  if (rows) return rows[1];
  if (Array.isArray(columns) && Array.isArray(data) && data.every((row) => Array.isArray(row))) {
    return data.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));
  }
  if (lists.length && !values.some((value) => typeof value === "string")) {
    const length = Math.max(...lists.map(([, list]) => list.length));
    return Array.from({ length }, (_, at) => Object.fromEntries(lists.map(([name, list]) => [name, list[at]])));
  }
  if (!values.length || !values.every(isObject)) return null;
  if (Object.keys(object).every((name) => /^\d+$/.test(name))) return values;
  const order = [...new Set(values.flatMap((column) => Object.keys(column)))];
  return order.map((at) => Object.fromEntries(Object.entries(object).map(([name, column]) => [name, column[at]])));
}

/** Objects of lines; one may go on over several. */
function onesInLines(text) {
  const objects = [];
  let [open, lines, began] = ["", 0, 0];
  for (const [at, line] of text.split("\n").entries()) {
    if (!open && !line.trim()) continue;
    if (!open) began = at + 1;
    open += `${line}\n`;
    lines += 1;
    if (lines > MOST_JSON_LINES) break;
    if (!line.trimEnd().endsWith("}")) continue;
    try {
      objects.push(JSON.parse(open));
      [open, lines] = ["", 0];
    } catch {
      // it goes on
    }
  }
  if (open || !objects.every(isObject)) throw new Unreadable("fileNoJson", open ? began : 1);
  return objects;
}
