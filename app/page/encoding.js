/** Bytes of a file as text: gzip unpacked, the encoding found as `tables/encoding.py` finds it. */

const SAMPLE_BYTES = 1 << 16;
/** A file is UTF-8 if at most this share of its characters beyond ASCII is damaged. */
const DAMAGED = 0.2;
const GZIP = [0x1f, 0x8b];
/** First bytes of files that are no text: ZIP (.xlsx, .ods), Office before 2007 (.xls), Parquet, PDF; what each is. */
const OTHERS = [
  [[0x50, 0x4b, 3, 4], "fileSpreadsheet"],
  [[0xd0, 0xcf, 0x11, 0xe0], "fileSpreadsheet"],
  [[0x50, 0x41, 0x52, 0x31], "fileBinary"],
  [[0x25, 0x50, 0x44, 0x46], "fileBinary"],
  [GZIP, "fileBinary"],
];

/** A file that cannot be read. The message is the name of the words that say why; `line`: where, if that is known. */
export class Unreadable extends Error {
  constructor(words, line = 0) {
    super(words);
    this.line = line;
  }
}

/** Whether the first bytes of a file are gzip's. */
export const isPacked = async (file) => begins(new Uint8Array(await file.slice(0, 4).arrayBuffer()), GZIP);

/** The pieces of a file, unpacked if it is gzip. */
export async function* pieces(file) {
  const packed = await isPacked(file);
  const reader = (packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream()).getReader();
  for (let first = true; ; first = false) {
    const { done, value } = await reader.read().catch((error) => {
      throw packed ? new Unreadable("fileDamaged") : error;
    });
    if (done) return;
    const other = first && OTHERS.find(([bytes]) => begins(value, bytes));
    if (other) throw new Unreadable(other[1]);
    yield value;
  }
}

/**
 * Finds the encoding of a file: by its mark, else UTF-8 over all of it, else UTF-16 by its zero bytes, else GB 18030 or
 * Windows-1252.
 *
 * @returns {{codec: string, name: string, damaged: number}} `damaged`: places that do not fit the encoding.
 */
export async function findEncoding(file) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let [valid, damaged, sample, first] = [0, 0, new Uint8Array(0), true];
  for await (const piece of pieces(file)) {
    if (first) {
      const wide = marked(piece) ?? withoutMark(piece.subarray(0, SAMPLE_BYTES));
      if (wide) return wide;
      first = false;
    }
    const text = decoder.decode(piece, { stream: true });
    const broken = text.split("\ufffd").length - 1;
    damaged += broken && broken - replacements(piece);
    valid += (text.match(/[^\x00-\x7f\ufffd]/g) ?? []).length; // eslint-disable-line no-control-regex
    if (sample.length < SAMPLE_BYTES) sample = joined(sample, highLines(piece)).subarray(0, SAMPLE_BYTES);
  }
  if (decoder.decode().includes("\ufffd")) damaged += 1;
  if (damaged > DAMAGED * (valid + damaged)) {
    return looksLikeGb18030(sample) ? named("gb18030") : named("windows-1252");
  }
  return { ...named("utf-8"), damaged: Math.max(0, damaged) };
}

function named(codec) {
  return { codec, name: codec.toUpperCase().replace(/^WINDOWS/, "Windows"), damaged: 0 };
}

function marked(piece) {
  if (begins(piece, [0xff, 0xfe])) return named("utf-16le");
  if (begins(piece, [0xfe, 0xff])) return named("utf-16be");
  return null;
}

/** UTF-16 by where the zero bytes stand: in text with line ends or Latin letters on one side only. */
function withoutMark(sample) {
  const zeros = [0, 0];
  for (let at = 0; at < sample.length; at += 1) zeros[at % 2] += sample[at] === 0;
  const [even, odd] = zeros;
  if (even + odd <= sample.length / 1000) return null;
  const encoding = named(odd > even ? "utf-16le" : "utf-16be");
  const text = new TextDecoder(encoding.codec).decode(sample.subarray(0, sample.length & ~1));
  // eslint-disable-next-line no-control-regex
  if (Math.min(even, odd) * 10 > Math.max(even, odd) || /[\x00-\x08\x0e-\x1b]/.test(text)) throw new Unreadable("fileBinary");
  return encoding;
}

/** Nearly all pairs of bytes are among the common characters of GB 2312; see `tables/encoding.py`. */
export function looksLikeGb18030(sample) {
  let [common, other, at] = [0, 0, 0];
  while (at < sample.length - 1) {
    const [lead, trail] = [sample[at], sample[at + 1]];
    if (lead < 0x80) {
      at += 1;
      continue;
    }
    if (lead >= 0xa1 && lead <= 0xf7 && trail >= 0xa1) common += 1;
    else other += 1;
    at += 2;
  }
  return common > 0 && common >= 9 * other;
}

/** The lines of a piece that hold bytes beyond ASCII. */
function highLines(piece) {
  const parts = [];
  let [start, high] = [0, false];
  for (let at = 0; at <= piece.length; at += 1) {
    if (at === piece.length || piece[at] === 10) {
      if (high) parts.push(piece.subarray(start, at + 1));
      [start, high] = [at + 1, false];
    } else if (piece[at] > 0x7f) {
      high = true;
    }
  }
  return joined(...parts);
}

/** Number of U+FFFD that a piece holds by itself. */
function replacements(piece) {
  let count = 0;
  for (let at = 2; at < piece.length; at += 1) {
    count += piece[at] === 0xbd && piece[at - 1] === 0xbf && piece[at - 2] === 0xef;
  }
  return count;
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function begins(bytes, start) {
  return start.every((byte, at) => bytes[at] === byte);
}
