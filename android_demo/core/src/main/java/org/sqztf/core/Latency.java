package org.sqztf.core;

import java.util.Arrays;

/**
 * Median and 90th percentile (nearest rank) of the last runs, for each stage and in all.
 *
 * <p>The first run is cold: memory is touched for the first time, clocks are low. It is told only while it is the only
 * one, and it counts for nothing else. Of fewer than {@link #FEWEST} warm runs there is no 90th percentile.
 */
public final class Latency {

    /** The median and the 90th percentile of one stage, in nanoseconds. */
    public static final class Summary {
        public final long median;
        /** {@link #NONE} where there were too few runs to tell. */
        public final long p90;
        /** How many warm runs it is of; 0 where it is the time of the one cold run. */
        public final int runs;

        Summary(long median, long p90, int runs) {
            this.median = median;
            this.p90 = p90;
            this.runs = runs;
        }
    }

    /** Stages: the index into a run's times. */
    public static final int PREPROCESS = 0;
    public static final int INFERENCE = 1;
    public static final int TOTAL = 2;

    /** The fewest warm runs that a 90th percentile is told of. */
    public static final int FEWEST = 10;
    /** No time. */
    public static final long NONE = -1;

    private final long[][] runs;
    private final long[] cold = new long[3];
    private boolean started;
    private int next;
    private int count;

    /** Keep the last {@code kept} warm runs. */
    public Latency(int kept) {
        runs = new long[3][kept];
    }

    /** Add a run. */
    public void add(long preprocessNanos, long inferenceNanos) {
        long[] times = {preprocessNanos, inferenceNanos, preprocessNanos + inferenceNanos};
        if (!started) {
            started = true;
            System.arraycopy(times, 0, cold, 0, times.length);
            return;
        }
        for (int stage = 0; stage < times.length; stage++) {
            runs[stage][next] = times[stage];
        }
        next = (next + 1) % runs[0].length;
        count = Math.min(count + 1, runs[0].length);
    }

    /** Forget all runs. */
    public void clear() {
        started = false;
        next = 0;
        count = 0;
    }

    /** Return how many warm runs are kept now. */
    public int count() {
        return count;
    }

    /** Return the summary of a stage; null before the first run. */
    public Summary of(int stage) {
        if (count == 0) {
            return started ? new Summary(cold[stage], NONE, 0) : null;
        }
        long[] sorted = Arrays.copyOf(runs[stage], count);
        Arrays.sort(sorted);
        long p90 = count < FEWEST ? NONE : sorted[(9 * count + 9) / 10 - 1];
        return new Summary(sorted[(count + 1) / 2 - 1], p90, count);
    }

    /** Return the summary of every stage; null before the first run. */
    public Summary[] all() {
        return started ? new Summary[] {of(PREPROCESS), of(INFERENCE), of(TOTAL)} : null;
    }
}
