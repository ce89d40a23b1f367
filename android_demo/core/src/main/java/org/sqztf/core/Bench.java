package org.sqztf.core;

/** Times a model with one kind of kernels: some runs to warm up, then the runs that count. */
public final class Bench {
    /** Runs before those that count. */
    public static final int WARM_UP = 5;
    /** Runs that count, where they take no longer than {@link #LONGEST} in all. */
    public static final int RUNS = 50;
    /** How long they may take in nanoseconds, unless that were fewer than {@link Latency#FEWEST} runs. */
    public static final long LONGEST = 10_000_000_000L;

    /** What is timed. */
    public interface Run {
        /** Classify a picture once. */
        Classifier.Result once();
    }

    /** Who is told, and may stop it. */
    public interface Listener {
        /**
         * One more run is done, those to warm up among them.
         *
         * @param done how many
         * @param of how many there will be, at most
         * @return whether to go on
         */
        boolean ran(int done, int of);
    }

    private Bench() {}

    /**
     * Time it.
     *
     * @return by stage of {@link Latency}; null where the listener stopped it
     */
    public static Latency.Summary[] time(Run run, Listener listener) {
        Latency latency = new Latency(RUNS);
        int all = WARM_UP + RUNS;
        long total = 0;
        for (int done = 1; done <= all; done++) {
            Classifier.Result result = run.once();
            if (done >= WARM_UP) { // the last of them takes the place of the cold run, which counts for nothing
                latency.add(result.preprocessNanos, result.inferenceNanos);
            }
            if (!listener.ran(done, all)) {
                return null;
            }
            total += done > WARM_UP ? result.preprocessNanos + result.inferenceNanos : 0;
            if (total >= LONGEST && latency.count() >= Latency.FEWEST) {
                break;
            }
        }
        return latency.all();
    }
}
