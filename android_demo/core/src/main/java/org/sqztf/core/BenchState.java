package org.sqztf.core;

/** What a benchmark has found so far. Immutable. Kinds of kernels are the index: {@link #FAST}, {@link #EXACT}. */
public final class BenchState {
    public static final int FAST = 0;
    public static final int EXACT = 1;

    /** The name of the model that is measured; empty before one is. */
    public final String model;
    /** The kind that is being timed; −1 where none is. */
    public final int running;
    /** How many runs of it are done, and how many there will be at most. */
    public final int done;
    public final int of;
    /** What went wrong; empty where nothing did. */
    public final String fault;
    private final Latency.Summary[][] times;
    private final boolean[] absent;

    private BenchState(String model, int running, int done, int of, Latency.Summary[][] times, boolean[] absent, String fault) {
        this.model = model;
        this.running = running;
        this.done = done;
        this.of = of;
        this.times = times;
        this.absent = absent;
        this.fault = fault;
    }

    /** Return the state before anything was measured. */
    public static BenchState nothing() {
        return of("");
    }

    /** Return the state before anything of a model was measured. */
    static BenchState of(String model) {
        return new BenchState(model, -1, 0, 0, new Latency.Summary[2][], new boolean[2], "");
    }

    BenchState at(int kind, int runs, int all) {
        return new BenchState(model, kind, runs, all, times, absent, "");
    }

    BenchState with(int kind, Latency.Summary[] measured) {
        Latency.Summary[][] changed = times.clone();
        changed[kind] = measured;
        return new BenchState(model, -1, 0, 0, changed, absent, "");
    }

    BenchState without(int kind) {
        boolean[] changed = absent.clone();
        changed[kind] = true;
        return new BenchState(model, -1, 0, 0, times, changed, "");
    }

    BenchState failed(String why) {
        return new BenchState(model, -1, 0, 0, times, absent, why);
    }

    BenchState ended() {
        return new BenchState(model, -1, 0, 0, times, absent, fault);
    }

    /** Return the times of a kind by stage of {@link Latency}; null where there are none. */
    public Latency.Summary[] times(int kind) {
        return times[kind];
    }

    /** Tell whether a kind is not there for this model and processor. */
    public boolean absent(int kind) {
        return absent[kind];
    }

    /** Tell whether something is being timed. */
    public boolean isRunning() {
        return running >= 0;
    }

    /** Tell whether there is a result to share. */
    public boolean hasResult() {
        return times[FAST] != null || times[EXACT] != null;
    }

    /** Return how many times as long Exact takes; 0 where one of them was not timed. */
    public double ratio() {
        if (times[FAST] == null || times[EXACT] == null) {
            return 0;
        }
        return (double) times[EXACT][Latency.TOTAL].median / times[FAST][Latency.TOTAL].median;
    }
}
