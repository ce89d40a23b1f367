package org.sqztf.demo;

import android.os.Handler;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Reads of one kind from other apps, each on a thread of its own: an app that never answers holds up nothing else. The
 * latest counts; one before it is given up. Public methods are for the main thread.
 */
final class Readings {

    /** One of them, as it looks from its thread. */
    static final class Reading {
        private volatile boolean givenUp;
        private Future<?> work;
        private Runnable late;

        /** Tell whether nobody waits for it any more. */
        boolean isGivenUp() {
            return givenUp;
        }
    }

    /** What is read. */
    interface Job {
        /** Read; nothing that comes of one that is given up may be used. */
        void read(Reading reading);
    }

    /** After this long the user is told whom the app waits for. */
    static final long PATIENCE_MILLIS = 4000;

    /** How many apps that never answer are borne in a process: their threads cannot be ended. */
    static final int MOST = 6;
    private static final ThreadPoolExecutor THREADS = new ThreadPoolExecutor(0, MOST, 10, TimeUnit.SECONDS,
            new SynchronousQueue<Runnable>(), new ThreadFactory() {
                @Override
                public Thread newThread(Runnable work) {
                    Thread thread = new Thread(work, "reading");
                    thread.setDaemon(true);
                    return thread;
                }
            });

    private final Handler main;
    private Reading current;

    Readings(Handler main) {
        this.main = main;
    }

    /**
     * Begin to read; what was being read is given up.
     *
     * @param late called on the main thread if it takes long
     * @return whether it began: too many apps have not answered yet
     */
    boolean start(final Job job, Runnable late) {
        giveUp();
        final Reading reading = new Reading();
        try {
            reading.work = THREADS.submit(new Runnable() {
                @Override
                public void run() {
                    try {
                        job.read(reading);
                    } finally {
                        end(reading);
                    }
                }
            });
        } catch (RejectedExecutionException error) {
            return false;
        }
        current = reading;
        reading.late = late;
        main.postDelayed(late, PATIENCE_MILLIS);
        return true;
    }

    /** Wait no longer for what is being read. */
    void giveUp() {
        if (current != null) {
            current.givenUp = true;
            current.work.cancel(true); // some streams can be interrupted
            forget();
        }
    }

    private void end(final Reading reading) {
        main.post(new Runnable() {
            @Override
            public void run() {
                if (reading == current) {
                    forget();
                }
            }
        });
    }

    private void forget() {
        main.removeCallbacks(current.late);
        current = null;
    }

    /** Return the work of the reading that is waited for, null for none. */
    Future<?> work() {
        return current == null ? null : current.work;
    }
}
