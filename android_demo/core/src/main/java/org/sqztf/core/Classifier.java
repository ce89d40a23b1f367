package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** A model with its engine and buffers: pixels in, answers and times out. For one thread at a time. */
public final class Classifier {

    /** The answers for one picture and what they took. */
    public static final class Result {
        public final List<SqzModel.Answer> answers;
        public final long preprocessNanos;
        public final long inferenceNanos;
        /** What reached the model: left, top, right, bottom as fractions of the upright picture's sides. */
        public final float[] seen;
        /** When it was done, in nanoseconds of {@link System#nanoTime}. */
        public final long doneNanos;

        public Result(List<SqzModel.Answer> answers, long preprocessNanos, long inferenceNanos, float[] seen,
                long doneNanos) {
            this.answers = answers;
            this.preprocessNanos = preprocessNanos;
            this.inferenceNanos = inferenceNanos;
            this.seen = seen;
            this.doneNanos = doneNanos;
        }
    }

    /** How many answers are given. */
    public static final int ANSWERS = 5;

    public final SqzModel model;
    private final Engine engine;
    private final SqzPicture picture;
    private final ByteBuffer input;
    private final ByteBuffer output;
    private final byte[] scores;

    public Classifier(SqzModel model, Engine engine) {
        this.model = model;
        this.engine = engine;
        picture = new SqzPicture(model);
        input = ByteBuffer.allocateDirect(model.input.bytes()).order(ByteOrder.nativeOrder());
        output = ByteBuffer.allocateDirect(model.output.bytes()).order(ByteOrder.nativeOrder());
        scores = new byte[model.classes()];
    }

    /**
     * Classify a picture.
     *
     * @param pixels the picture as it is stored
     * @param orientation how it must be turned, 1 to 8 as in EXIF
     * @throws Engine.Failure the engine failed
     */
    public Result classify(SqzPicture.Pixels pixels, int orientation) {
        long start = System.nanoTime();
        picture.write(pixels, orientation, input);
        long ready = System.nanoTime();
        input.rewind();
        output.rewind();
        try {
            engine.run(input, output);
        } catch (RuntimeException error) {
            throw new Engine.Failure(error);
        }
        long done = System.nanoTime();
        output.rewind();
        output.get(scores);
        return new Result(model.top(scores, ANSWERS), ready - start, done - ready, seen(pixels, orientation), done);
    }

    private float[] seen(SqzPicture.Pixels pixels, int orientation) {
        boolean lying = SqzPicture.lies(orientation);
        return lying ? picture.seen(pixels.height(), pixels.width()) : picture.seen(pixels.width(), pixels.height());
    }

    /** Return the output bytes of the last picture, one for each class; they change with the next one. */
    public byte[] scores() {
        return scores;
    }

    /** Tell whether the fast kernels run it. */
    public boolean fast() {
        return engine.fast();
    }

    /** Free the engine. */
    public void close() {
        engine.close();
    }
}
