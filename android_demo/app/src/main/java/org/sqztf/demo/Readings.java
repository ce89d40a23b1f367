package org.sqztf.demo;

import android.content.Context;
import android.net.Uri;
import android.os.Handler;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Reads of one kind from other apps, each on a thread of its own: an app that never answers holds up nothing else. The
 * latest counts; one before it is given up. Public methods are for the main thread.
 */
final class Readings {

    /** One of them, as it looks from its thread. */
    interface Reading {
        /** Tell whether nobody waits for it any more. */
        boolean isGivenUp();

        /** The app has handed over all that it was asked for; what follows takes this app's own time. */
        void answered();
    }

    /** What is read. */
    interface Job {
        /** Read; nothing that comes of one that is given up may be used. */
        void read(Reading reading);
    }

    /** Who waits for it; called on the main thread, and not once it is given up. */
    interface Waiter {
        /** This app has not answered for some time. */
        void slow(String app);

        /** It has, after all. */
        void answered();
    }

    /** After this long the user is told whom the app waits for. */
    static final long PATIENCE_MILLIS = 4000;

    /** How many readings of one app, and of all, are borne that never end: their threads cannot be ended. */
    static final int MOST_OF_ONE = 2;
    static final int MOST = 6;

    /** Who has not answered yet: the app of each reading, those that were given up among them. */
    private static final List<String> ASKED = new ArrayList<>();
    private static final ExecutorService THREADS = new ThreadPoolExecutor(0, Integer.MAX_VALUE, 10, TimeUnit.SECONDS,
            new SynchronousQueue<Runnable>(), new ThreadFactory() {
                @Override
                public Thread newThread(Runnable work) {
                    Thread thread = new Thread(work, "reading");
                    thread.setDaemon(true);
                    return thread;
                }
            });

    private final class Asked implements Reading, Runnable {
        private final Uri uri;
        private final String owner;
        private final Job job;
        private final Waiter waiter;
        private volatile boolean givenUp;
        private volatile boolean asking = true;
        private final AtomicBoolean begun = new AtomicBoolean();
        private boolean slow; // on the main thread only
        private Future<?> work;
        private final Runnable late = new Runnable() {
            @Override
            public void run() {
                slow = asking;
                remind();
            }
        };

        Asked(Uri uri, String owner, Job job, Waiter waiter) {
            this.uri = uri;
            this.owner = owner;
            this.job = job;
            this.waiter = waiter;
        }

        @Override
        public boolean isGivenUp() {
            return givenUp;
        }

        @Override
        public void answered() {
            if (asking) {
                asking = false;
                ended(owner);
                main.post(new Runnable() {
                    @Override
                    public void run() {
                        answeredNow();
                    }
                });
            }
        }

        private void answeredNow() {
            main.removeCallbacks(late);
            if (slow && !givenUp) {
                slow = false;
                waiter.answered();
            }
        }

        void remind() {
            if (slow && !givenUp) {
                waiter.slow(Given.app(context.getPackageManager(), uri));
            }
        }

        @Override
        public void run() {
            if (begun.compareAndSet(false, true)) {
                try {
                    job.read(this);
                } finally {
                    answered();
                }
            }
        }

        void giveUp() {
            givenUp = true;
            main.removeCallbacks(late);
            work.cancel(true); // some streams can be interrupted
            if (begun.compareAndSet(false, true)) { // and will not begin
                answered();
            }
        }
    }

    private final Context context;
    private final Handler main;
    private Asked current; // the latest, until it is given up

    Readings(Context context, Handler main) {
        this.context = context;
        this.main = main;
    }

    /**
     * Begin to read; what was being read is given up.
     *
     * @return null where it began, otherwise the app that has not answered before; empty where too many have not
     */
    String start(Uri uri, Job job, Waiter waiter) {
        giveUp();
        String owner = Given.owner(context.getPackageManager(), uri);
        if (!mayAsk(owner)) {
            return asked(owner) >= MOST_OF_ONE ? Given.app(context.getPackageManager(), uri) : "";
        }
        current = new Asked(uri, owner, job, waiter);
        current.work = THREADS.submit(current);
        main.postDelayed(current.late, PATIENCE_MILLIS);
        return null;
    }

    private static boolean mayAsk(String owner) {
        synchronized (ASKED) {
            return asked() < MOST && asked(owner) < MOST_OF_ONE && ASKED.add(owner);
        }
    }

    private static void ended(String owner) {
        synchronized (ASKED) {
            ASKED.remove(owner);
        }
    }

    private static int asked(String owner) {
        synchronized (ASKED) {
            return Collections.frequency(ASKED, owner);
        }
    }

    /** Return how many readings no app has answered yet. */
    static int asked() {
        synchronized (ASKED) {
            return ASKED.size();
        }
    }

    /** Tell the waiter once more that the app is slow, if it was told. */
    void remind() {
        if (current != null) {
            current.remind();
        }
    }

    /** Wait no longer for what is being read, nor for what this app makes of it. */
    void giveUp() {
        if (current != null) {
            current.giveUp();
            current = null;
        }
    }

    /** Wait until what is being read and still wanted has been read. */
    void finish() throws InterruptedException, ExecutionException {
        if (current != null) {
            current.work.get();
        }
    }
}
