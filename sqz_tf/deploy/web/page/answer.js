// The panel of the answer: best label, five bars, the network's view, and what is said aloud.

const SHOWN = 5;
let spokenLater = 0;

/** Make an element with these properties, or this text, around its children. */
function element(name, values = {}, ...children) {
  const node = Object.assign(document.createElement(name), typeof values === "string" ? { textContent: values } : values);
  node.append(...children);
  return node;
}

/** Classify pixels; a test picture is the network's own input. `order` is labels by falling score, of equal ones the first. */
function classified(engine, { rgba, width, height, picture }) {
  const result = picture ? engine.classifyInput(rgba) : engine.classify(rgba, width, height);
  const order = [...result.scores.keys()].sort((a, b) => result.scores[b] - result.scores[a]);
  return { ...result, scores: result.scores.slice(), view: result.view.slice(), order };
}

/** Return a score as a person reads it: a chance in percent, or the real value where the network gives no chances. */
function told(engine, item, label) {
  const value = (item.scores[label] - engine.zeroPoint) * engine.scale;
  return engine.probabilities ? percent(value) : significant(value);
}

/** Return the length of a score's bar, 0 to 1: its chance, or where it lies between the smallest and the largest score. */
function share(engine, { scores, order }, label) {
  const [least, most] = [scores[order.at(-1)], scores[order[0]]];
  const part = engine.probabilities ? (scores[label] - engine.zeroPoint) * engine.scale : (scores[label] - least) / (most - least || 1);
  return Math.min(1, Math.max(0, part));
}

function showAnswer(engine, item) {
  const [best] = item.order;
  const panel = byId("answer");
  panel.dataset.scores = JSON.stringify([...item.scores]);
  panel.dataset.number = Number(panel.dataset.number ?? 0) + 1;
  byId("best").textContent = engine.labels[best];
  byId("best").classList.toggle("long", engine.labels[best].length > 3);
  byId("sure").textContent = told(engine, item, best);
  byId("milliseconds").textContent = duration(item.milliseconds);
  showTop(engine, item);
  showView(engine, item.view);
  showTruth(engine, item);
}

function showTop(engine, item) {
  const list = byId("top");
  const labels = item.order.slice(0, SHOWN);
  while (list.children.length < labels.length) list.append(topRow());
  labels.forEach((label, i) => {
    const [name, value, bar] = list.children[i].children;
    name.textContent = engine.labels[label];
    value.textContent = told(engine, item, label);
    value.value = item.scores[label];
    bar.firstChild.style.transform = `scaleX(${share(engine, item, label)})`;
  });
}

function topRow() {
  const bar = element("span", { className: "bar" }, element("i"));
  bar.setAttribute("aria-hidden", "true");
  return element("li", {}, element("span", { className: "name" }), element("data", {}), bar);
}

function showView({ width, height, channels }, view) {
  const canvas = byId("view");
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) image.data[4 * i + channel] = view[i * channels + (channel % channels)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function showTruth(engine, { truth, order, judgement }) {
  const node = byId("truth-known");
  node.hidden = truth === undefined;
  if (!node.hidden) {
    node.className = truth === order[0] ? "verdict good" : "verdict bad";
    node.textContent = say(truth === order[0] ? "truthRight" : "truthWrong", { truth: engine.labels[truth] });
  }
  byId("judge").hidden = truth !== undefined;
  byId("yes").setAttribute("aria-pressed", judgement?.truth === order[0]);
  const corrected = judgement && judgement.truth !== order[0] ? String(judgement.truth) : "";
  if (byId("truth").value !== corrected) byId("truth").value = corrected;
}

/** Fill the choice of right answers. */
function listTruths(labels) {
  const chosen = byId("truth").value;
  const options = labels.map((label, i) => element("option", { value: i }, label));
  byId("truth").replaceChildren(element("option", { value: "" }, `${say("itIs")} …`), ...options);
  byId("truth").value = chosen;
}

/** Tell a screen reader; of a camera's answers only one that has stayed for a second. */
function speakUp(text, wait = 0) {
  clearTimeout(spokenLater);
  spokenLater = setTimeout(() => { byId("spoken").textContent = text; }, wait);
}

function spokenAnswer(engine, item) {
  const [best] = item.order;
  return say("spoken", { answer: engine.labels[best], sure: told(engine, item, best) });
}
