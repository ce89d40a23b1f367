package org.sqztf.core;

/**
 * A picture that is decoded a band of rows at a time, so that one of any size is read whole in bounded memory.
 *
 * <p>Each band is decoded once where rows come in order, from the top or from the bottom; bands without a wanted row are not
 * decoded at all.
 */
public final class BandedPixels implements SqzPicture.Pixels {

    /** Decodes rows of a picture. */
    public interface Decoder {
        /**
         * Decode whole rows.
         *
         * @param y the first row
         * @param rows how many
         * @return as many rows
         */
        SqzPicture.Pixels decode(int y, int rows);
    }

    private final int width;
    private final int height;
    private final int bandRows;
    private final Decoder decoder;
    private SqzPicture.Pixels band;
    private int bandStart = -1;

    /**
     * Read a picture through a decoder.
     *
     * @param width width in pixels
     * @param height height in pixels
     * @param bandPixels how many pixels a band may have; it has a row at least
     */
    public BandedPixels(int width, int height, long bandPixels, Decoder decoder) {
        this.width = width;
        this.height = height;
        this.decoder = decoder;
        bandRows = (int) Math.max(1, Math.min(height, bandPixels / width));
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public int height() {
        return height;
    }

    @Override
    public void read(int x, int y, int count, int[] rgb) {
        int start = y - y % bandRows;
        if (start != bandStart) {
            band = null; // its memory is free before more is taken
            band = decoder.decode(start, Math.min(bandRows, height - start));
            bandStart = start;
        }
        band.read(x, y - start, count, rgb);
    }
}
