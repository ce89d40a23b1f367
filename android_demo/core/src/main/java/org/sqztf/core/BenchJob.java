package org.sqztf.core;

import java.nio.ByteBuffer;
import java.util.Random;

/** Times a model with both kinds of kernels, one after the other, on a made-up frame of a camera held upright. */
public final class BenchJob implements Runnable {

    /** What is timed; asked on the thread that times. */
    public interface Loaded {
        /** Return the model; null where none is loaded. */
        SqzModel model();

        /** Return its name. */
        String name();

        /** Return an engine; its {@link Engine#fast} tells whether it is of the kind that was asked for. */
        Engine open(boolean fast);
    }

    /** Who is told of every change, on the thread that times. */
    public interface Watcher {
        void changed(BenchState state);
    }

    private static final int WIDTH = 640;
    private static final int HEIGHT = 480;
    private static final int LYING = 6; // as a phone's camera delivers frames

    private final Loaded loaded;
    private final Watcher watcher;
    private volatile boolean stopped;
    private BenchState state = BenchState.nothing();

    public BenchJob(Loaded loaded, Watcher watcher) {
        this.loaded = loaded;
        this.watcher = watcher;
    }

    /** End it after the run at work; from any thread. */
    public void stop() {
        stopped = true;
    }

    @Override
    public void run() {
        try {
            state = BenchState.of(loaded.name());
            YuvFrame frame = frame();
            for (int kind = BenchState.FAST; kind <= BenchState.EXACT && !stopped && loaded.model() != null; kind++) {
                time(kind, frame);
            }
            tell(state.ended());
        } catch (RuntimeException | LinkageError | OutOfMemoryError error) {
            tell(state.failed(Errors.said(error)));
        }
    }

    private void time(final int kind, final YuvFrame frame) {
        Engine engine = loaded.open(kind == BenchState.FAST);
        try {
            if (engine.fast() != (kind == BenchState.FAST)) {
                tell(state.without(kind));
                return;
            }
            final Classifier classifier = new Classifier(loaded.model(), engine);
            tell(state.at(kind, 0, Bench.WARM_UP + Bench.RUNS));
            Latency.Summary[] times = Bench.time(new Bench.Run() {
                @Override
                public Classifier.Result once() {
                    return classifier.classify(frame, LYING);
                }
            }, new Bench.Listener() {
                @Override
                public boolean ran(int done, int of) {
                    tell(state.at(kind, done, of));
                    return !stopped;
                }
            });
            tell(times == null ? state.ended() : state.with(kind, times));
        } finally {
            engine.close();
        }
    }

    private void tell(BenchState next) {
        state = next;
        watcher.changed(next);
    }

    private static YuvFrame frame() {
        YuvFrame frame = new YuvFrame();
        Random random = new Random(1);
        frame.copy(WIDTH, HEIGHT, noise(random, WIDTH * HEIGHT), WIDTH, noise(random, WIDTH * HEIGHT / 4),
                noise(random, WIDTH * HEIGHT / 4), WIDTH / 2, 1);
        return frame;
    }

    private static ByteBuffer noise(Random random, int bytes) {
        byte[] noise = new byte[bytes];
        random.nextBytes(noise);
        return ByteBuffer.wrap(noise);
    }
}
