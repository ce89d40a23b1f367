package org.sqztf.demo;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Matrix;
import android.net.Uri;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import org.sqztf.core.Orientation;
import org.sqztf.core.PhotoSize;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.SqzPicture;

/** Photos from other apps, and bitmaps to show. */
final class Stills {

    /** A decoded photo, as it is stored, and how it must be turned. */
    static final class Photo {
        final Bitmap bitmap;
        final int orientation;
        /** Its size where it was reduced, otherwise empty. */
        final String reducedFrom;

        Photo(Bitmap bitmap, int orientation, String reducedFrom) {
            this.bitmap = bitmap;
            this.orientation = orientation;
            this.reducedFrom = reducedFrom;
        }
    }

    /** A photo that cannot be had. */
    static final class PhotoException extends Exception {
        private static final long serialVersionUID = 1L;
        final Message why;

        PhotoException(Message why, String what) {
            super(what);
            this.why = why;
        }
    }

    /** Longer side of a bitmap to show, in pixels. */
    private static final int SHOWN = 1280;

    private Stills() {}

    /** Decode a photo of any size; of an animation the first frame. */
    static Photo read(ContentResolver resolver, Uri uri) throws PhotoException {
        try {
            BitmapFactory.Options options = new BitmapFactory.Options();
            options.inJustDecodeBounds = true;
            decode(resolver, uri, options);
            int width = options.outWidth;
            int height = options.outHeight;
            options.inSampleSize = PhotoSize.step(width, height);
            if (options.inSampleSize == 0) {
                throw new PhotoException(width < 1 ? Message.PHOTO_UNREADABLE : Message.PHOTO_TOO_LARGE,
                        width + " × " + height);
            }
            options.inJustDecodeBounds = false;
            Bitmap bitmap = decode(resolver, uri, options);
            if (bitmap == null) {
                throw new PhotoException(Message.PHOTO_UNREADABLE, String.valueOf(options.outMimeType));
            }
            String reduced = options.inSampleSize > 1 ? width + " × " + height : "";
            return new Photo(bitmap, Orientation.ofFile(head(resolver, uri)), reduced);
        } catch (IOException | RuntimeException error) { // providers are other apps: they throw what they like
            throw new PhotoException(Message.PHOTO_UNREADABLE, String.valueOf(error.getMessage()));
        } catch (OutOfMemoryError error) {
            throw new PhotoException(Message.PHOTO_TOO_LARGE, String.valueOf(error.getMessage()));
        }
    }

    private static Bitmap decode(ContentResolver resolver, Uri uri, BitmapFactory.Options options)
            throws IOException {
        try (InputStream stream = open(resolver, uri)) {
            return BitmapFactory.decodeStream(stream, null, options);
        }
    }

    private static byte[] head(ContentResolver resolver, Uri uri) throws IOException {
        try (InputStream stream = open(resolver, uri)) {
            return readAll(stream, Orientation.HEADER_BYTES);
        }
    }

    private static InputStream open(ContentResolver resolver, Uri uri) throws IOException {
        InputStream stream = resolver.openInputStream(uri);
        if (stream == null) {
            throw new FileNotFoundException(uri.toString());
        }
        return stream;
    }

    /** Read a stream to its end or to a limit. */
    static byte[] readAll(InputStream stream, int limit) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] block = new byte[1 << 14];
        int got = stream.read(block, 0, Math.min(block.length, limit));
        while (got > 0) {
            bytes.write(block, 0, got);
            got = stream.read(block, 0, Math.min(block.length, limit - bytes.size()));
        }
        return bytes.toByteArray();
    }

    /** Return an upright bitmap to show, reduced to the size of a screen. */
    static Bitmap shown(Bitmap bitmap, int orientation) {
        float scale = Math.min(1f, (float) SHOWN / Math.max(bitmap.getWidth(), bitmap.getHeight()));
        Matrix matrix = new Matrix();
        // a line keeps a pixel of its thickness
        matrix.setScale(Math.max(scale, 1f / bitmap.getWidth()), Math.max(scale, 1f / bitmap.getHeight()));
        if (orientation == 2 || orientation == 4 || orientation == 5 || orientation == 7) {
            matrix.postScale(-1, 1);
        }
        matrix.postRotate(degrees(orientation));
        return Bitmap.createBitmap(bitmap, 0, 0, bitmap.getWidth(), bitmap.getHeight(), matrix, true);
    }

    /** Return the clockwise turn of an orientation, after mirroring left to right where it mirrors. */
    private static int degrees(int orientation) {
        switch (orientation) {
            case 3:
            case 4:
                return 180;
            case 6:
            case 7:
                return 90;
            case 5:
            case 8:
                return 270;
            default:
                return 0;
        }
    }

    /** Return a frame as an upright bitmap. */
    static Bitmap shown(SqzPicture.Pixels frame, int orientation) {
        int width = frame.width();
        int[] row = new int[width];
        Bitmap bitmap = Bitmap.createBitmap(width, frame.height(), Bitmap.Config.ARGB_8888);
        for (int y = 0; y < frame.height(); y++) {
            frame.read(0, y, 1, 0, width, row);
            bitmap.setPixels(row, 0, width, 0, y, width, 1);
        }
        return shown(bitmap, orientation);
    }
}
