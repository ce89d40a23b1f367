package org.sqztf.core;

/** What the screen says of latency: numbers that change with every frame can neither be read nor read out. */
final class ShownLatency {
    /** How long live numbers stay, in nanoseconds. */
    static final long STAYS = 500_000_000L;
    /** Runs that it is told of. */
    static final int RUNS = 100;

    private final Latency latency = new Latency(RUNS);
    private Latency.Summary[] shown;
    private long since;

    /** Add a run; {@code live} tells whether another follows at once. */
    void add(Classifier.Result result, boolean live) {
        latency.add(result.preprocessNanos, result.inferenceNanos);
        if (shown == null || !live || result.doneNanos - since >= STAYS) {
            shown = latency.all();
            since = result.doneNanos;
        }
    }

    void clear() {
        latency.clear();
        shown = null;
    }

    /** Return what is shown, by stage of {@link Latency}; null before the first run. */
    Latency.Summary[] shown() {
        return shown;
    }
}
