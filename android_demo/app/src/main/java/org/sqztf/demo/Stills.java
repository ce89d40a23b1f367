package org.sqztf.demo;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Matrix;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.BufferedInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import org.sqztf.core.Errors;
import org.sqztf.core.Orientation;
import org.sqztf.core.PhotoSize;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.SqzPicture;

/** Photos from other apps, and bitmaps to show. */
final class Stills {

    /** A photo as it is stored, and how it must be turned. */
    static final class Photo implements AutoCloseable {
        /** All of it, perhaps reduced; enough to be shown. */
        final Bitmap bitmap;
        /** What is classified: every pixel of it, unless it was reduced. */
        final SqzPicture.Pixels pixels;
        final int orientation;
        /** Its size where it was reduced, otherwise empty. */
        final String reducedFrom;
        private final PhotoBands bands;

        Photo(Bitmap bitmap, PhotoBands bands, int orientation, String reducedFrom) {
            this.bitmap = bitmap;
            this.bands = bands;
            pixels = bands == null ? new BitmapPixels(bitmap) : bands.pixels();
            this.orientation = orientation;
            this.reducedFrom = reducedFrom;
        }

        @Override
        public void close() {
            if (bands != null) {
                bands.close();
            }
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
    /** Pixels of a band where memory is short: 8 MB as a bitmap. */
    private static final long FEW_PIXELS = PhotoSize.MAX_PIXELS / 8;

    private Stills() {}

    /** Decode a photo of any size; of an animation the first frame. */
    static Photo read(ContentResolver resolver, Uri uri) throws PhotoException {
        try {
            BitmapFactory.Options options = new BitmapFactory.Options();
            options.inJustDecodeBounds = true;
            decode(resolver, uri, options);
            int width = options.outWidth;
            int height = options.outHeight;
            if (width < 1 || height < 1) {
                throw new PhotoException(Message.PHOTO_UNREADABLE, "");
            }
            int step = PhotoSize.step(width, height);
            if (step == 0) {
                throw new PhotoException(Message.PHOTO_TOO_LARGE, width + " × " + height);
            }
            int orientation = orientation(resolver, uri);
            options.inJustDecodeBounds = false;
            long bandPixels = PhotoSize.MAX_PIXELS;
            if (step == 1) {
                try {
                    return new Photo(decoded(resolver, uri, options, 1), null, orientation, "");
                } catch (OutOfMemoryError error) { // before API 26 bitmaps take the app's own memory
                    step = 2;
                    bandPixels = FEW_PIXELS;
                }
            }
            PhotoBands bands = bands(resolver, uri, bandPixels);
            int shown = bands == null ? step : PhotoSize.shownStep(width, height, SHOWN);
            Bitmap bitmap = null;
            try {
                bitmap = decoded(resolver, uri, options, shown);
            } finally {
                if (bitmap == null && bands != null) {
                    bands.close();
                }
            }
            return new Photo(bitmap, bands, orientation, bands == null ? width + " × " + height : "");
        } catch (IOException | RuntimeException error) { // providers are other apps: they throw what they like
            throw new PhotoException(Message.PHOTO_UNREADABLE, Errors.said(error));
        } catch (OutOfMemoryError error) {
            throw new PhotoException(Message.PHOTO_TOO_LARGE, Errors.said(error));
        }
    }

    private static Bitmap decoded(ContentResolver resolver, Uri uri, BitmapFactory.Options options, int step)
            throws IOException, PhotoException {
        options.inSampleSize = step;
        Bitmap bitmap = decode(resolver, uri, options);
        if (bitmap == null) {
            throw new PhotoException(Message.PHOTO_UNREADABLE, options.outMimeType == null ? "" : options.outMimeType);
        }
        return bitmap;
    }

    /** Return what decodes a large photo in bands; null where its format cannot be. */
    private static PhotoBands bands(ContentResolver resolver, Uri uri, long bandPixels) throws IOException {
        try (InputStream stream = open(resolver, uri)) {
            return PhotoBands.open(stream, bandPixels);
        }
    }

    private static Bitmap decode(ContentResolver resolver, Uri uri, BitmapFactory.Options options)
            throws IOException {
        try (InputStream stream = open(resolver, uri)) {
            return BitmapFactory.decodeStream(stream, null, options);
        }
    }

    /** Return how a photo must be turned: {@code BitmapFactory} turns none, HEIC, AVIF and DNG neither. */
    static int orientation(ContentResolver resolver, Uri uri) throws IOException {
        try (InputStream stream = new BufferedInputStream(open(resolver, uri))) {
            int found = Orientation.ofFile(stream);
            if (found != Orientation.UNKNOWN) {
                return found;
            }
        }
        try (InputStream stream = open(resolver, uri)) {
            int found = new ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION, Orientation.UPRIGHT);
            return found >= 1 && found <= 8 ? found : Orientation.UPRIGHT;
        } catch (IOException | RuntimeException error) { // it reads some formats only, older Androids fewer
            return Orientation.UPRIGHT;
        }
    }

    private static InputStream open(ContentResolver resolver, Uri uri) throws IOException {
        if (!Given.isContent(uri)) {
            throw new IOException(uri.getScheme() + ":");
        }
        InputStream stream = resolver.openInputStream(uri);
        if (stream == null) {
            throw new FileNotFoundException(uri.toString());
        }
        return stream;
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
            frame.read(0, y, width, row);
            bitmap.setPixels(row, 0, width, 0, y, width, 1);
        }
        return shown(bitmap, orientation);
    }
}
