package org.sqztf.demo;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.BitmapRegionDecoder;
import android.graphics.Rect;
import java.io.IOException;
import java.io.InputStream;
import org.sqztf.core.BandedPixels;
import org.sqztf.core.SqzPicture;

/** A photo that is too large to be decoded at once: bands of its rows are, one at a time. */
final class PhotoBands implements BandedPixels.Decoder, AutoCloseable {

    /** Decodes a part of a picture. */
    interface Regions {
        int width();

        int height();

        Bitmap decode(Rect part);

        void close();
    }

    /** What reads a picture; tests have another than Android's. */
    interface Opener {
        /** Return null where the format is none that parts can be decoded of. */
        Regions open(InputStream file) throws IOException;
    }

    static Opener opener = new Opener() {
        @Override
        @SuppressWarnings("deprecation")
        public Regions open(InputStream file) throws IOException {
            return of(BitmapRegionDecoder.newInstance(file, false));
        }
    };

    private final Regions regions;
    private final long bandPixels;
    private Bitmap band;

    private PhotoBands(Regions regions, long bandPixels) {
        this.regions = regions;
        this.bandPixels = bandPixels;
    }

    /**
     * Return what decodes a photo; null where it cannot be decoded in parts. The stream is not needed afterwards.
     *
     * @param bandPixels how many pixels are decoded at once
     */
    static PhotoBands open(InputStream file, long bandPixels) {
        try {
            Regions regions = opener.open(file);
            return regions == null ? null : new PhotoBands(regions, bandPixels);
        } catch (IOException | RuntimeException error) { // it reads fewer formats than BitmapFactory
            return null;
        }
    }

    private static Regions of(final BitmapRegionDecoder decoder) {
        return decoder == null ? null : new Regions() {
            @Override
            public int width() {
                return decoder.getWidth();
            }

            @Override
            public int height() {
                return decoder.getHeight();
            }

            @Override
            public Bitmap decode(Rect part) {
                return decoder.decodeRegion(part, new BitmapFactory.Options());
            }

            @Override
            public void close() {
                decoder.recycle();
            }
        };
    }

    SqzPicture.Pixels pixels() {
        return new BandedPixels(regions.width(), regions.height(), bandPixels, this);
    }

    @Override
    public SqzPicture.Pixels decode(int y, int rows) {
        free();
        band = regions.decode(new Rect(0, y, regions.width(), y + rows));
        if (band == null) {
            throw new IllegalStateException("rows " + y + " to " + (y + rows) + " cannot be decoded");
        }
        return new BitmapPixels(band);
    }

    private void free() {
        if (band != null) {
            band.recycle();
            band = null;
        }
    }

    @Override
    public void close() {
        free();
        regions.close();
    }
}
