"""The code that the app's README tells others to copy, run here on pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from android_demo.tools import build, java, jvm, process

ECHO = """package org.tensorflow.lite;
import java.nio.*;

/** A model whose scores are its input; takes buffers as TFLite's class does. */
public class Interpreter {
    public static class Options {
        public Options setUseXNNPACK(boolean on) { return this; }
        public Options setNumThreads(int count) { return this; }
    }

    private ByteBuffer tensor;

    public Interpreter(ByteBuffer model, Options options) {
        if (!model.isDirect() || model.order() != ByteOrder.nativeOrder()) throw new IllegalArgumentException();
    }

    public void run(Object input, Object output) {
        ByteBuffer in = (ByteBuffer) input;
        if (tensor == null) tensor = ByteBuffer.allocateDirect(in.capacity());
        tensor.clear();
        if (in.order() != ByteOrder.nativeOrder()) {
            tensor.put(in); // from its position on, and leaves it at the end
        } else {
            ByteBuffer whole = in.duplicate();
            whole.clear();
            tensor.put(whole);
        }
        tensor.clear();
        ((ByteBuffer) output).put(tensor);
    }
}
"""
PACKAGES = """package org.tensorflow.lite;
import java.nio.*;
import org.sqztf.core.*;

/** TFLite as the package has it, behind the names of TFLite's class; takes buffers as that does. */
public class Interpreter {
    public static class Options {
        private boolean xnnpack;
        private int threads;
        public Options setUseXNNPACK(boolean on) { xnnpack = on; return this; }
        public Options setNumThreads(int count) { threads = count; return this; }
    }

    private final FastEngine engine;
    private final SqzModel described;

    public Interpreter(ByteBuffer model, Options options) throws Exception {
        if (!model.isDirect() || model.order() != ByteOrder.nativeOrder()) throw new IllegalArgumentException();
        if (!options.xnnpack) throw new IllegalArgumentException("the package has XNNPACK only");
        byte[] file = new byte[model.remaining()];
        model.duplicate().get(file);
        described = new SqzModel(file);
        engine = new FastEngine(file, described, options.threads);
    }

    public void run(Object input, Object output) {
        ByteBuffer whole = ((ByteBuffer) input).duplicate();
        whole.clear();
        ByteBuffer tensor = ByteBuffer.allocateDirect(described.output.bytes()).order(ByteOrder.nativeOrder());
        engine.run(whole, tensor);
        tensor.rewind();
        ((ByteBuffer) output).put(tensor);
    }
}
"""
BITMAP = """package android.graphics;

/** Pixels in memory. */
public class Bitmap {
    private final int width;
    private final int[] argb;
    public Bitmap(int width, int[] argb) { this.width = width; this.argb = argb; }
    public int getWidth() { return width; }
    public int getHeight() { return argb.length / width; }
    public void getPixels(int[] to, int at, int stride, int x, int y, int width, int height) {
        for (int row = 0; row < height; row++) {
            System.arraycopy(argb, (y + row) * this.width + x, to, at + row * stride, width);
        }
    }
}
"""
README = """import android.graphics.Bitmap;
import java.nio.*;
import java.nio.file.*;
import org.sqztf.core.*;
import org.tensorflow.lite.Interpreter;

class Readme {
    static byte[] readAsset(String name) throws Exception { return Files.readAllBytes(Paths.get(name)); }
    static void show(int index, String label, float probability) { System.out.print(index + " " + probability + " "); }

    static void all(Bitmap[] bitmaps, int exifOrientation) throws Exception {
        %s
        for (Bitmap bitmap : bitmaps) {
            %s
            System.out.println();
        }
    }
}
"""
START = """import android.graphics.Bitmap;
import java.nio.*;
import java.nio.file.*;

/** Reads width, height and pixels 0xAARRGGBB of each picture, big endian. */
class Start {
    public static void main(String[] arguments) throws Exception {
        IntBuffer all = ByteBuffer.wrap(Files.readAllBytes(Paths.get("pictures"))).asIntBuffer();
        Bitmap[] bitmaps = new Bitmap[Integer.parseInt(arguments[0])];
        for (int i = 0; i < bitmaps.length; i++) {
            int width = all.get();
            int[] argb = new int[width * all.get()];
            all.get(argb);
            bitmaps[i] = new Bitmap(width, argb);
        }
        Readme.all(bitmaps, 1);
    }
}
"""


def code() -> str:
    """Return the README's two pieces of code as a class: the second for every picture."""
    once, each = re.findall("```java\n(.*?)```", (build.DEMO / "README.md").read_text("utf-8"), re.S)
    return README % (once, each)


def two_files() -> list[Path]:
    """Return the two files that are to be copied."""
    return [jvm.CORE / "java" / "org" / "sqztf" / "core" / name for name in ("SqzModel.java", "SqzPicture.java")]


def answers(
    model: bytes, pictures: Sequence[np.ndarray], folder: Path, core: Path | None = None, libraries: Path | None = None
) -> list[list[tuple[int, float]]]:
    """Run the README's code.

    Args:
      model: the bytes of a `.tflite`.
      pictures: upright, uint8 [h, w, 3].
      folder: where files may be written.
      core: class files of the app's core, to run the model with the package's libraries; without, scores are the input.
      libraries: folder of those libraries.

    Returns:
      for each picture, class and probability of its answers, best first.
    """
    sources = {"Readme": code(), "Interpreter": PACKAGES if core else ECHO, "Bitmap": BITMAP, "Start": START}
    files = [folder / f"{name}.java" for name in sources]
    for path, text in zip(files, sources.values(), strict=True):
        path.write_text(text)
    classes = java.compile_java([*files, *two_files()], [core] if core else [], folder / "classes")
    (folder / "model_int8.tflite").write_bytes(model)
    (folder / "pictures").write_bytes(b"".join(map(_argb, pictures)))
    classpath = os.pathsep.join(map(str, [classes, *([core] if core else [])]))
    options = [f"-Djava.library.path={libraries}"] if libraries else []
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)} if libraries else None
    shown = process.run(
        "java", *jvm.OPTIONS, *options, "-cp", classpath, "Start", str(len(pictures)), cwd=folder, env=environment
    )
    return [[(int(a), float(b)) for a, b in re.findall(r"(\S+) (\S+) ", line)] for line in shown.splitlines()]


def _argb(picture: np.ndarray) -> bytes:
    height, width, _ = picture.shape
    red, green, blue = (picture[..., channel].astype(">u4") for channel in range(3))
    return (
        np.array([width, height], ">u4").tobytes()
        + (0xFF << 24 | red << 16 | green << 8 | blue).astype(">u4").tobytes()
    )
