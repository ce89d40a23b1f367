// Stands for the compiled network: a label's score falls with its distance from the mean brightness.
async function loadEngine(embedded) {
  if (typeof WebAssembly !== "object") throw new Error("noWebAssembly");
  const { width, height, channels } = embedded.input;
  const { labels } = embedded;
  const { probabilities = true } = embedded.wasm ?? {};
  let up = 0; // by how many labels an update answers higher: the byte behind its image's magic, 0 for one that cannot run
  const view = new Uint8Array(width * height * channels);
  function answer() {
    const mean = view.reduce((sum, value) => sum + value, 0) / view.length;
    const weights = labels.map((_, i) => 2 ** (-Math.abs((mean * labels.length) / 256 - 0.5 - i + up) * 2));
    const sum = weights.reduce((all, weight) => all + weight, 0);
    if (!probabilities) return { scores: Int8Array.from(weights, (weight) => Math.round(100 * weight) - 50), milliseconds: 1.234, view };
    const scores = Int8Array.from(weights, (weight) => Math.min(127, Math.round((256 * weight) / sum) - 128));
    return { scores, milliseconds: 1.234, view };
  }
  function classify(rgba, pictureWidth, pictureHeight) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = 4 * (Math.floor((y * pictureHeight) / height) * pictureWidth + Math.floor((x * pictureWidth) / width));
        for (let channel = 0; channel < channels; channel++) view[(y * width + x) * channels + channel] = rgba[from + channel];
      }
    }
    return answer();
  }
  return {
    width, height, channels, labels, classify, probabilities, arenaBytes: 18840, simd: true,
    ...(probabilities ? { scale: 1 / 256, zeroPoint: -128 } : { scale: 0.1, zeroPoint: 20 }),
    install(image) {
      if (!image[4]) throw new Error("updateFailed");
      up = image[4];
    },
    classifyInput: (rgba) => classify(rgba, width, height),
  };
}
