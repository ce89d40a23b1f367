// The compiled network: the C of `sqz_tf.compile` as WebAssembly, with SIMD where the browser has it.

// Milliseconds that inferences are repeated for at least: browsers' clocks are coarse.
const TIMED = 3;
// Milliseconds that a browser is given at most to compile well what it runs often.
const WARM = 200;
// The share by which two times may differ once it has.
const ALIKE = 0.1;

const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

// Base 85 as Python writes it, with "," for "<"; every five letters are four bytes, the highest first.
function bytesOf(text, length) {
  const values = new Uint8Array(128);
  [...LETTERS].forEach((letter, value) => (values[letter.charCodeAt(0)] = value));
  const bytes = new DataView(new ArrayBuffer((text.length / 5) * 4));
  for (let at = 0; at < text.length; at += 5) {
    let word = 0;
    for (let i = at; i < at + 5; ++i) word = 85 * word + values[text.charCodeAt(i)];
    bytes.setUint32((at / 5) * 4, word);
  }
  return new Uint8Array(bytes.buffer, 0, length);
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function parted(bytes, lengths) {
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}

// embedded.wasm: {packed: base 85 of deflated modules and weights, bytes, lengths, at: where weights belong, in the
// order simd, plain; arena; outputs: how many scores there are; scale, zeroPoint; probabilities: whether scores are chances}.
async function loadEngine(embedded) {
  if (typeof WebAssembly !== "object") throw new Error("noWebAssembly");
  if (typeof DecompressionStream !== "function") throw new Error("oldBrowser");
  const { packed, bytes: size, lengths, at, arena, outputs, scale, zeroPoint, probabilities } = embedded.wasm;
  const [fast, plain, weights] = parted(await inflated(bytesOf(packed, size)), lengths);
  const simd = WebAssembly.validate(fast);
  let instance;
  try {
    ({ instance } = await WebAssembly.instantiate(simd ? fast : plain));
  } catch (error) {
    throw new Error("noWebAssembly", { cause: error });
  }
  const native = instance.exports;
  const bytes = (from, length) => new Uint8Array(native.memory.buffer, from, length);
  // Of a program with a slot: run this image from now on, unless the chip's own test of it says no.
  const opened = (image) => {
    bytes(native.slot_at(), image.length).set(image);
    return native.open_slot(image.length) === 0;
  };
  let running = weights;
  if (!embedded.updates) bytes(at[simd ? 0 : 1], weights.length).set(weights);
  else if (!opened(weights)) throw new Error("updateFailed");

  const { width, height, channels } = embedded.input;
  const require = (status) => {
    if (status) throw new Error("tooLarge");
  };
  const timed = () => {
    const start = performance.now();
    let runs = 0;
    let taken = 0;
    do {
      require(native.invoke());
      ++runs;
      taken = performance.now() - start;
    } while (taken < TIMED);
    return taken / runs;
  };
  const begun = performance.now();
  for (let last = [timed()]; performance.now() - begun < WARM; last = [timed(), ...last]) {
    if (last.length > 2 && Math.abs(last[0] - last[1]) < ALIKE * last[0]) break;
  }
  const invoke = () => {
    const view = bytes(native.input_at(), width * height * channels).map((value) => value ^ 0x80);
    const milliseconds = timed();
    const scores = new Int8Array(native.memory.buffer, native.output_at(), outputs).slice();
    return { scores, milliseconds, view };
  };
  return {
    width,
    height,
    channels,
    scale,
    zeroPoint,
    probabilities,
    simd,
    labels: embedded.labels,
    arenaBytes: arena,
    // image: Uint8Array, what an update brings; one that cannot run leaves the one before.
    install(image) {
      if (!opened(image)) {
        opened(running);
        throw new Error("updateFailed");
      }
      running = image;
      [this.scale, this.zeroPoint] = [native.output_scale(), native.output_zero_point()];
      this.probabilities = this.scale === 1 / 256 && this.zeroPoint === -128;
    },
    // rgba: Uint8Array [height, width, 4], the network's own input, as test pictures are; its alpha is left out.
    classifyInput(rgba) {
      const input = bytes(native.input_at(), width * height * channels);
      for (let i = 0; i < input.length; ++i) {
        input[i] = rgba[4 * Math.floor(i / channels) + (i % channels)] ^ 0x80;
      }
      return invoke();
    },
    // rgba: Uint8Array [pictureHeight, pictureWidth, 4]; its alpha is left out.
    classify(rgba, pictureWidth, pictureHeight) {
      require(native.begin(pictureWidth, pictureHeight));
      const row = bytes(native.rgba_row(), 4 * pictureWidth);
      for (let y = 0; y < pictureHeight; ++y) {
        row.set(rgba.subarray(4 * pictureWidth * y, 4 * pictureWidth * (y + 1)));
        require(native.row());
      }
      return invoke();
    },
  };
}
