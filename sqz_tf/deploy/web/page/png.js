// PNG files to the very pixels they hold. Browsers premultiply alpha, apply colour profiles and cut 16 bits, each in its way.

// By colour type.
const PNG_CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PNG_DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const PNG_PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

// Milliseconds after which the browser may draw and listen.
const WORK = 30;

/** Return a function to wait for now and then in long work: it lets the browser do its own. */
function pauses() {
  // Browsers hold back timers of hidden pages.
  const { port1: inside, port2: outside } = new MessageChannel();
  let since = performance.now();
  return async () => {
    if (performance.now() - since < WORK) return;
    await new Promise((go) => { inside.onmessage = go; outside.postMessage(0); });
    since = performance.now();
  };
}

/** Return room for so many bytes, which a browser may not have. */
function room(bytes) {
  try { return new Uint8Array(bytes); } catch { throw new Error("tooLarge"); }
}

/** Decode a PNG (Uint8Array): alpha on white, deep grey rounded, the high byte of deep colours, upright. */
async function decodePng(bytes) {
  const pause = pauses();
  const png = await pngChunks(bytes, pause);
  const rows = await inflate(png.data, pngPasses(png).reduce((sum, pass) => sum + pass.rows * (1 + pass.bytes), 0), pause);
  const rgba = room(4 * png.width * png.height);
  let place = 0;
  for (const pass of pngPasses(png)) {
    for (let row = 0; row < pass.rows; row++) {
      await pause();
      const start = place + row * (1 + pass.bytes) + 1;
      unfilter(rows, start, row, pass.bytes, Math.max(1, (png.depth * png.channels) >> 3));
      pngRow(png, rows.subarray(start, start + pass.bytes), pass, pass.top + row * pass.down, rgba);
    }
    place += pass.rows * (1 + pass.bytes);
  }
  return upright({ rgba, width: png.width, height: png.height }, png.orientation, pause);
}

/** Return what the chunks say; each is checked by its CRC. A file may end behind its pixels, as Pillow has it. */
async function pngChunks(bytes, pause) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const png = { data: [], palette: new Uint8Array(0), clear: null, orientation: 1 };
  for (let at = 8, name = ""; name !== "IEND" && at + 8 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    const checked = end + 4 <= bytes.length;
    if (end > bytes.length || (checked && (await crc(bytes.subarray(at + 4, end), pause)) !== view.getUint32(end))) throw new Error("corrupt");
    name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if ((name === "IHDR") !== (at === 8)) throw new Error("corrupt");
    pngChunk(png, name, bytes.subarray(at + 8, end));
    at = end + 4;
  }
  if (!png.channels || !png.data.length) throw new Error("corrupt");
  return png;
}

function pngChunk(png, name, body) {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  if (name === "IHDR") {
    Object.assign(png, { width: view.getUint32(0), height: view.getUint32(4), depth: body[8], type: body[9], interlaced: body[12] });
    if (!PNG_DEPTHS[png.type]?.includes(png.depth)) throw new Error("corrupt");
    png.channels = PNG_CHANNELS[png.type];
  } else if (name === "PLTE") png.palette = body;
  else if (name === "tRNS" && !(png.type === 0 && png.depth === 16)) png.clear = png.type === 3 ? body : Array.from({ length: body.length >> 1 }, (_, i) => view.getUint16(2 * i));
  else if (name === "eXIf") png.orientation = exifOrientation(view);
  else if (name === "IDAT") png.data.push(body);
}

async function crc(bytes, pause) {
  let value = -1;
  for (let i = 0; i < bytes.length; i++) {
    value = CRC_TABLE[(value ^ bytes[i]) & 255] ^ (value >>> 8);
    if (!(i & 0xfffff)) await pause();
  }
  return ~value >>> 0;
}

/** Return the first `size` bytes of a zlib stream given in parts; it may hold more, but no less. */
async function inflate(parts, size, pause) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const bytes = room(size);
  for (let filled = 0; filled < size; ) {
    await pause();
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) throw new Error("corrupt");
    bytes.set(value.subarray(0, size - filled), filled);
    filled += value.length;
  }
  reader.cancel().catch(() => {});
  return bytes;
}

