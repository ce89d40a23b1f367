package org.sqztf.demo;

import java.util.concurrent.Executor;
import org.sqztf.core.BenchJob;
import org.sqztf.core.BenchState;

/** The benchmark that is open, if one is; it outlives a rotation. For the main thread. */
final class Benchmark {

    /** Who is told of every change. */
    interface Listener {
        void changed(BenchState state);
    }

    private final Executor worker;
    private final Executor main;
    private final Listener listener;
    private BenchJob job;
    private BenchState state;

    /**
     * Begin closed.
     *
     * @param worker runs models
     * @param main calls back on the main thread
     */
    Benchmark(Executor worker, Executor main, Listener listener) {
        this.worker = worker;
        this.main = main;
        this.listener = listener;
    }

    void open() {
        state = BenchState.nothing();
    }

    boolean isOpen() {
        return state != null;
    }

    /** Return what was measured; null while it is closed. */
    BenchState state() {
        return state;
    }

    void close() {
        stop();
        state = null;
    }

    void stop() {
        if (job != null) {
            job.stop();
        }
    }

    /** Measure a model; what is measured already goes on no longer. */
    void start(BenchJob.Loaded loaded) {
        stop();
        job = new BenchJob(loaded, new BenchJob.Watcher() {
            @Override
            public void changed(final BenchState next) {
                main.execute(new Runnable() {
                    @Override
                    public void run() {
                        show(next);
                    }
                });
            }
        });
        worker.execute(job);
    }

    private void show(BenchState next) {
        if (state != null) { // it may have been closed meanwhile
            state = next;
            listener.changed(next);
        }
    }
}
