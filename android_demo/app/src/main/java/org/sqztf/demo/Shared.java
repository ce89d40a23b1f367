package org.sqztf.demo;

import android.content.ContentResolver;
import android.content.Intent;
import android.net.Uri;
import android.os.Parcelable;

/** What other apps send, which may be anything. */
final class Shared {
    private Shared() {}

    /** Return the photo that was shared just now; null where there is none. */
    static Uri photo(Intent intent) {
        boolean again = (intent.getFlags() & Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY) != 0; // shared long ago
        return Intent.ACTION_SEND.equals(intent.getAction()) && !again ? stream(intent) : null;
    }

    /** Return the address that is attached to an intent, of whatever kind; null where there is none. */
    @SuppressWarnings("deprecation")
    static Uri stream(Intent intent) {
        try {
            Parcelable stream = intent.getParcelableExtra(Intent.EXTRA_STREAM);
            return stream instanceof Uri ? (Uri) stream : null;
        } catch (RuntimeException error) { // an extra of a class that is not here, or broken on purpose
            return null;
        }
    }

    /** Tell whether another app provides what is behind an address: a file's could be this app's own. */
    static boolean isContent(Uri uri) {
        return ContentResolver.SCHEME_CONTENT.equals(uri.getScheme());
    }
}
