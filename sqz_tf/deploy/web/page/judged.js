// What the person says of answers: a confusion table that counts each picture once, and its CSV.

// {truth, answer}: a picture's entry is replaced when the person changes their mind.
const judged = [];

function judge(item, truth) {
  if (item.judgement) item.judgement.truth = truth;
  else judged.push((item.judgement = { truth, answer: item.order[0] }));
}

function takeBack(item) {
  const at = judged.indexOf(item.judgement);
  if (at >= 0) judged.splice(at, 1);
  delete item.judgement;
}

function counts() {
  const table = new Map();
  for (const { truth, answer } of judged) {
    const row = table.get(truth) ?? table.set(truth, new Map()).get(truth);
    row.set(answer, (row.get(answer) ?? 0) + 1);
  }
  return table;
}

/** Return a label as a cell of a CSV; one that a spreadsheet would take for a formula begins with an apostrophe. */
function quoted(label) {
  const text = /^[=+\-@\t\r]/.test(label) && Number.isNaN(Number(label)) ? `'${label}` : label;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function confusionCsv(labels) {
  const rows = [...counts()].flatMap(([truth, row]) => [...row].map(([answer, count]) => [truth, answer, count]));
  rows.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return ["truth,answer,count", ...rows.map(([truth, answer, count]) => [quoted(labels[truth]), quoted(labels[answer]), count].join())].join("\n") + "\n";
}

function showConfusion(labels) {
  byId("confusion").hidden = !judged.length;
  if (!judged.length) return;
  const table = counts();
  const seen = [...new Set(judged.flatMap(({ truth, answer }) => [truth, answer]))].sort((a, b) => a - b);
  const head = element("tr", {}, element("td", `${say("is")} \\ ${say("says")}`), ...seen.map((label) => element("th", { scope: "col" }, labels[label])));
  const rows = seen.filter((truth) => table.has(truth)).map((truth) => element("tr", {}, element("th", { scope: "row" }, labels[truth]),
    ...seen.map((answer) => element("td", { className: answer === truth ? "hit" : "" }, table.get(truth).get(answer) ?? "·"))));
  byId("confusion-table").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
  const right = judged.filter(({ truth, answer }) => truth === answer).length;
  byId("confusion-note").textContent = say("confusionNote", { right: number(right), all: number(judged.length) });
}

async function copyCsv(labels, tell) {
  try {
    await navigator.clipboard.writeText(confusionCsv(labels));
    speakUp(say("copied"));
    byId("copy").textContent = say("copied");
    setTimeout(() => { byId("copy").textContent = say("copy"); }, 1500);
  } catch {
    tell("noClipboard");
  }
}

function downloadCsv(labels) {
  const href = URL.createObjectURL(new Blob([confusionCsv(labels)], { type: "text/csv" }));
  element("a", { href, download: "confusion.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}
