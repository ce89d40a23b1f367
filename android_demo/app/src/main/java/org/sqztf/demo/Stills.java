package org.sqztf.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Matrix;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.BufferedInputStream;
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

    /** Photos are decoded one at a time, those that are given up among them: each may take much memory. */
    private static final Object DECODING = new Object();
    /** Longer side of a bitmap to show, in pixels. */
    private static final int SHOWN = 1280;
    /** Pixels of a band where memory is short: 8 MB as a bitmap. */
    private static final long FEW_PIXELS = PhotoSize.MAX_PIXELS / 8;

    private Stills() {}

    /**
     * Read a photo of any size; of an animation the first frame.
     *
     * @param reading told when the other app has answered; once it is given up nothing more is done
     */
    static Photo read(Context context, Uri uri, Readings.Reading reading) throws PhotoException {
        try (PhotoFile file = PhotoFile.copy(context, uri, reading)) {
            synchronized (DECODING) {
                return decode(file);
            }
        } catch (IOException | RuntimeException error) { // providers are other apps: they throw what they like
            throw new PhotoException(Message.PHOTO_UNREADABLE, Errors.said(error));
        } catch (OutOfMemoryError error) {
            throw new PhotoException(Message.PHOTO_TOO_LARGE, Errors.said(error));
        }
    }

    private static Photo decode(PhotoFile file) throws IOException, PhotoException {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        decode(file, options);
        int width = options.outWidth;
        int height = options.outHeight;
        if (width < 1 || height < 1) {
            throw new PhotoException(Message.PHOTO_UNREADABLE, "");
        }
        int step = PhotoSize.step(width, height);
        if (step == 0) {
            throw new PhotoException(Message.PHOTO_TOO_LARGE, width + " × " + height);
        }
        int orientation = orientation(file);
        options.inJustDecodeBounds = false;
        long bandPixels = PhotoSize.MAX_PIXELS;
        if (step == 1) {
            try {
                return new Photo(decoded(file, options, 1), null, orientation, "");
            } catch (OutOfMemoryError error) { // before API 26 bitmaps take the app's own memory
                step = 2;
                bandPixels = FEW_PIXELS;
            }
        }
        PhotoBands bands = bands(file, bandPixels);
        int shown = bands == null ? step : PhotoSize.shownStep(width, height, SHOWN);
        Bitmap bitmap = null;
        try {
            bitmap = decoded(file, options, shown);
        } finally {
            if (bitmap == null && bands != null) {
                bands.close();
            }
        }
        return new Photo(bitmap, bands, orientation, bands == null ? width + " × " + height : "");
    }

    private static Bitmap decoded(PhotoFile file, BitmapFactory.Options options, int step)
            throws IOException, PhotoException {
        options.inSampleSize = step;
        Bitmap bitmap = decode(file, options);
        if (bitmap == null) {
            throw new PhotoException(Message.PHOTO_UNREADABLE, options.outMimeType == null ? "" : options.outMimeType);
        }
        return bitmap;
    }

    /** Return what decodes a large photo in bands; null where its format cannot be. */
    private static PhotoBands bands(PhotoFile file, long bandPixels) throws IOException {
        try (InputStream stream = file.open()) {
            return PhotoBands.open(stream, bandPixels);
        }
    }

    private static Bitmap decode(PhotoFile file, BitmapFactory.Options options)
            throws IOException {
        try (InputStream stream = file.open()) {
            return BitmapFactory.decodeStream(stream, null, options);
        }
    }

    /** Return how a photo must be turned: {@code BitmapFactory} turns none, HEIC, AVIF and DNG neither. */
    static int orientation(PhotoFile file) throws IOException {
        try (InputStream stream = new BufferedInputStream(file.open())) {
            int found = Orientation.ofFile(stream);
            if (found != Orientation.UNKNOWN) {
                return found;
            }
        }
        try (InputStream stream = file.open()) {
            int found = new ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION, Orientation.UPRIGHT);
            return found >= 1 && found <= 8 ? found : Orientation.UPRIGHT;
        } catch (IOException | RuntimeException error) { // it reads some formats only, older Androids fewer
            return Orientation.UPRIGHT;
        }
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
