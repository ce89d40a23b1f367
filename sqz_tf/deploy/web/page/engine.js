// The compiled network: the C of `sqz_tf.compile` as WebAssembly, with SIMD where the browser has it.

async function inflated(base64) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function parted(bytes, lengths) {
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}

// embedded.wasm: {packed: base64 of deflate of modules and weights, lengths, at: where weights belong, in the order
// simd, plain; arena, scale, zeroPoint}.
async function loadEngine(embedded) {
  if (typeof WebAssembly !== "object") throw new Error("noWebAssembly");
  if (typeof DecompressionStream !== "function") throw new Error("oldBrowser");
  const { packed, lengths, at, arena, scale, zeroPoint } = embedded.wasm;
  const [fast, plain, weights] = parted(await inflated(packed), lengths);
  const simd = WebAssembly.validate(fast);
  let instance;
  try {
    ({ instance } = await WebAssembly.instantiate(simd ? fast : plain));
  } catch (error) {
    throw new Error("noWebAssembly", { cause: error });
  }
  const native = instance.exports;
  const bytes = (from, length) => new Uint8Array(native.memory.buffer, from, length);
  bytes(at[simd ? 0 : 1], weights.length).set(weights);

  const { width, height, channels } = embedded.input;
  const require = (status) => {
    if (status) throw new Error("tooLarge");
  };
  const invoke = () => {
    const view = bytes(native.input_at(), width * height * channels).map((value) => value ^ 0x80);
    const start = performance.now();
    require(native.invoke());
    const milliseconds = performance.now() - start;
    const scores = new Int8Array(native.memory.buffer, native.output_at(), embedded.labels.length).slice();
    return { scores, milliseconds, view };
  };
  return {
    width,
    height,
    channels,
    scale,
    zeroPoint,
    simd,
    labels: embedded.labels,
    arenaBytes: arena,
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
