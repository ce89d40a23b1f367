// What the person does, and what the page shows for it.

const page = {
  engine: null, model: null, installed: null, shown: null, several: [], message: null, live: "",
  inverted: false, awaited: { picture: false, inverse: false },
  // The last of each: older ones give way.
  inverting: 0, taking: 0, work: 0,
};

function tell(key, values = {}) {
  page.message = key && { key, values };
  byId("message").hidden = !key;
  byId("message").textContent = key ? say(key, values) : "";
}

/** Tell of an error: one whose message is a word of the page, or one that nobody expected. */
function tellError(error, name) {
  tell(...problem(error, name));
}

function problem({ message, detail }, name = "") {
  return message in WORDS.en ? [message, { name, detail }] : ["failed", { detail: message }];
}

function isAnswered(item) {
  return item.order && (item.picture || item.inverted === page.inverted);
}

/** Decode and classify an item unless its answer is there; until then it keeps the old one. */
async function answer(item) {
  if (!isAnswered(item)) classify(item, item.frame ?? await decodePicture(item.file ?? blobOf(item.url)));
}

/** Classify pixels; dark ink on paper can be turned into the light on black of many data sets. */
function classify(item, { rgba, width, height, inverted = false }) {
  const { picture } = item;
  const turned = !picture && page.inverted !== inverted;
  if (turned) for (let i = 0; i < rgba.length; i++) rgba[i] ^= 255;
  if (item.frame) item.frame.inverted = page.inverted;
  Object.assign(item, classified(page.engine, { rgba, width, height, picture }), { width, height, inverted: page.inverted });
  if (item.judgement) item.judgement.answer = item.order[0];
}

function show(item) {
  const before = page.shown;
  page.shown = item;
  letGo(before);
  showFinder();
  if (item.url) showPicture(item);
  showAnswer(page.engine, item);
  if (item.live) return;
  markShown();
  speakUp(spokenAnswer(page.engine, item));
}

/** Show the camera as long as it runs: some browsers give no frames of a film that is hidden. */
function showFinder() {
  const { shown } = page;
  const watched = camera.stream && !camera.frozen;
  byId("finder").dataset.shows = watched ? "camera" : !shown ? "nothing" : shown.url ? "picture" : "frozen";
}

/** Let a picture's file go once it is neither listed nor shown. */
function letGo(item) {
  if (item?.file && item !== page.shown && !page.several.includes(item)) URL.revokeObjectURL(item.url);
}

function nameOf({ picture, file }) {
  return picture ? say("test") : file.name || say("picture");
}

function showPicture(item) {
  const { url, width, height } = item;
  const picture = byId("shown");
  Object.assign(picture, { src: url, alt: nameOf(item) });
  picture.style.width = `${Math.min(100, (100 * width) / height)}%`;
  picture.style.height = `${Math.min(100, (100 * height) / width)}%`;
}

/** Write the answers and what is shown on all tiles. */
function markShown() {
  for (const button of document.querySelectorAll(".pictures button")) {
    button.setAttribute("aria-pressed", button.item === page.shown);
    writeTile(button.lastChild, button.item);
  }
}

/** Let the old answer fade while one is awaited, of a picture or of inverting. */
function awaitAnswer(of, awaited) {
  page.awaited[of] = awaited;
  byId("answer").setAttribute("aria-busy", page.awaited.picture || page.awaited.inverse);
}

/** Begin work of which the last counts, and return its number. */
function begin() {
  awaitAnswer("picture", true);
  return ++page.work;
}

function end(work) {
  if (work === page.work) awaitAnswer("picture", false);
}

/** Decode and answer pictures; the first is shown large, several become a list. */
async function take(files) {
  if (!page.engine) return;
  const update = files.find(isUpdate);
  if (update) return takeUpdate(update);
  const taking = ++page.taking;
  stopCamera();
  tell(null);
  const work = begin();
  page.several.splice(0).forEach(letGo);
  showSeveral();
  for (const file of files) {
    const item = await taken(file);
    if (taking !== page.taking) return letGo(item);
    page.several.push(item);
    if (work === page.work && item === page.several.find((each) => !each.problem)) {
      show(item);
      end(work);
    }
    if (files.length > 1) addTile(item);
  }
  const [first] = page.several;
  if (work === page.work && page.several.every((item) => item.problem)) tellError(first.problem, nameOf(first));
  end(work);
}

/** Check and run an update; what was answered before is answered anew, and what was judged is forgotten. */
async function takeUpdate(file) {
  const taking = ++page.taking;
  stopCamera();
  tell(null);
  const work = begin();
  try {
    const update = await checkedUpdate(new Uint8Array(await file.arrayBuffer()), page.model.updates, page.installed);
    if (taking !== page.taking) return;
    page.engine.install(update.image);
    page.installed = update;
    const labels = labelsOf(update.image);
    if (labels?.length === page.engine.labels.length) page.engine.labels = page.model.labels = toldApart(labels);
    page.model.card = { rows: [["Version", `${update.version}, ${update.model}`]] };
    clearJudged();
    await answerAll();
    showWords();
    tell("updated", update);
  } catch (error) {
    if (taking === page.taking) tellError(error, file.name);
  } finally {
    end(work);
  }
}

