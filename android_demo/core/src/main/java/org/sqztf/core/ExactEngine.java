package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A bundled model as C: the bytes that a microcontroller gives, which are those of TFLite's reference kernels.
 *
 * <p>The C is written and compiled when the package is built, so a model that is opened later has none. It runs on the
 * caller's thread alone.
 */
public final class ExactEngine implements Engine {
    /** Why there is none in this process; empty where there is. */
    public static final String FAULT = Libraries.load("sqz_exact");

    private final int model;
    private final ByteBuffer memory;

    /**
     * Take the C of a model.
     *
     * @param file the bytes of its {@code .tflite}
     * @throws IllegalStateException the package does not have it
     */
    public ExactEngine(byte[] file) {
        Libraries.require(FAULT);
        model = number(file);
        if (model < 0) {
            throw new IllegalStateException("the package has no exact kernels for this model");
        }
        memory = ByteBuffer.allocateDirect(memory(model));
    }

    /** Tell whether the package has the C of a model; {@code file} is its {@code .tflite}. */
    public static boolean has(byte[] file) {
        return FAULT.isEmpty() && number(file) >= 0;
    }

    private static int number(byte[] file) {
        byte[] sha256 = Catalog.sha256(file).getBytes(StandardCharsets.US_ASCII);
        ByteBuffer wanted = ByteBuffer.allocateDirect(sha256.length);
        wanted.put(sha256);
        return find(wanted, sha256.length);
    }

    @Override
    public boolean fast() {
        return false;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) {
        run(model, memory, input, output);
    }

    @Override
    public void close() {}

    private static native int find(ByteBuffer sha256, int bytes);

    private static native int memory(int model);

    private static native void run(int model, ByteBuffer memory, ByteBuffer input, ByteBuffer output);
}
