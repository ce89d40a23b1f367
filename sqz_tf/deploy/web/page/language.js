// The page's two languages, its two looks, and numbers as a person reads them.

const WORDS = JSON.parse(byId("words").textContent);
let language = "en";

function byId(id) {
  return document.getElementById(id);
}

/** Return a choice of the person's from an earlier visit; browsers may refuse to keep any for a file. */
function remembered(name) {
  try { return localStorage.getItem(`sqz-tf ${name}`); } catch { return null; }
}

function remember(name, value) {
  try { localStorage.setItem(`sqz-tf ${name}`, value); } catch { /* then it lasts until the page is closed */ }
}

/** Return a text of the page in the person's language; `values` fill its {names}. */
function say(key, values = {}) {
  return WORDS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

function preferredLanguage() {
  const known = remembered("language") ?? navigator.language.split("-")[0];
  return known in WORDS ? known : "en";
}

function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", say(node.dataset.label));
  const other = chosen === "en" ? "ko" : "en";
  byId("language").textContent = WORDS[other].language;
  byId("language").lang = other;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function paintTheme(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  byId("theme").setAttribute("aria-pressed", isDark());
}

function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

function percent(probability) {
  return `${number(100 * probability, 1)} %`;
}

/** Return a value of any size with two or three digits that count. */
function significant(value) {
  return new Intl.NumberFormat(language, { minimumSignificantDigits: 2, maximumSignificantDigits: 3 }).format(value);
}

/** Return bytes as `57.3 KiB` or `1.31 MiB`. */
function kib(bytes) {
  return bytes < 2 ** 20 ? `${number(bytes / 1024, 1)} KiB` : `${number(bytes / 2 ** 20, 2)} MiB`;
}

/** Return milliseconds as `0.3 ms`, `18 ms` or `6.4 s`; `from`, if given, begins a span. */
function duration(value, from = value) {
  if (value < 0.1) return `< ${number(0.1, 1)} ms`;
  const seconds = value >= 1000;
  const text = (each) => number(seconds ? each / 1000 : each, each < (seconds ? 10000 : 10) ? 1 : 0);
  return `${text(from) === text(value) ? "" : `${text(from)}–`}${text(value)} ${seconds ? "s" : "ms"}`;
}