async function answerAll() {
  const items = [...new Set([page.shown, ...page.several, ...page.tests])].filter(Boolean);
  for (const item of items) {
    delete item.order;
    delete item.problem;
    await tried(item);
  }
  if (page.shown?.problem) forget();
  const next = page.shown ?? items.find((item) => !item.problem);
  if (next) show(next);
}

/** Take away what is shown: its file is gone, so nobody can answer it. */
function forget() {
  page.shown = null;
  showFinder();
  for (const name of ["best", "sure", "milliseconds"]) byId(name).textContent = "";
}

function taken(file) {
  return tried({ file, url: URL.createObjectURL(file) });
}

/** Answer an item, or keep what is wrong with it. */
async function tried(item) {
  try {
    await answer(item);
  } catch (problem) {
    item.problem = problem;
  }
  return item;
}

function showSeveral() {
  byId("several").hidden = page.several.length < 2;
  byId("several-list").replaceChildren();
  if (page.several.length > 1) page.several.forEach(addTile);
}

function addTile(item) {
  byId("several").hidden = false;
  byId("several-list").append(element("li", {}, item.problem ? element("p", say(...problem(item.problem, nameOf(item)))) : tile(item)));
  markShown();
}

function tile(item) {
  const image = element("img", { src: item.url, alt: nameOf(item), loading: "lazy" });
  const button = element("button", { item }, image, element("span"));
  button.addEventListener("click", () => choose(item));
  return button;
}

/** Write an answer below its picture: whether it is right, where that is known; faint while a new one is awaited. */
function writeTile(node, { picture, truth, answer, order, inverted }) {
  const { labels } = page.engine;
  const best = order?.[0] ?? answer;
  const known = truth !== undefined;
  node.className = known ? (best === truth ? "good" : "bad") : picture || inverted === page.inverted ? "" : "old";
  node.textContent = !known ? labels[best] : best === truth ? `✓ ${labels[truth]}` : `${labels[truth]} → ${labels[best]}`;
}

/** Show an item of a list; a test picture is decoded and answered when it is first chosen. */
async function choose(item) {
  stopCamera();
  tell(null);
  const work = begin();
  try {
    await answer(item);
    if (work === page.work) show(item);
  } catch (error) {
    if (work === page.work) tellError(error, nameOf(item));
  }
  end(work);
}

function blobOf(url) {
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  return new Blob([bytes]);
}

function toggleCamera() {
  end(++page.work);
  tell(null);
  if (camera.stream) stopCamera();
  else startCamera(seeFrame, cameraChanged);
}

function seeFrame(rgba, side) {
  try {
    const item = { live: true, frame: { rgba, width: side, height: side } };
    classify(item, item.frame);
    show(item);
  } catch (error) {
    stopCamera();
    return tellError(error);
  }
  const [best] = page.shown.order;
  if (best === page.live) return;
  page.live = best;
  speakUp(spokenAnswer(page.engine, page.shown), 1200);
}

function cameraChanged(problem) {
  const on = Boolean(camera.stream);
  byId("camera").dataset.word = on ? "cameraOff" : "camera";
  byId("freeze").hidden = !on;
  byId("freeze").setAttribute("aria-pressed", on && camera.frozen);
  if (!on) byId("flip").hidden = true;
  else otherCamera().then((other) => { byId("flip").hidden = !other; });
  byId("camera").textContent = say(byId("camera").dataset.word);
  if (problem) tell(problem.key, problem);
  if (page.shown?.live && (!on || camera.frozen)) show({ ...page.shown, live: false });
  showFinder();
}

/** Invert what is given from now on, and answer anew what was given: first what is shown, then the list. */
async function invert() {
  const inverting = ++page.inverting;
  page.inverted = !page.inverted;
  byId("invert").setAttribute("aria-pressed", page.inverted);
  markShown();
  const { shown } = page;
  const old = [...new Set([shown, ...page.several])].filter((item) => item && !item.live && !item.problem && !isAnswered(item));
  awaitAnswer("inverse", old.includes(shown));
  for (const item of old) {
    await answerAnew(item);
    if (inverting !== page.inverting) return;
    awaitAnswer("inverse", false);
  }
}

async function answerAnew(item) {
  try {
    await answer(item);
    if (item === page.shown) show(item);
    else markShown();
    showConfusion(page.engine.labels);
  } catch (error) {
    tellError(error, nameOf(item));
  }
}

async function flip() {
  const other = await otherCamera();
  if (!other) return;
  Object.assign(camera, other);
  startCamera(seeFrame, cameraChanged);
}

/** Count the person's verdict on what is shown, or take it back if it is NaN; a camera is frozen first. */
function decide(truth) {
  if (page.shown?.live) freezeCamera(true);
  if (!page.shown) return;
  if (Number.isNaN(truth)) takeBack(page.shown);
  else judge(page.shown, truth);
  showTruth(page.engine, page.shown);
  showConfusion(page.engine.labels);
}

