package org.sqztf.core;

import java.nio.ByteBuffer;

/** Something that runs a model: TFLite on the phone, another runtime in tests. */
public interface Engine {
    /**
     * Run the model once.
     *
     * @param input direct, as many bytes as the model's input; read from its start
     * @param output direct, one byte for each class; written from its start
     */
    void run(ByteBuffer input, ByteBuffer output);

    /** Free what the engine holds; it cannot be used afterwards. */
    void close();
}
