package org.sqztf.demo;

import android.content.Context;
import android.net.Uri;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.RandomAccessFile;
import org.sqztf.core.ScreenState.Message;

/**
 * The file of a photo, copied from another app: what follows needs no other app any more. It has no name, so nothing is
 * left of it when it is closed or the process ends.
 */
final class PhotoFile implements AutoCloseable {
    /** The most bytes of a photo: an app that never ends does not fill the device. Tests have less room. */
    static long most = 256L << 20;
    private static final int BLOCK = 1 << 16;

    private final RandomAccessFile copy;
    private final Readings.Reading reading;

    private PhotoFile(RandomAccessFile copy, Readings.Reading reading) {
        this.copy = copy;
        this.reading = reading;
    }

    /**
     * Copy a photo.
     *
     * @param reading told when the other app has answered; once it is given up nothing is read any more
     */
    static PhotoFile copy(Context context, Uri uri, Readings.Reading reading)
            throws IOException, Stills.PhotoException {
        PhotoFile file = new PhotoFile(unnamed(context), reading);
        boolean whole = false;
        try {
            file.fill(context, uri);
            reading.answered();
            whole = true;
        } finally {
            if (!whole) {
                file.close();
            }
        }
        return file;
    }

    private static RandomAccessFile unnamed(Context context) throws IOException {
        File file = File.createTempFile("photo", null, context.getCacheDir());
        try {
            return new RandomAccessFile(file, "rw");
        } finally {
            file.delete();
        }
    }

    private void fill(Context context, Uri uri) throws IOException, Stills.PhotoException {
        try (InputStream stream = Given.open(context.getContentResolver(), uri, reading)) {
            byte[] block = new byte[BLOCK];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                copy.write(block, 0, count);
                if (copy.getFilePointer() > most) {
                    throw new Stills.PhotoException(Message.PHOTO_TOO_LARGE, "> " + (most >> 20) + " MB");
                }
            }
        }
    }

    /** Read it from its beginning, unless it is given up; one stream at a time, which need not be closed. */
    InputStream open() throws IOException {
        if (reading.isGivenUp()) {
            throw new InterruptedIOException();
        }
        copy.seek(0);
        return new InputStream() {
            @Override
            public int read() throws IOException {
                return copy.read();
            }

            @Override
            public int read(byte[] to, int at, int count) throws IOException {
                return copy.read(to, at, count);
            }
        };
    }

    @Override
    public void close() throws IOException {
        copy.close();
    }
}
