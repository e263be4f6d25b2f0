/** The call for what is on the screen, to be run elsewhere. The key is never in it: it is read from SLUICE_KEY. */

const LINES = 1000;

/**
 * Code for one request.
 *
 * @param {string} language `curl`, `python` or `javascript`. @param {string} url of the route.
 * @param {object} body of the request. @param {boolean} keyed whether the server wants a key.
 */
export function callOf(language, url, body, keyed) {
  return { curl: curlCall, python: pythonCall, javascript: javascriptCall }[language](url, body, keyed);
}

function curlCall(url, body, keyed) {
  const key = keyed ? ' \\\n  -H "X-API-Key: $SLUICE_KEY"' : "";
  return `curl -s ${shell(url)}${key} \\\n  --data-raw ${shell(JSON.stringify(body))}`;
}

function pythonCall(url, body, keyed) {
  return `import json
${keyed ? "import os\n" : ""}import urllib.request

body = ${python(body)}
request = urllib.request.Request(
    ${python(url)},
    data=json.dumps(body).encode(),${keyed ? '\n    headers={"X-API-Key": os.environ["SLUICE_KEY"]},' : ""}
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer))`;
}

function javascriptCall(url, body, keyed) {
  return `const answer = await fetch(${JSON.stringify(url)}, {
  method: "POST",${keyed ? '\n  headers: { "X-API-Key": process.env.SLUICE_KEY },' : ""}
  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")}),
});
console.log(JSON.stringify(await answer.json()));`;
}

/**
 * Code that scores a file.
 *
 * @param {object} file `name`, `delimiter`, number of its `column`, `columnName`, null without a header, and `codec`,
 *   null if Python does not read it as it is; as above.
 */
export function streamOf(language, url, file, keyed) {
  return { curl: curlStream, python: pythonStream, javascript: javascriptStream }[language](url, file, keyed);
}

function curlStream(url, _file, keyed) {
  const key = keyed ? ' -H "X-API-Key: $SLUICE_KEY"' : "";
  return `# lines.jsonl has {"inputs": "a text"} on each line\ncurl -sN -X POST -T lines.jsonl${key} ${shell(url)}`;
}

function pythonStream(url, file, keyed) {
  const headers = keyed ? ', headers={"X-API-Key": os.environ["SLUICE_KEY"]}' : "";
  return `${file.codec && file.delimiter !== null ? "import csv\n" : ""}import json
${keyed ? "import os\n" : ""}import urllib.request

${file.codec ? linesOfTable(file) : LINES_FILE}
for start in range(0, len(lines), ${LINES}):
    body = "".join(lines[start : start + ${LINES}])
    request = urllib.request.Request(${python(url)}, data=body.encode()${headers})
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            print(json.loads(line))`;
}

/** What stands for a file that `csv` does not read as the page does. */
const LINES_FILE = `# lines.jsonl has {"inputs": "a text"} on each line
with open("lines.jsonl", encoding="utf-8") as file:
    lines = file.readlines()`;

function linesOfTable(file) {
  return `with open(${python(file.name)}, newline="", encoding=${python(file.codec)}) as file:
    texts = ${pythonTexts(file)}
lines = [json.dumps({"inputs": text}) + "\\n" for text in texts]`;
}

function pythonTexts({ delimiter, column, columnName }) {
  if (delimiter === null) return "file.read().splitlines()";
  const how = delimiter === "," ? "" : `, delimiter=${python(delimiter)}`;
  if (columnName === null) return `[row[${column}] for row in csv.reader(file${how}) if row]`;
  return `[row[${python(columnName)}] for row in csv.DictReader(file${how})]`;
}

function javascriptStream(url, _file, keyed) {
  return `import { readFile } from "node:fs/promises";

// lines.jsonl has {"inputs": "a text"} on each line
const lines = (await readFile("lines.jsonl", "utf-8")).trimEnd().split("\\n");
for (let start = 0; start < lines.length; start += ${LINES}) {
  const answer = await fetch(${JSON.stringify(url)}, {
    method: "POST",${keyed ? '\n    headers: { "X-API-Key": process.env.SLUICE_KEY },' : ""}
    body: lines.slice(start, start + ${LINES}).join("\\n"),
  });
  console.log((await answer.text()).trimEnd());
}`;
}

/** One word of a shell, whatever is in it. */
export function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A literal of Python: strings and numbers look as in JSON, names do not. */
function python(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, one]) => `${python(name)}: ${python(one)}`).join(", ")}}`;
}