/** Return the passes of a PNG that hold pixels: one, or up to seven if it is interlaced. */
function pngPasses({ width, height, depth, channels, interlaced }) {
  const passes = interlaced ? PNG_PASSES : [[0, 0, 1, 1]];
  return passes.map(([left, top, right, down]) => {
    const columns = Math.ceil((width - left) / right);
    return { left, top, right, down, columns, rows: Math.ceil((height - top) / down), bytes: Math.ceil((columns * depth * channels) / 8) };
  }).filter((pass) => pass.columns > 0 && pass.rows > 0);
}

/** Undo the filter of a row of so many bytes, in place; `step` is the distance of a byte's left neighbour. */
function unfilter(bytes, first, row, length, step) {
  const stride = length + 1;
  const filter = bytes[first - 1];
  if (filter > 4) throw new Error("corrupt");
  for (let at = first; filter && at < first + length; at++) {
    const left = at < first + step ? 0 : bytes[at - step];
    const up = row ? bytes[at - stride] : 0;
    if (filter === 1) bytes[at] += left;
    else if (filter === 2) bytes[at] += up;
    else if (filter === 3) bytes[at] += (left + up) >> 1;
    else bytes[at] += paeth(left, up, row && at >= first + step ? bytes[at - stride - step] : 0);
  }
}

function paeth(left, up, corner) {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}

/** Write one row of a pass into the pixels of the picture. The clear colour is compared with 8 bits, as Pillow does. */
function pngRow({ width, depth, type, channels, palette, clear }, bytes, pass, y, rgba) {
  const most = (1 << depth) - 1;
  const stored = (i) => depth === 8 ? bytes[i] : depth === 16 ? (bytes[2 * i] << 8) | bytes[2 * i + 1]
    : (bytes[(i * depth) >> 3] >> (8 - depth - ((i * depth) & 7))) & most;
  const eight = (value) => depth === 8 ? value : depth === 16 ? value >> 8 : (value * 255) / most;
  const colour = type & 2;
  for (let column = 0; column < pass.columns; column++) {
    const i = column * channels;
    const to = 4 * (y * width + pass.left + column * pass.right);
    const first = stored(i);
    let alpha = 255;
    if (type > 3) alpha = eight(stored(i + channels - 1));
    else if (type === 3) alpha = clear?.[first] ?? 255;
    else if (clear && eight(first) === clear[0] && (!colour || (eight(stored(i + 1)) === clear[1] && eight(stored(i + 2)) === clear[2]))) alpha = 0;
    for (let channel = 0; channel < 3; channel++) {
      const value = type === 3 ? palette[3 * first + channel] ?? 0 : colour ? eight(stored(i + channel))
        : type === 0 && depth === 16 ? Math.floor(first / 257 + 0.5) : eight(first);
      rgba[to + channel] = onWhite(value, alpha);
    }
    rgba[to + 3] = 255;
  }
}

/** Lay a value on white, rounded as Pillow's `alpha_composite` does. */
function onWhite(value, alpha) {
  const sum = 128 * (value * alpha + 255 * (255 - alpha)) + 16384;
  return ((sum >> 8) + sum) >> 15;
}

/** Return the orientation, 1 to 8, that a TIFF header with EXIF tags (DataView) names. */
function exifOrientation(view) {
  try {
    const little = view.getUint16(0) === 0x4949;
    const start = view.getUint32(4, little);
    for (let i = 0; i < view.getUint16(start, little); i++) {
      const entry = start + 2 + 12 * i;
      const value = view.getUint16(entry + 8, little);
      if (view.getUint16(entry, little) === 0x112) return value >= 1 && value <= 8 ? value : 1;
    }
  } catch { /* a garbled block says nothing about the pixels */ }
  return 1;
}

/** Return a picture turned and mirrored as its EXIF orientation asks. */
async function upright(picture, orientation, pause) {
  if (orientation === 1) return picture;
  const { width, height } = picture;
  const turned = orientation >= 5;
  const [wide, high] = turned ? [height, width] : [width, height];
  const from = new Uint32Array(picture.rgba.buffer);
  const to = new Uint32Array(room(4 * width * height).buffer);
  // Seen from the file's rows.
  const [left, up] = [[2, 3, 7, 8].includes(orientation), [3, 4, 6, 7].includes(orientation)];
  for (let y = 0; y < high; y++) {
    await pause();
    for (let x = 0; x < wide; x++) {
      const [column, row] = turned ? [y, x] : [x, y];
      to[y * wide + x] = from[(up ? height - 1 - row : row) * width + (left ? width - 1 - column : column)];
    }
  }
  return { rgba: new Uint8Array(to.buffer), width: wide, height: high };
}
