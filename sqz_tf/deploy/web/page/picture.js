// Picture files to pixels, as `sqz_tf.images.decode` gives them: upright, on white, without colour profiles.

// Pixels, 256 MB: a phone's picture of 50 megapixels fits.
const LARGEST = 64e6;
// Pixels of a side: what `sqz_image.c` takes.
const LONGEST = 16383;
// Bytes in which a header ends.
const HEAD = 1 << 20;
// Pixels drawn at a time: some browsers leave larger canvases empty.
const STRIP = 1 << 20;

/** Decode a picture (Blob) to {rgba: Uint8Array [height, width, 4], width, height}; alpha is 255. Errors are keys of words. */
async function decodePicture(blob) {
  if (!blob.size) throw new Error("emptyFile");
  const head = new Uint8Array(await blob.slice(0, HEAD).arrayBuffer());
  const kind = pictureKind(head);
  const size = kind && safely(() => pictureSize(kind, head));
  if (size) refuseSize(...size);
  if (kind === "png") return decodePng(new Uint8Array(await blob.arrayBuffer())).catch((error) => { throw new Error(error.message === "tooLarge" ? "tooLarge" : "corrupt"); });
  if (kind && !(await isWhole(kind, head, blob))) throw new Error("corrupt");
  return drawn(await bitmapOf(blob, kind));
}

function refuseSize(width, height) {
  if (!width || !height) throw new Error("corrupt");
  if (width * height > LARGEST || Math.max(width, height) > LONGEST) throw new Error("tooLarge");
}

async function bitmapOf(blob, kind) {
  try {
    // Upright is what all browsers give unasked.
    return await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(kind ? "corrupt" : "notPicture");
  }
}

/** Return the pixels of a bitmap on white, read in strips. */
async function drawn(bitmap) {
  const { width, height } = bitmap;
  const pause = pauses();
  try {
    refuseSize(width, height);
    const rgba = room(4 * width * height);
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = Math.max(1, Math.min(height, Math.floor(STRIP / width)));
    const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    for (let top = 0; top < height; top += canvas.height) {
      await pause();
      const rows = Math.min(canvas.height, height - top);
      context.fillStyle = "#fff";
      context.fillRect(0, 0, width, rows);
      context.drawImage(bitmap, 0, -top);
      rgba.set(context.getImageData(0, 0, width, rows).data, 4 * width * top);
    }
    return { rgba, width, height };
  } finally {
    bitmap.close();
  }
}

function safely(read) {
  try { return read(); } catch { return null; }
}

/** Name the format of a file by its first bytes: "png", "jpeg", "gif", "bmp", "webp" or "" for others. */
function pictureKind(head) {
  const text = String.fromCharCode(...head.subarray(0, 12));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (/^GIF8[79]a/.test(text)) return "gif";
  if (/^RIFF....WEBP/s.test(text)) return "webp";
  return text.startsWith("BM") ? "bmp" : "";
}

/** Return [width, height] as the header tells, or null; throws where it ends too early. */
function pictureSize(kind, head) {
  const view = new DataView(head.buffer);
  const three = (at) => view.getUint16(at, true) | (head[at + 2] << 16);
  if (kind === "png") return view.getUint32(12) === 0x49484452 ? [view.getUint32(16), view.getUint32(20)] : null; // IHDR
  if (kind === "gif") return [view.getUint16(6, true), view.getUint16(8, true)];
  if (kind === "bmp" && view.getUint32(14, true) === 12) return [view.getUint16(18, true), view.getUint16(20, true)];
  if (kind === "bmp") return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
  if (kind === "jpeg") return jpegSegment(view, (mark) => mark >= 0xc0 && mark <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(mark),
    (at) => [view.getUint16(at + 7), view.getUint16(at + 5)]);
  if (head[15] === 0x58) return [three(24) + 1, three(27) + 1]; // VP8X
  if (head[15] === 0x4c) return [(view.getUint32(21, true) & 0x3fff) + 1, ((view.getUint32(21, true) >> 14) & 0x3fff) + 1]; // VP8L
  return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff]; // VP8
}

/** Return what `read` makes of the first segment of a JPEG whose marker is `wanted`. */
function jpegSegment(view, wanted, read) {
  for (let at = 2; view.getUint8(at) === 0xff; ) {
    const mark = view.getUint8(at + 1);
    if (mark === 0xff) at += 1;
    else if (wanted(mark)) return read(at);
    else at += 2 + view.getUint16(at + 2);
  }
  return null;
}

/** Say whether a file seems to reach its end: browsers draw what there is of one that was cut off. */
async function isWhole(kind, head, blob) {
  if (kind === "webp") return new DataView(head.buffer).getUint32(4, true) + 8 <= blob.size;
  if (kind !== "jpeg" && kind !== "gif") return true;
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (kind === "gif") return bytes.lastIndexOf(0x3b) > 12;
  const scan = safely(() => jpegSegment(new DataView(bytes.buffer), (mark) => mark === 0xda, (at) => at)) ?? bytes.length;
  for (let at = bytes.length - 2; at > scan; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}
