package org.sqztf.demo;

import android.content.Context;
import android.net.Uri;
import org.sqztf.core.Screen;
import org.sqztf.core.ScreenState.Message;

/** Reads photos from other apps; the latest counts. For the main thread. */
final class PhotoReader {

    /** Who classifies and shows them. */
    interface Host {
        Screen screen();

        /** Do something on the thread that runs models; return whether there is one: not when the session has ended. */
        boolean work(Runnable action);

        /** Classify a photo and close it; on the thread that runs models. */
        void classify(int ticket, Stills.Photo photo);

        /** Tell the screen that a photo cannot be had; from any thread. */
        void photoFailed(int ticket, Message why, String what);
    }

    /** The reading of one photo. */
    private final class Photo implements Readings.Job, Readings.Waiter {
        private final Uri uri;
        private int ticket;
        private boolean handedOver;

        Photo(int ticket, Uri uri) {
            this.ticket = ticket;
            this.uri = uri;
        }

        /** Let it count for a later ticket; return whether it can: not once it was handed over with one. */
        synchronized boolean renew(int later) {
            if (!handedOver) {
                ticket = later;
            }
            return !handedOver;
        }

        private synchronized int handOver() {
            handedOver = true;
            return ticket;
        }

        @Override
        public void read(Readings.Reading reading) {
            try {
                Stills.Photo photo = Stills.read(context, uri, reading);
                if (reading.isGivenUp() || !host.work(classifying(handOver(), photo))) {
                    photo.close();
                }
            } catch (Stills.PhotoException error) {
                host.photoFailed(handOver(), error.why, error.getMessage());
            }
        }

        @Override
        public void slow(String app) {
            host.screen().photoSlow(app);
        }

        @Override
        public void answered() {
            host.screen().photoAnswered();
        }
    }

    private final Context context;
    private final Host host;
    private final Readings readings;
    private Photo current; // null where none is wanted

    PhotoReader(Context context, Readings readings, Host host) {
        this.context = context;
        this.host = host;
        this.readings = readings;
    }

    /** Read a photo, or go on reading it; another one that is being read is given up. */
    void read(int ticket, Uri uri) {
        if (current != null && current.uri.equals(uri) && current.renew(ticket)) {
            readings.remind();
            return;
        }
        current = new Photo(ticket, uri);
        String silent = readings.start(uri, current, current);
        if (silent != null) {
            current = null;
            host.photoFailed(ticket, Message.NOT_ANSWERED, silent);
        }
    }

    private Runnable classifying(final int ticket, final Stills.Photo photo) {
        return new Runnable() {
            @Override
            public void run() {
                host.classify(ticket, photo);
            }
        };
    }

    /** Wait no longer for a photo that is being read. */
    void giveUp() {
        current = null;
        readings.giveUp();
    }
}
