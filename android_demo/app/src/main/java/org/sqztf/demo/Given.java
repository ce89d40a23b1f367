package org.sqztf.demo;

import android.content.ContentResolver;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.content.pm.ProviderInfo;
import android.net.Uri;
import java.io.FileNotFoundException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;

/** What another app hands to this one: a photo or a model. Only {@code content:} is opened, whatever an intent says. */
final class Given {
    final Uri uri;
    /** Whether it is opened as a model, otherwise as a photo. */
    final boolean model;

    private Given(Uri uri, boolean model) {
        this.uri = uri;
        this.model = model;
    }

    /** Return what an intent brings, or null for nothing that is opened. */
    static Given of(Intent intent) {
        try {
            boolean again = (intent.getFlags() & Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY) != 0; // given long ago
            Object uri = again ? null : address(intent);
            if (!(uri instanceof Uri) || !isContent((Uri) uri)) {
                return null;
            }
            String type = intent.getType();
            return new Given((Uri) uri, Intent.ACTION_VIEW.equals(intent.getAction())
                    || type == null || !type.startsWith("image/"));
        } catch (RuntimeException error) { // extras of classes that are not here, or of other kinds
            return null;
        }
    }

    @SuppressWarnings("deprecation")
    private static Object address(Intent intent) {
        if (Intent.ACTION_SEND.equals(intent.getAction())) {
            return intent.getParcelableExtra(Intent.EXTRA_STREAM);
        }
        return Intent.ACTION_VIEW.equals(intent.getAction()) ? intent.getData() : null;
    }

    /** Tell whether another app provides what is behind an address: a file's could be this app's own. */
    static boolean isContent(Uri uri) {
        return ContentResolver.SCHEME_CONTENT.equals(uri.getScheme());
    }

    /**
     * Open what another app provides.
     *
     * @param reading once it is given up, nothing is read any more
     */
    static InputStream open(ContentResolver resolver, Uri uri, final Readings.Reading reading) throws IOException {
        if (!isContent(uri)) {
            throw new IOException(uri.getScheme() + ":");
        }
        InputStream stream = resolver.openInputStream(uri);
        if (stream == null) {
            throw new FileNotFoundException(uri.toString());
        }
        return new FilterInputStream(stream) {
            @Override
            public int read(byte[] to, int at, int count) throws IOException {
                if (reading.isGivenUp()) {
                    throw new InterruptedIOException();
                }
                return super.read(to, at, count);
            }
        };
    }

    /** Return the name of the app that provides what is behind an address; part of the address where it is not told. */
    static String app(PackageManager packages, Uri uri) {
        ProviderInfo provider = provider(packages, uri);
        return provider == null ? authority(uri) : provider.applicationInfo.loadLabel(packages).toString();
    }

    /** Return what tells that app from others, however many addresses it has. */
    static String owner(PackageManager packages, Uri uri) {
        ProviderInfo provider = provider(packages, uri);
        return provider == null ? authority(uri) : provider.packageName;
    }

    private static ProviderInfo provider(PackageManager packages, Uri uri) {
        return packages.resolveContentProvider(authority(uri), 0);
    }

    private static String authority(Uri uri) {
        String authority = uri.getAuthority() == null ? "" : uri.getAuthority();
        return authority.substring(authority.lastIndexOf('@') + 1); // before it is the user whose app it is
    }
}
