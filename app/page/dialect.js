/** The separator and quotation mark of a delimited file, and lines cut by them: the rules of `tables/dialect.py`. */

const SEPARATORS = [",", "\t", ";", "|"];
const SAMPLE_LINES = 500;

/** How the fields of a file are separated and quoted. */
export class Dialect {
  constructor(separator, quote = '"', skipSpace = false, named = false) {
    Object.assign(this, { separator, quote, skipSpace, named });
  }

  /** The fields of one line; a quotation mark counts only where it closes before a separator. */
  split(line) {
    if (!line.includes(this.quote) && !this.skipSpace) return line.split(this.separator);
    const fields = [];
    for (let at = 0; at <= line.length; ) {
      const start = this.start(line, at);
      let end = line.startsWith(this.quote, start) ? this.closing(line, start + 1, false) : -1;
      if (end >= 0) {
        fields.push(this.plain(line.slice(start + 1, end)));
        at = end + 2;
      } else {
        end = line.indexOf(this.separator, start);
        if (end < 0) end = line.length;
        fields.push(line.slice(start, end));
        at = end + 1;
      }
    }
    return fields;
  }

  /** The fields of a record whose quotation marks inside a field are not doubled; null if a field is not closed. */
  splitLoose(text) {
    const fields = [];
    for (let at = 0; at <= text.length; ) {
      const start = this.start(text, at);
      if (text.startsWith(this.quote, start)) {
        const end = this.closing(text, start + 1, true);
        if (end < 0) return null;
        fields.push(this.plain(text.slice(start + 1, end)));
        at = end + 2;
      } else {
        let end = text.indexOf(this.separator, start);
        if (end < 0) end = text.length;
        fields.push(text.slice(start, end));
        at = end + 1;
      }
    }
    return fields;
  }

  start(text, at) {
    if (this.skipSpace) while (text[at] === " ") at += 1;
    return at;
  }

  /** Where a field that began before `at` is closed: before a separator or the end; -1 if nowhere. */
  closing(text, at, loose) {
    for (let end = text.indexOf(this.quote, at); end >= 0; end = text.indexOf(this.quote, at)) {
      const doubled = text[end + 1] === this.quote;
      if (end + 1 === text.length || text[end + 1] === this.separator) return end;
      if (!loose && !doubled) return -1;
      at = end + (loose ? 1 : 2);
    }
    return -1;
  }

  plain(field) {
    return field.replaceAll(this.quote + this.quote, this.quote);
  }
}

/** The dialect of a file by its first lines; of equally good ones that of `preferred`. */
export function findDialect(lines, preferred = ",") {
  const filled = lines.slice(0, SAMPLE_LINES).filter((line) => line.trim());
  if (!filled.length) return new Dialect(preferred);
  const named = /^"?sep=(.)"?\s*$/i.exec(filled[0]);
  if (named) return new Dialect(named[1], '"', false, true);
  const [header, ...rows] = filled;
  const marks = [preferred, ...SEPARATORS.filter((mark) => mark !== preferred)];
  const candidates = ['"', "'"].flatMap((quote) => marks.map((mark) => new Dialect(mark, quote)));
  const fits = candidates.map((dialect) => [fit(dialect, header, rows), dialect]);
  const [, best] = fits.reduce((one, other) => (isBetter(other[0], one[0]) ? other : one));
  const count = (text, part) => text.split(part).length - 1;
  const spaced = count(header, `${best.separator} `) * 2 > count(header, best.separator);
  const quoted = rows.filter((row) => row.includes(`${best.separator} ${best.quote}`)).length * 2 > rows.length;
  return new Dialect(best.separator, best.quote, spaced || quoted);
}

/** Orders dialects: by parting anything, by odd quotation marks, by equal widths, by the number of columns. */
function fit(dialect, header, rows) {
  const names = dialect.split(header).map((name) => name.trim());
  const odd = names.filter((name) => name.includes('"') || name.startsWith("'")).length;
  const same = rows.filter((row) => dialect.split(row).length === names.length).length / Math.max(1, rows.length);
  return [Number(names.length > 1), -odd, Math.round(same * 10), names.length];
}

function isBetter(one, other) {
  const at = one.findIndex((value, place) => value !== other[place]);
  return at >= 0 && one[at] > other[at];
}
