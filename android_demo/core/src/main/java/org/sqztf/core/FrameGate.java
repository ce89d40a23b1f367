package org.sqztf.core;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/** Lets one frame through at a time; the others are dropped, never queued. */
public final class FrameGate {
    private final AtomicBoolean busy = new AtomicBoolean();
    private final AtomicLong dropped = new AtomicLong();

    /** Return whether a frame may be worked on now; whoever got true must call {@link #leave}. */
    public boolean enter() {
        boolean free = busy.compareAndSet(false, true);
        if (!free) {
            dropped.incrementAndGet();
        }
        return free;
    }

    /** Let the next frame in. */
    public void leave() {
        busy.set(false);
    }

    /** Return how many frames were dropped so far. */
    public long dropped() {
        return dropped.get();
    }
}
