// PNG files to the very pixels they hold. Browsers premultiply alpha, apply colour profiles and cut 16 bits, each in its way.

const PNG_CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // by colour type
const PNG_DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const PNG_PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** Decode a PNG (Uint8Array): alpha on white, deep grey rounded, the high byte of deep colours, upright. */
async function decodePng(bytes) {
  const png = pngChunks(bytes);
  const rows = await inflate(png.data, pngPasses(png).reduce((sum, pass) => sum + pass.rows * (1 + pass.bytes), 0));
  const rgba = new Uint8Array(4 * png.width * png.height);
  let place = 0;
  for (const pass of pngPasses(png)) {
    unfilter(rows, place, pass, Math.max(1, (png.depth * png.channels) >> 3));
    for (let row = 0; row < pass.rows; row++) {
      const start = place + row * (1 + pass.bytes) + 1;
      pngRow(png, rows.subarray(start, start + pass.bytes), pass, pass.top + row * pass.down, rgba);
    }
    place += pass.rows * (1 + pass.bytes);
  }
  return upright({ rgba, width: png.width, height: png.height }, png.orientation);
}

/** Return what the chunks say; each is checked by its CRC. */
function pngChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const png = { data: [], palette: new Uint8Array(0), clear: null, orientation: 1 };
  for (let at = 8, name = ""; name !== "IEND"; ) {
    if (at + 12 > bytes.length) throw new Error("corrupt");
    const size = view.getUint32(at);
    if (at + 12 + size > bytes.length || crc(bytes.subarray(at + 4, at + 8 + size)) !== view.getUint32(at + 8 + size)) throw new Error("corrupt");
    name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    pngChunk(png, name, bytes.subarray(at + 8, at + 8 + size));
    at += 12 + size;
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
  else if (name === "tRNS") png.clear = png.type === 3 ? body : Array.from({ length: body.length >> 1 }, (_, i) => view.getUint16(2 * i));
  else if (name === "eXIf") png.orientation = exifOrientation(view);
  else if (name === "IDAT") png.data.push(body);
}

function crc(bytes) {
  let value = -1;
  for (let i = 0; i < bytes.length; i++) value = CRC_TABLE[(value ^ bytes[i]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/** Return the first `size` bytes of a zlib stream given in parts; it may hold more, but no less. */
async function inflate(parts, size) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const bytes = new Uint8Array(size);
  for (let filled = 0; filled < size; ) {
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

/** Undo the filter of every row of a pass, in place; `step` is the distance of a byte's left neighbour. */
function unfilter(bytes, place, pass, step) {
  const stride = pass.bytes + 1;
  for (let row = 0; row < pass.rows; row++) {
    const filter = bytes[place + row * stride];
    const first = place + row * stride + 1;
    if (filter > 4) throw new Error("corrupt");
    if (!filter) continue;
    for (let i = 0; i < pass.bytes; i++) {
      const left = i < step ? 0 : bytes[first + i - step];
      const up = row ? bytes[first + i - stride] : 0;
      const corner = row && i >= step ? bytes[first + i - stride - step] : 0;
      bytes[first + i] += [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
    }
  }
}

function paeth(left, up, corner) {
  const [l, u, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return l <= u && l <= c ? left : u <= c ? up : corner;
}

/** Write one row of a pass into the pixels of the picture. */
function pngRow({ width, depth, type, channels, palette, clear }, bytes, pass, y, rgba) {
  const stored = (i) => depth === 8 ? bytes[i] : depth === 16 ? (bytes[2 * i] << 8) | bytes[2 * i + 1]
    : (bytes[(i * depth) >> 3] >> (8 - depth - ((i * depth) & 7))) & ((1 << depth) - 1);
  const eight = depth < 8 ? (value) => (value * 255) / ((1 << depth) - 1) : depth === 8 ? (value) => value : (value) => value >> 8;
  for (let column = 0; column < pass.columns; column++) {
    const i = column * channels;
    const to = 4 * (y * width + pass.left + column * pass.right);
    let [red, green, blue] = [stored(i), 0, 0];
    let alpha = 255;
    if (type === 3) {
      alpha = clear && red < clear.length ? clear[red] : 255;
      [red, green, blue] = [palette[3 * red] ?? 0, palette[3 * red + 1] ?? 0, palette[3 * red + 2] ?? 0];
    } else if (type & 2) {
      [green, blue] = [stored(i + 1), stored(i + 2)];
      if (clear && red === clear[0] && green === clear[1] && blue === clear[2]) alpha = 0;
      if (type === 6) alpha = eight(stored(i + 3));
      [red, green, blue] = [eight(red), eight(green), eight(blue)];
    } else {
      if (type === 4) alpha = eight(stored(i + 1));
      else if (clear && depth < 16 && red === clear[0]) alpha = 0;
      red = green = blue = depth === 16 && type === 0 ? Math.floor(red / 257 + 0.5) : eight(red);
    }
    rgba[to] = onWhite(red, alpha);
    rgba[to + 1] = onWhite(green, alpha);
    rgba[to + 2] = onWhite(blue, alpha);
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
function upright(picture, orientation) {
  if (orientation === 1) return picture;
  const { width, height } = picture;
  const turned = orientation >= 5;
  const [wide, high] = turned ? [height, width] : [width, height];
  const from = new Uint32Array(picture.rgba.buffer);
  const to = new Uint32Array(width * height);
  const [left, up] = [[2, 3, 7, 8].includes(orientation), [3, 4, 6, 7].includes(orientation)]; // seen from the file's rows
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const [column, row] = turned ? [y, x] : [x, y];
      to[y * wide + x] = from[(up ? height - 1 - row : row) * width + (left ? width - 1 - column : column)];
    }
  }
  return { rgba: new Uint8Array(to.buffer), width: wide, height: high };
}
