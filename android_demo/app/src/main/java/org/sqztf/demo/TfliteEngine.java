package org.sqztf.demo;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.sqztf.core.Engine;
import org.tensorflow.lite.Interpreter;

/** Runs a model with TFLite's interpreter, the same class in LiteRT. */
final class TfliteEngine implements Engine {
    private final Interpreter interpreter;

    /**
     * Load a model.
     *
     * @param model the whole file
     * @param fast let XNNPACK compute, whose rounding is its own; otherwise TFLite's kernels do
     */
    TfliteEngine(byte[] model, int threads, boolean fast) {
        ByteBuffer file = ByteBuffer.allocateDirect(model.length).order(ByteOrder.nativeOrder());
        file.put(model).rewind();
        Interpreter.Options options = new Interpreter.Options();
        options.setNumThreads(threads);
        options.setUseXNNPACK(fast);
        interpreter = new Interpreter(file, options);
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) {
        interpreter.run(input, output);
    }

    @Override
    public void close() {
        interpreter.close();
    }
}
