package org.sqztf.core;

/** How far a camera is zoomed in: a centred part of its sensor is read. */
public final class Zoom {
    private final float most;
    private float factor = 1;

    /**
     * Begin without zoom.
     *
     * @param most the largest factor; below 1 counts as 1
     */
    public Zoom(float most) {
        this.most = Math.max(1, most);
    }

    /** Return the factor: 1 for all of the sensor. */
    public float factor() {
        return factor;
    }

    /** Tell whether there is more than one factor. */
    public boolean possible() {
        return most > 1;
    }

    /** Zoom in by a factor; out where it is below 1. */
    public void by(float change) {
        factor = Math.max(1, Math.min(most, factor * change));
    }

    /** Go to the next of 1, 2, 4 … up to the largest, then back to 1: for those who do not pinch. */
    public void next() {
        float step = 1;
        while (step <= factor) {
            step *= 2;
        }
        factor = factor >= most ? 1 : Math.min(step, most);
    }

    /**
     * Return the part of the sensor: left, top, width, height.
     *
     * @param width width of the sensor in pixels
     * @param height height of the sensor in pixels
     */
    public int[] region(int width, int height) {
        int w = Math.max(1, Math.round(width / factor));
        int h = Math.max(1, Math.round(height / factor));
        return new int[] {(width - w) / 2, (height - h) / 2, w, h};
    }
}
