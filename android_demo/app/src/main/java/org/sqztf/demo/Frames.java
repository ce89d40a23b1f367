package org.sqztf.demo;

import java.nio.BufferUnderflowException;
import java.util.concurrent.ArrayBlockingQueue;
import org.sqztf.core.FrameGate;
import org.sqztf.core.Strikes;
import org.sqztf.core.YuvFrame;

/** Frames on their way from the camera to the screen: one is classified at a time, the others are dropped. */
final class Frames {

    /** Who classifies and shows them. */
    interface Host {
        /** Do something on the thread that runs models; return whether there is one: not when the session has ended. */
        boolean work(Runnable action);

        /** Classify a frame, then call {@link Frames#next}; on the thread that runs models. */
        void classify(int ticket, Frame frame);

        /** Too many frames in a row are not what they say; on the camera's thread. */
        void unreadable();
    }

    /** One of them; {@link Frames#giveBack} it when it is no longer shown. */
    static final class Frame {
        final YuvFrame pixels = new YuvFrame();
        int orientation;
    }

    private static final int BAD = 15; // borne in a row: half a second
    private static final int FRAMES = 3; // being classified, shown, and on its way to being shown

    private final Host host;
    private final FrameGate gate = new FrameGate();
    private final Strikes bad = new Strikes(BAD); // on the camera's thread only
    private final ArrayBlockingQueue<Frame> spare = new ArrayBlockingQueue<>(FRAMES);

    Frames(Host host) {
        this.host = host;
        for (int i = 0; i < FRAMES; i++) {
            spare.add(new Frame());
        }
    }

    /**
     * Take a frame, or drop it; on the camera's thread.
     *
     * @param ticket what its answers are told with; 0 where none are wanted
     */
    void take(CameraFrame given, int orientation, int ticket) {
        if (ticket == 0 || !gate.enter()) {
            return;
        }
        Frame frame = spare.poll();
        if (frame == null) {
            gate.leave();
        } else if (!copied(given, frame, orientation) || !host.work(classifying(ticket, frame))) {
            spare.add(frame);
            gate.leave();
        }
    }

    private Runnable classifying(final int ticket, final Frame frame) {
        return new Runnable() {
            @Override
            public void run() {
                host.classify(ticket, frame);
            }
        };
    }

    private boolean copied(CameraFrame from, Frame to, int orientation) {
        try {
            to.orientation = orientation;
            to.pixels.copy(from.width(), from.height(), from.bytes(0), from.rowStride(0), from.bytes(1), from.bytes(2),
                    from.rowStride(1), from.pixelStride(1));
            bad.good();
            return true;
        } catch (IllegalStateException error) {
            return false; // the camera has ended
        } catch (IllegalArgumentException | IndexOutOfBoundsException | BufferUnderflowException
                | OutOfMemoryError error) {
            if (bad.fault()) { // it is shorter than it says, or too large
                bad.good();
                host.unreadable();
            }
            return false;
        }
    }

    /** Let the next one in. */
    void next() {
        gate.leave();
    }

    /** A frame is no longer shown. */
    void giveBack(Frame frame) {
        spare.add(frame);
    }
}
