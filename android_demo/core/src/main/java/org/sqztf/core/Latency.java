package org.sqztf.core;

import java.util.Arrays;

/** Median and 90th percentile (nearest rank) of the last runs, for each stage and in all. */
public final class Latency {

    /** The median and the 90th percentile of one stage, in nanoseconds. */
    public static final class Summary {
        public final long median;
        public final long p90;

        Summary(long median, long p90) {
            this.median = median;
            this.p90 = p90;
        }
    }

    /** Stages: the index into a run's times. */
    public static final int PREPROCESS = 0;
    public static final int INFERENCE = 1;
    public static final int TOTAL = 2;

    private final long[][] runs;
    private int next;
    private int count;

    /** Keep the last {@code kept} runs. */
    public Latency(int kept) {
        runs = new long[3][kept];
    }

    /** Add a run. */
    public void add(long preprocessNanos, long inferenceNanos) {
        runs[PREPROCESS][next] = preprocessNanos;
        runs[INFERENCE][next] = inferenceNanos;
        runs[TOTAL][next] = preprocessNanos + inferenceNanos;
        next = (next + 1) % runs[0].length;
        count = Math.min(count + 1, runs[0].length);
    }

    /** Forget all runs. */
    public void clear() {
        next = 0;
        count = 0;
    }

    /** Return how many runs are kept now. */
    public int count() {
        return count;
    }

    /** Return the summary of a stage; null before the first run. */
    public Summary of(int stage) {
        if (count == 0) {
            return null;
        }
        long[] sorted = Arrays.copyOf(runs[stage], count);
        Arrays.sort(sorted);
        return new Summary(sorted[(count + 1) / 2 - 1], sorted[(9 * count + 9) / 10 - 1]);
    }
}
