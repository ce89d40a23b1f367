// The page's engine and its check of updates in Node. Arguments: a JSON file {scripts: paths, embedded, running, updates: name → file,
// given: rgba of the network's input}. Prints JSON: of each update what it brings, or by what word and detail it is refused; and
// the scores before, after each update that is installed in turn, and after one that cannot run.
import { readFileSync } from "node:fs";
import vm from "node:vm";

const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
vm.runInThisContext(given.scripts.map((path) => readFileSync(path, "utf8")).join("\n"));
if (given.without) Object.defineProperty(globalThis, "crypto", { value: given.without === "crypto" ? undefined : {
  subtle: { importKey: async () => { throw new DOMException("no", "NotSupportedError"); } } } });
const call = (name, ...values) => { globalThis.values = values; return vm.runInThisContext(`${name}(...values)`); };
const told = {};
for (const [name, file] of Object.entries(given.updates)) {
  try {
    const { model, version, image } = await call("checkedUpdate", new Uint8Array(readFileSync(file)), given.embedded.updates, given.running);
    told[name] = { model, version, bytes: image.length, labels: call("labelsOf", image) };
  } catch ({ message, detail }) {
    told[name] = { word: message, detail };
  }
}
const scores = [];
if (given.install) {
  const engine = await call("loadEngine", given.embedded);
  const note = (problem) => scores.push({ problem, scores: [...engine.classifyInput(Uint8Array.from(given.given)).scores],
    scale: engine.scale, probabilities: engine.probabilities });
  note(null);
  for (const file of given.install) {
    try {
      engine.install(new Uint8Array(readFileSync(file)));
      note(null);
    } catch ({ message }) {
      note(message);
    }
  }
}
console.log(JSON.stringify({ told, scores }));
