package org.sqztf.demo;

import android.content.Context;
import android.net.Uri;
import android.os.Handler;
import java.util.concurrent.ExecutionException;
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

    private final Context context;
    private final Host host;
    private final Readings readings;

    PhotoReader(Context context, Handler main, Host host) {
        this.context = context;
        this.host = host;
        readings = new Readings(main);
    }

    /** Read a photo; one that is being read is given up. */
    void read(final int ticket, final Uri uri) {
        boolean began = readings.start(new Readings.Job() {
            @Override
            public void read(Readings.Reading reading) {
                PhotoReader.this.read(ticket, uri, reading);
            }
        }, new Runnable() {
            @Override
            public void run() {
                host.screen().photoSlow(Given.app(context.getPackageManager(), uri));
            }
        });
        if (!began) {
            host.photoFailed(ticket, Message.NOT_ANSWERED, "");
        }
    }

    private void read(int ticket, Uri uri, Readings.Reading reading) {
        try {
            Stills.Photo photo = Stills.read(context.getContentResolver(), uri);
            if (reading.isGivenUp() || !host.work(classifying(ticket, photo))) {
                photo.close();
            }
        } catch (Stills.PhotoException error) {
            host.photoFailed(ticket, error.why, error.getMessage());
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
        readings.giveUp();
    }

    /** Wait until what is being read and still wanted has been read. */
    void finishReading() throws InterruptedException, ExecutionException {
        readings.finish();
    }
}
