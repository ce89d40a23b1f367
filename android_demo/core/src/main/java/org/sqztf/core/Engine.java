package org.sqztf.core;

import java.nio.ByteBuffer;

/** Something that runs a model: {@link FastEngine} or {@link ExactEngine} in the app, another runtime in tests. */
public interface Engine {

    /** The engine failed; other errors are of the picture, not of the model. */
    final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Failure(RuntimeException cause) {
            super(Errors.said(cause), cause);
        }
    }

    /**
     * Run the model once.
     *
     * @param input direct, as many bytes as the model's input; read from its start
     * @param output direct, one byte for each class; written from its start
     */
    void run(ByteBuffer input, ByteBuffer output);

    /** Tell whether these are the fast kernels, whose rounding is XNNPACK's; otherwise the bytes are the reference's. */
    boolean fast();

    /** Free what the engine holds; it cannot be used afterwards. */
    void close();
}
