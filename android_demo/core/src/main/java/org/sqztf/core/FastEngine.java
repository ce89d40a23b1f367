package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * TFLite with XNNPACK, for any model: what {@code sqz_tf.classify} runs.
 *
 * <p>Its scores differ from the reference kernels' by its rounding, and from one processor to another by 1/256 at most.
 */
public final class FastEngine implements Engine {
    /** Why there is none in this process; empty where there is. */
    public static final String FAULT = Libraries.load("sqz_fast");

    private final ByteBuffer file; // TFLite reads from it
    private long handle;

    /**
     * Load a model.
     *
     * @param model the whole file
     * @param described what it says of itself
     * @param threads how many compute at once, the caller's among them
     */
    public FastEngine(byte[] model, SqzModel described, int threads) {
        Libraries.require(FAULT);
        file = ByteBuffer.allocateDirect(model.length).order(ByteOrder.nativeOrder());
        file.put(model).rewind();
        handle = open(file, model.length, threads, described.input.bytes(), described.output.bytes());
    }

    @Override
    public boolean fast() {
        return true;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) {
        if (handle == 0) {
            throw new IllegalStateException("the engine is closed");
        }
        run(handle, input, output);
    }

    @Override
    public void close() {
        if (handle != 0) {
            close(handle);
            handle = 0;
        }
    }

    private static native long open(ByteBuffer file, long bytes, int threads, long inputBytes, long outputBytes);

    private static native void run(long handle, ByteBuffer input, ByteBuffer output);

    private static native void close(long handle);
}
