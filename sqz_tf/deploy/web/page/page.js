// What the person does, and what the page shows for it.

const page = { engine: null, model: null, shown: null, several: [], message: null, inverted: false, taking: 0, work: 0, live: "" };

function tell(key, values = {}) {
  page.message = key && { key, values };
  byId("message").hidden = !key;
  byId("message").textContent = key ? say(key, values) : "";
}

/** Tell of an error: one whose message is a word of the page, or one that nobody expected. */
function tellError(error, name) {
  tell(...problem(error, name));
}

function problem({ message }, name = "") {
  return message in WORDS.en ? [message, { name }] : ["failed", { detail: message }];
}

/** Classify an item's pixels once, then let them go; dark ink on paper can be turned into the light on black of many data sets. */
function answered(item) {
  if (item.order) return;
  if (page.inverted && !item.picture) for (let i = 0; i < item.rgba.length; i++) item.rgba[i] ^= 255;
  Object.assign(item, classified(page.engine, item));
  item.rgba = null;
}

function show(item) {
  answered(item);
  page.shown = item;
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

function showPicture({ url, name, width, height }) {
  const picture = byId("shown");
  Object.assign(picture, { src: url, alt: name });
  picture.style.width = `${Math.min(100, (100 * width) / height)}%`;
  picture.style.height = `${Math.min(100, (100 * height) / width)}%`;
}

function markShown() {
  for (const button of document.querySelectorAll(".pictures button")) button.setAttribute("aria-pressed", button.item === page.shown);
}

/** Decode and answer pictures; the first is shown large, several become a list. */
async function take(files) {
  if (!page.engine) return;
  const taking = ++page.taking;
  const work = ++page.work;
  stopCamera();
  tell(null);
  for (const item of page.several) URL.revokeObjectURL(item.url);
  page.several = [];
  showSeveral();
  byId("answer").setAttribute("aria-busy", true);
  for (const file of files) {
    const item = await taken(file);
    if (taking !== page.taking) return;
    page.several.push(item);
    if (work === page.work && item === page.several.find((each) => !each.problem)) show(item);
    if (files.length > 1) addTile(item);
  }
  byId("answer").removeAttribute("aria-busy");
  const [first] = page.several;
  if (page.several.every((item) => item.problem)) tellError(first.problem, first.name);
}

async function taken(file) {
  const item = { file, name: file.name || say("picture"), url: URL.createObjectURL(file) };
  try {
    Object.assign(item, await decodePicture(file));
    answered(item);
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
  byId("several-list").append(element("li", {}, item.problem ? element("p", say(...problem(item.problem, item.name))) : tile(item)));
  markShown();
}

function tile(item) {
  const { labels } = page.engine;
  const answer = labels[item.order?.[0] ?? item.answer];
  const truth = labels[item.truth];
  const right = answer === truth;
  const text = !truth ? answer : right ? `✓ ${truth}` : `${truth} → ${answer}`;
  const image = element("img", { src: item.url, alt: truth ? say("test") : item.name, loading: "lazy" });
  const button = element("button", { item }, image, element("span", { className: !truth ? "" : right ? "good" : "bad" }, text));
  button.addEventListener("click", () => choose(item));
  return button;
}

/** Show an item of a list; a test picture is decoded and answered when it is first chosen. */
async function choose(item) {
  const work = ++page.work;
  stopCamera();
  tell(null);
  try {
    if (!item.order) Object.assign(item, await decodePicture(item.file ?? blobOf(item.url)));
    if (work === page.work) show(item);
  } catch (error) {
    tellError(error, item.name);
  }
}

function blobOf(url) {
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  return new Blob([bytes]);
}

function toggleCamera() {
  page.work++;
  tell(null);
  if (camera.stream) stopCamera();
  else startCamera(seeFrame, cameraChanged);
}

function seeFrame(rgba, side) {
  try {
    show({ live: true, rgba, width: side, height: side });
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

/** Invert what is given from now on, and what is shown. */
function invert() {
  page.inverted = !page.inverted;
  byId("invert").setAttribute("aria-pressed", page.inverted);
  if (page.shown?.file) choose(Object.assign(page.shown, { order: null, judgement: null }));
}

async function flip() {
  const other = await otherCamera();
  if (!other) return;
  Object.assign(camera, other);
  startCamera(seeFrame, cameraChanged);
}

/** Count the person's verdict on what is shown; a camera is frozen first. */
function decide(truth) {
  if (page.shown?.live) freezeCamera(true);
  if (!page.shown || Number.isNaN(truth)) return;
  judge(page.shown, truth);
  showTruth(page.engine, page.shown);
  showConfusion(page.engine.labels);
}

function clearJudged() {
  judged.length = 0;
  for (const item of [...page.several, page.shown]) if (item) delete item.judgement;
  showTruth(page.engine, page.shown);
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
    camera: toggleCamera, flip, invert, freeze: () => freezeCamera(!camera.frozen), yes: () => decide(page.shown.order[0]),
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
  if (page.shown) showAnswer(engine, page.shown);
}

async function start() {
  paintTheme(remembered("theme"));
  speak(preferredLanguage());
  listenToLooks();
  listen();
  page.model = JSON.parse(byId("model").textContent);
  document.body.classList.toggle("wordy", page.model.labels.some((label) => label.length > 6));
  page.tests = page.model.tests.map((test) => ({ ...test, url: test.picture, name: say("test") }));
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
