/**
 * Lines cut into records, and those with wrong quotation marks mended: the rules of `tables/records.py`.
 *
 * A record is read strictly if it is one line as wide as the header. Any other is looked at: a quoted field may hold line
 * breaks, but a quotation mark that was never meant as one must not swallow the rows below it.
 */

const MAX_FIELD_CHARS = 1 << 24;
const MAX_LOOSE_LINES = 100;
/** So many lines as wide as the header are rows, even if no value of theirs is known. */
const MANY_LINES = 8;

/** What rows of a file look like: their width, and the values that the columns of records as they stand have. */
export class Known {
  constructor(dialect, width, sample, end) {
    const rows = [];
    for (let at = 0; at < sample.length; ) {
      const { fields, used } = recordAt(sample, at, dialect, null, end);
      if (fields.length === width) rows.push(fields);
      at += used;
    }
    Object.assign(this, { dialect, width });
    const places = Array.from({ length: width }, (_, at) => at);
    this.values = places.map((at) => new Set(rows.map((fields) => fields[at])));
    this.repeats = this.values.map((values) => 2 * values.size <= rows.length);
    this.numeric = places.map((at) => rows.filter((row) => isNumber(row[at])).length > 0.9 * rows.length);
  }

  /**
   * Whether the lines of one record look like rows of their own, which a quotation mark has joined.
   *
   * Where a column repeats its values, such as the labels, only its values tell: texts such as "thanks" are lines of
   * other texts too.
   */
  areRows(lines) {
    const split = lines.filter((line) => line.trim()).map((line) => this.dialect.split(bare(line)));
    const asWide = split.filter((fields) => fields.length === this.width).length;
    if (this.width === 1 || split.length < 2 || 2 * asWide <= split.length) return false;
    const opens = Math.max(0, split[0].findIndex((field) => field.startsWith(this.dialect.quote)));
    const closes = Math.max(0, split.at(-1).findIndex((field) => field.endsWith(this.dialect.quote)));
    const last = split.length - 1;
    const known = split.filter((fields, at) => {
      return this.knows(fields, at === 0 ? opens + 1 : 0, at === last ? closes : this.width);
    }).length;
    return 2 * known >= last || (asWide === split.length && split.length > MANY_LINES);
  }

  isAsWide(line) {
    return this.dialect.split(bare(line)).length === this.width;
  }

  knows(fields, from, to) {
    if (fields.length !== this.width) return false;
    const places = fields.map((_, at) => at).slice(from, to);
    const telling = places.filter((at) => this.repeats[at] || this.numeric[at]);
    return (telling.length > 0 ? telling : places).some((at) => {
      const known = this.values[at].has(fields[at]) || (this.numeric[at] && isNumber(fields[at]));
      return fields[at].trim() !== "" && known;
    });
  }
}

/**
 * The record that begins at a line.
 *
 * @param {string[]} lines without their line feeds. @param {string} end what stands between lines.
 * @returns {{fields: string[], used: number, way: string}} `used`: how many lines; `way`: strict, escaped, loose, literal.
 */
export function recordAt(lines, at, dialect, known, end) {
  const line = bare(lines[at]);
  if (!line.includes(dialect.quote)) {
    const fields = dialect.split(line);
    return { fields, used: 1, way: "strict" };
  }
  const strict = readStrict((place) => lines[place], at, dialect, end);
  const width = known?.width ?? strict?.fields.length;
  const joined = strict && known?.areRows(lines.slice(at, at + strict.used));
  const fits = strict && !joined;
  if (fits && strict.fields.length === width) return { ...strict, way: "strict" };
  if (known) {
    const escaped = readEscaped(lines, at, dialect, known, end);
    if (escaped) return { ...escaped, way: "escaped" };
    const loose = readLoose(lines, at, dialect, known, end);
    if (loose) return { ...loose, way: "loose" };
  }
  if (fits) return { ...strict, way: "strict" };
  const fields = dialect.split(line);
  return { fields, used: 1, way: fields.some((field) => field.startsWith(dialect.quote)) ? "literal" : "strict" };
}

/** A record of which every quotation mark is doubled or encloses; null if it is none. */
function readStrict(lineAt, at, dialect, end) {
  const { separator, quote } = dialect;
  const fields = [];
  let place = at;
  let line = bare(lineAt(place));
  let from = 0;
  while (from <= line.length) {
    const start = dialect.start(line, from);
    if (!line.startsWith(quote, start)) {
      let stop = line.indexOf(separator, start);
      if (stop < 0) stop = line.length;
      fields.push(line.slice(start, stop));
      from = stop + 1;
      continue;
    }
    let field = "";
    from = start + 1;
    for (;;) {
      const stop = line.indexOf(quote, from);
      if (stop < 0) {
        const next = lineAt(place + 1);
        field += lineAt(place).slice(from) + end;
        if (next === undefined || field.length > MAX_FIELD_CHARS) return null;
        place += 1;
        [line, from] = [bare(next), 0];
      } else if (line[stop + 1] === quote) {
        field += line.slice(from, stop + 1);
        from = stop + 2;
      } else if (stop + 1 === line.length || line[stop + 1] === separator) {
        fields.push(field + line.slice(from, stop));
        from = stop + 2;
        break;
      } else {
        return null;
      }
    }
  }
  return { fields, used: place - at + 1 };
}

function readEscaped(lines, at, dialect, known, end) {
  const plain = (line) => line?.replaceAll(/(^|[^\\])((?:\\\\)*)\\(?=")/g, '$1$2"');
  const found = readStrict((place) => (place < at + MAX_LOOSE_LINES ? plain(lines[place]) : undefined), at, dialect, end);
  if (found?.fields.length !== known.width) return null;
  const taken = lines.slice(at, at + found.used);
  return taken.some((line) => line.includes('\\"')) && !known.areRows(taken) ? found : null;
}

function readLoose(lines, at, dialect, known, end) {
  for (let used = 1; used <= MAX_LOOSE_LINES && at + used <= lines.length; used += 1) {
    const taken = lines.slice(at, at + used);
    if (used > 1 && taken.some((line) => known.isAsWide(line))) return null;
    const fields = dialect.splitLoose(bare(taken.join(end)));
    if (fields) return fields.length === known.width ? { fields, used } : null;
  }
  return null;
}

function isNumber(value) {
  return value.trim() !== "" && Number.isFinite(Number(value));
}

function bare(line) {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
