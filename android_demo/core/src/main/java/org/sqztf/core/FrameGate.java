package org.sqztf.core;

import java.util.concurrent.atomic.AtomicBoolean;

/** Lets one frame through at a time; the others are dropped, never queued. */
public final class FrameGate {
    private final AtomicBoolean busy = new AtomicBoolean();

    /** Return whether a frame may be worked on now; whoever got true must call {@link #leave}. */
    public boolean enter() {
        return busy.compareAndSet(false, true);
    }

    /** Let the next frame in. */
    public void leave() {
        busy.set(false);
    }
}
