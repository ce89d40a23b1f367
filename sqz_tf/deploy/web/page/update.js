// Signed updates of the page's model (docs/formats/squ.md): the checks of a device, in its order and by its names.

const UPDATE = { header: 208, signed: 144 };
const REFUSALS = {
  CONFIG: "updateConfig", FORMAT: "updateFormat", KEY: "updateKey", SIGNATURE: "updateSignature", MODEL: "updateModel",
  NETWORK: "updateNetwork", VERSION: "updateVersion", SPACE: "updateSpace", DAMAGED: "updateDamaged",
};

/** Return the error of an update that is refused: a word of the page, and what was received and expected. */
function refusal(status, what) {
  return Object.assign(new Error(REFUSALS[status]), { detail: `ERROR_${status}: ${what}` });
}

function isUpdate({ name }) {
  return name.toLowerCase().endsWith(".squ");
}

function hexadecimal(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHexadecimal(text) {
  return Uint8Array.from(text.match(/../g), (digits) => parseInt(digits, 16));
}

async function isSigned(key, signature, message) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) throw new Error("updateInsecure");
  try {
    const known = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return await subtle.verify({ name: "Ed25519" }, known, signature, message);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new Error("updateOldBrowser", { cause: error });
    throw error;
  }
}

// bytes: Uint8Array, a whole .squ; trust: {model, version, keys, network, room} or null; running: {version, sha256} that an
// update of this page installed, or null. Returns {model, version, sha256, image}.
async function checkedUpdate(bytes, trust, running) {
  if (!trust) throw refusal("CONFIG", "there is no key");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const require = (right, status, what) => { if (!right) throw refusal(status, what); };
  require([..."SQZU"].every((letter, i) => bytes[i] === letter.charCodeAt(0)), "FORMAT", "no update");
  require(bytes.length >= UPDATE.header, "FORMAT", `it ends after ${bytes.length} bytes`);
  require(view.getUint16(4, true) === 1, "FORMAT", `format ${view.getUint16(4, true)}, expected 1`);
  require(bytes[6] === 0 && bytes[7] === 1, "FORMAT", `body ${bytes[6]} and kind ${bytes[7]}, expected 0 and 1`);
  const beginning = hexadecimal(bytes.subarray(136, 144));
  const key = trust.keys.find((each) => each.startsWith(beginning));
  require(key, "KEY", `it was signed by the key ${beginning}…`);
  const signature = bytes.subarray(UPDATE.signed, UPDATE.header);
  require(await isSigned(fromHexadecimal(key), signature, bytes.subarray(0, UPDATE.signed)), "SIGNATURE", "it is not that key's");
  const model = new TextDecoder().decode(bytes.subarray(40, 56)).replace(/\0+$/, "");
  require(model === trust.model, "MODEL", `it is for ${model}, expected ${trust.model}`);
  const network = hexadecimal(bytes.subarray(8, 40));
  require(network === trust.network, "NETWORK", `network ${network.slice(0, 16)}…, expected ${trust.network.slice(0, 16)}…`);
  const version = view.getUint32(56, true);
  const sha256 = hexadecimal(bytes.subarray(72, 104));
  const before = Math.max(trust.version, running?.version ?? 0);
  const again = running && version === running.version && sha256 === running.sha256;
  require(version > before || again, "VERSION", `version ${version}, expected above ${before}`);
  const size = view.getUint32(60, true);
  require(size <= trust.room, "SPACE", `${size} bytes, expected at most ${trust.room}`);
  require(view.getUint32(64, true) === size, "FORMAT", "a body of another size than the result");
  const image = bytes.slice(UPDATE.header);
  require(image.length === size, "DAMAGED", `${image.length} bytes, expected ${size}`);
  const found = hexadecimal(new Uint8Array(await crypto.subtle.digest("SHA-256", image)));
  require(found === sha256, "DAMAGED", "another SHA-256 than was signed");
  return { model, version, sha256, image };
}

/** Return the labels that an image carries, null if none. */
function labelsOf(image) {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const [at, size] = [view.getUint32(52, true), view.getUint32(56, true)];
  if (!at || at + size > image.length) return null;
  return new TextDecoder().decode(image.subarray(at, at + size)).replace(/\n$/, "").split("\n");
}
