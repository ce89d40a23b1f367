package org.sqztf.core;

/** Where on a camera's sensor a point of its upright picture lies. */
public final class FocusPoint {
    private static final int SHARE = 8; // the square to focus on has this part of the shorter side

    private FocusPoint() {}

    /**
     * Return the square to focus on: left, top, width, height on the sensor, inside the part that is read.
     *
     * @param x 0 to 1 from the left of the upright picture
     * @param y 0 to 1 from its top
     * @param orientation how frames are turned to be upright: 1, 3, 6 or 8
     * @param frameWidth width of a frame as it is delivered
     * @param frameHeight height of a frame
     * @param region the part of the sensor that is read: left, top, width, height; frames have its middle
     */
    public static int[] square(float x, float y, int orientation, int frameWidth, int frameHeight, int[] region) {
        float[] stored = stored(x, y, orientation);
        float scale = Math.min((float) region[2] / frameWidth, (float) region[3] / frameHeight);
        float width = scale * frameWidth;
        float height = scale * frameHeight;
        float centreX = region[0] + (region[2] - width) / 2 + stored[0] * width;
        float centreY = region[1] + (region[3] - height) / 2 + stored[1] * height;
        int side = Math.max(1, Math.min(region[2], region[3]) / SHARE);
        return new int[] {
            inside(centreX, side, region[0], region[2]), inside(centreY, side, region[1], region[3]), side, side
        };
    }

    /** Return where in a frame as it is delivered a point of the upright picture lies. */
    private static float[] stored(float x, float y, int orientation) {
        switch (orientation) {
            case 3:
                return new float[] {1 - x, 1 - y};
            case 6:
                return new float[] {y, 1 - x};
            case 8:
                return new float[] {1 - y, x};
            default:
                return new float[] {x, y};
        }
    }

    private static int inside(float centre, int side, int start, int length) {
        int begin = Math.round(centre - side / 2f);
        return Math.max(start, Math.min(start + length - side, begin));
    }
}
