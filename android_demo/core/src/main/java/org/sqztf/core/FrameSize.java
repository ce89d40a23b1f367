package org.sqztf.core;

/** Chooses among the sizes that a camera offers. */
public final class FrameSize {
    /** The shorter side that frames should have: enough for every model, little to convert. */
    public static final int WANTED = 480;

    private FrameSize() {}

    /**
     * Return the index of the smallest size whose shorter side is at least {@code wanted}, or else of the largest.
     *
     * @param widths widths in pixels
     * @param heights heights in pixels, as many
     * @return −1 if there is no size
     */
    public static int choose(int[] widths, int[] heights, int wanted) {
        int best = -1;
        for (int i = 0; i < widths.length; i++) {
            if (best < 0 || better(widths[i], heights[i], widths[best], heights[best], wanted)) {
                best = i;
            }
        }
        return best;
    }

    private static boolean better(int width, int height, int otherWidth, int otherHeight, int wanted) {
        boolean enough = Math.min(width, height) >= wanted;
        boolean otherEnough = Math.min(otherWidth, otherHeight) >= wanted;
        long pixels = (long) width * height;
        long otherPixels = (long) otherWidth * otherHeight;
        if (enough != otherEnough) {
            return enough;
        }
        return enough ? pixels < otherPixels : pixels > otherPixels;
    }
}
