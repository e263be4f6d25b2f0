/** Reading and writing CSV and TSV (RFC 4180, and what spreadsheets make of it), piece by piece. */

const [START, PLAIN, QUOTED, QUOTE] = [0, 1, 2, 3];
const [LF, CR, DOUBLE] = [10, 13, 34];

/**
 * Cuts a text that comes in pieces into rows of fields.
 *
 * Fields may stand in quotes, which are doubled within, and may then hold line ends. Lines end in LF, CRLF or CR; empty
 * ones are passed over. What follows a closing quote belongs to the field.
 */
export class CsvParser {
  /** @param {string|null} delimiter one character, or null if each line is one field and quotes are nothing special. */
  constructor(delimiter) {
    this.delimiter = delimiter === null ? -1 : delimiter.charCodeAt(0);
    this.quotes = delimiter !== null;
    this.state = START;
    this.field = "";
    this.row = [];
    this.afterReturn = false;
  }

  /** The rows that end in this piece. */
  feed(piece) {
    const rows = [];
    let from = 0; // where the part of the field begins that `this.field` does not have yet
    for (let at = 0; at < piece.length; at += 1) {
      const code = piece.charCodeAt(at);
      const secondHalf = code === LF && this.afterReturn;
      this.afterReturn = false;
      if (secondHalf) {
        from = at + 1;
      } else if (this.state === QUOTED) {
        if (code !== DOUBLE) continue;
        this.field += piece.slice(from, at);
        from = at + 1;
        this.state = QUOTE;
      } else if (code === DOUBLE && this.state === QUOTE) {
        from = at; // of two quotes the second one stays
        this.state = QUOTED;
      } else if (code === DOUBLE && this.state === START && this.quotes) {
        from = at + 1;
        this.state = QUOTED;
      } else if (code === this.delimiter) {
        this.endField(piece.slice(from, at));
        from = at + 1;
      } else if (code === LF || code === CR) {
        this.endRow(piece.slice(from, at), rows);
        from = at + 1;
        this.afterReturn = code === CR;
      } else {
        this.state = PLAIN;
      }
    }
    this.field += piece.slice(from);
    return rows;
  }

  /** The last row, if its line has no end. */
  end() {
    const rows = [];
    this.endRow("", rows);
    return rows;
  }

  endField(rest) {
    this.row.push(this.field + rest);
    this.field = "";
    this.state = START;
  }

  endRow(rest, rows) {
    const blank = this.state === START && this.row.length === 0 && this.field + rest === "";
    this.endField(rest);
    if (!blank) rows.push(this.row);
    this.row = [];
  }
}

/** One line of a file, with its end. */
export function csvLine(fields, delimiter) {
  return `${fields.map((field) => quoted(String(field), delimiter)).join(delimiter)}\r\n`;
}

function quoted(field, delimiter) {
  const special = field.includes(delimiter) || /["\r\n]/.test(field);
  return special ? `"${field.replaceAll('"', '""')}"` : field;
}

/** What parts the fields: by the name of the file, else what stands most often in its first line outside of quotes. */
export function delimiterOf(name, beginning) {
  if (/\.txt$/i.test(name)) return null;
  if (/\.(tsv|tab)$/i.test(name)) return "\t";
  const [line] = beginning.replaceAll(/"[^"]*"/g, "").split(/[\r\n]/);
  const counts = [",", ";", "\t"].map((delimiter) => [line.split(delimiter).length, delimiter]);
  return counts.reduce((best, one) => (one[0] > best[0] ? one : best))[1];
}

/**
 * All rows of a file, read in pieces so that the page stays awake.
 *
 * It is UTF-8 or UTF-16 by its first bytes, else GB 18030, in which Chinese spreadsheets write.
 *
 * @returns {{rows: string[][], delimiter: string|null, encoding: string, marked: boolean}} `marked`: whether it needs a
 *   byte order mark to be read as UTF-8 where it comes from.
 */
export async function readFile(file, onRows = () => {}) {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (first === 0xff && second === 0xfe) return readAs(file, "utf-16le", onRows);
  if (first === 0xfe && second === 0xff) return readAs(file, "utf-16be", onRows);
  const marked = first === 0xef && second === 0xbb;
  try {
    return { ...(await readAs(file, "utf-8", onRows)), marked };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return readAs(file, "gb18030", onRows);
  }
}

async function readAs(file, encoding, onRows) {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const reader = file.stream().getReader();
  const rows = [];
  let parser = null;
  let delimiter = null;
  for (;;) {
    const { done, value } = await reader.read();
    const piece = done ? decoder.decode() : decoder.decode(value, { stream: true });
    if (!parser) {
      delimiter = delimiterOf(file.name, piece);
      parser = new CsvParser(delimiter);
    }
    for (const row of parser.feed(piece)) rows.push(row);
    if (done) break;
    onRows(rows.length);
  }
  for (const row of parser.end()) rows.push(row);
  return { rows, delimiter, encoding: encoding.toUpperCase(), marked: true };
}
