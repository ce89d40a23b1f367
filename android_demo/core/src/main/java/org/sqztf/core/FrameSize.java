package org.sqztf.core;

/** Chooses among the sizes that a camera offers. */
public final class FrameSize {
    /** The shorter side that frames should have: enough for every model's square, little to convert. */
    public static final int WANTED = 480;
    /** Pixels that are copied and shown thirty times a second without haste: 1920 × 1088. */
    static final long MOST = 1920 * 1088;

    private FrameSize() {}

    /**
     * Return the index of the size to ask for: the smallest of the shape of a picture, 4:3 to 16:9, whose shorter side is
     * at least {@code wanted}. Squares and strips are cut out of what the camera sees; one is taken only where the others
     * have more than {@link #MOST} pixels. Where all sizes are too small it is the one of the longest shorter side.
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
        int rank = rank(width, height, wanted);
        int otherRank = rank(otherWidth, otherHeight, wanted);
        if (rank != otherRank) {
            return rank < otherRank;
        }
        int shorter = Math.min(width, height);
        int otherShorter = Math.min(otherWidth, otherHeight);
        if (shorter < wanted && shorter != otherShorter) {
            return shorter > otherShorter;
        }
        return pixels(width, height) < pixels(otherWidth, otherHeight);
    }

    /** Return how well a size serves, 0 best. */
    private static int rank(int width, int height, int wanted) {
        if (Math.min(width, height) < wanted) {
            return 3;
        }
        if (pixels(width, height) > MOST) {
            return 2;
        }
        return isPicture(width, height) ? 0 : 1;
    }

    private static long pixels(int width, int height) {
        return (long) width * height;
    }

    /** Tell whether a size is of 4:3 to 16:9 or as near as codecs round it, such as 1920 × 1088, upright or not. */
    private static boolean isPicture(int width, int height) {
        int longer = Math.max(width, height);
        int shorter = Math.min(width, height);
        return 100L * longer >= 130L * shorter && 100L * longer <= 182L * shorter;
    }
}
