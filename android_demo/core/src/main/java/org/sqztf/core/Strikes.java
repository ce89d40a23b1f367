package org.sqztf.core;

/** Counts what goes wrong in a row, so that one slip ends nothing. For one thread. */
public final class Strikes {
    private final int most;
    private int count;

    /** Bear with {@code most} faults in a row. */
    public Strikes(int most) {
        this.most = most;
    }

    /** Something went wrong; return whether that is once too often. */
    public boolean fault() {
        count++;
        return count > most;
    }

    /** Something went well. */
    public void good() {
        count = 0;
    }
}