/** Say yes, or take a yes back. */
function agree() {
  const { order, judgement } = page.shown;
  decide(judgement?.truth === order[0] ? NaN : order[0]);
}

function clearJudged() {
  judged.length = 0;
  for (const item of [...page.several, page.shown]) if (item) delete item.judgement;
  if (page.shown) showTruth(page.engine, page.shown);
  showConfusion(page.engine.labels);
}

function dropped(event) {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const files = [...event.dataTransfer.files];
  if (files.length) take(files);
  else if (page.engine) tell("nothingDropped");
}

function pasted(event) {
  const files = [...event.clipboardData.files];
  if (files.length) take(files);
  else if (page.engine) tell("nothingPasted");
}

function dragged(event) {
  event.preventDefault();
  document.body.classList.toggle("dragging", event.type === "dragover");
}

function listen() {
  for (const id of ["files", "photo"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      target.value = "";
      if (files.length) take(files);
    });
  }
  const clicks = {
    camera: toggleCamera, flip, invert, freeze: () => freezeCamera(!camera.frozen), yes: agree,
    copy: () => copyCsv(page.engine.labels, tell), download: () => downloadCsv(page.engine.labels), clear: clearJudged,
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  byId("truth").addEventListener("change", ({ target }) => decide(parseInt(target.value, 10)));
  byId("truth").addEventListener("mousedown", () => { if (page.shown.live) freezeCamera(true); });
  addEventListener("dragover", dragged);
  addEventListener("dragleave", dragged);
  addEventListener("drop", dropped);
  addEventListener("paste", pasted);
  addEventListener("pagehide", () => stopCamera());
  document.addEventListener("visibilitychange", () => { if (document.hidden && camera.stream) stopCamera({ key: "cameraPaused" }); });
}

function listenToLooks() {
  byId("language").addEventListener("click", () => {
    speak(language === "en" ? "ko" : "en");
    remember("language", language);
    showWords();
  });
  byId("theme").addEventListener("click", () => {
    paintTheme(isDark() ? "light" : "dark");
    remember("theme", document.documentElement.dataset.theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paintTheme());
}

function showChip(boards) {
  byId("chip").hidden = !boards.length;
  byId("boards").replaceChildren(...boards.map((board) => {
    const [from, to] = board.milliseconds;
    const needs = [pair(say("ram"), kib(board.ram)), pair(say("flash"), kib(board.flash))];
    return element("li", {}, element("h3", board.name), element("p", { className: "span" }, duration(to, from)),
      element("dl", { className: "facts" }, ...needs),
      element("p", { className: `verdict ${board.fits ? "good" : "bad"}` }, say(board.fits ? "fits" : "tight")));
  }));
}

function showCard({ rows }) {
  byId("card").hidden = !rows.length;
  byId("card-rows").replaceChildren(...rows.map(([name, value]) => pair(WORDS[language][`card ${name}`] ?? name, value)));
}

function pair(name, value) {
  return element("div", {}, element("dt", name), element("dd", value));
}

function showTests(tests) {
  byId("tests").hidden = !tests.length;
  byId("tests-note").textContent = say("testsNote");
  byId("tests-list").replaceChildren(...tests.map((item) => element("li", {}, tile(item))));
  markShown();
}

/** Write everything that holds words or numbers anew, in the language of now. */
function showWords() {
  const { engine, model, message } = page;
  showChip(model.boards);
  showCard(model.card);
  if (message) tell(message.key, message.values);
  if (!engine) return;
  byId("view-size").textContent = `${engine.width} × ${engine.height}`;
  byId("invert").hidden = engine.channels > 1;
  byId("arena").textContent = kib(engine.arenaBytes);
  byId("kernels").textContent = say(engine.simd ? "simd" : "plain");
  listTruths(engine.labels);
  showTests(page.tests);
  showSeveral();
  showConfusion(engine.labels);
  if (page.shown?.url) showPicture(page.shown);
  if (page.shown) showAnswer(engine, page.shown);
}

/** Return labels of which equal ones carry their numbers: ImageNet has two cranes. */
function toldApart(labels) {
  const count = new Map();
  for (const label of labels) count.set(label, (count.get(label) ?? 0) + 1);
  return labels.map((label, i) => (count.get(label) > 1 ? `${label} (${i})` : label));
}

async function start() {
  paintTheme(remembered("theme"));
  speak(preferredLanguage());
  listenToLooks();
  listen();
  page.model = JSON.parse(byId("model").textContent);
  page.model.labels = toldApart(page.model.labels);
  document.body.classList.toggle("wordy", page.model.labels.some((label) => label.length > 6));
  if (page.model.updates) byId("files").accept += ",.squ";
  page.tests = page.model.tests.map((test) => ({ ...test, url: test.picture }));
  try {
    page.engine = await loadEngine(page.model);
  } catch (error) {
    document.querySelectorAll(".actions *").forEach((node) => { node.disabled = true; });
    tellError(error);
  }
  showWords();
  const example = page.tests.find((item) => item.truth === item.answer);
  if (page.engine && example) await choose(example);
  document.body.dataset.ready = Boolean(page.engine);
}

start();
