package org.sqztf.core;

/** How much a photo must be reduced while it is decoded, so that any size fits a phone's memory. */
public final class PhotoSize {
    /** Largest picture decoded whole, in pixels: 64 MB as a bitmap. */
    public static final long MAX_PIXELS = 16L << 20;
    private static final int LARGEST_STEP = 16;

    private PhotoSize() {}

    /**
     * Return the step to decode with: every step-th pixel in both directions, a power of two.
     *
     * @return 1 to 16; 0 if the picture is empty or too large even then (over 4 gigapixels)
     */
    public static int step(int width, int height) {
        if (width < 1 || height < 1) {
            return 0;
        }
        long pixels = (long) width * height;
        for (int step = 1; step <= LARGEST_STEP; step *= 2) {
            if (pixels / step / step <= MAX_PIXELS) {
                return step;
            }
        }
        return 0;
    }

    /**
     * Return the step to decode with what is only to be shown: a power of two that leaves the longer side at least as long.
     *
     * @param longer the longer side to be shown
     */
    public static int shownStep(int width, int height, int longer) {
        int step = 1;
        while (Math.max(width, height) / (2 * step) >= longer) {
            step *= 2;
        }
        return step;
    }
}
