package org.sqztf.demo;

import android.graphics.Bitmap;
import java.nio.ByteBuffer;

/** A camera's frame of a picture, lying as a phone held upright delivers it. */
final class SceneFrame implements CameraFrame {
    private final int width;
    private final int height;
    private final ByteBuffer[] planes = new ByteBuffer[3];

    /** Take the frame of an upright picture with even sides. */
    SceneFrame(Bitmap upright) {
        width = upright.getHeight();
        height = upright.getWidth();
        planes[0] = ByteBuffer.allocateDirect(width * height);
        planes[1] = ByteBuffer.allocateDirect(width * height / 4);
        planes[2] = ByteBuffer.allocateDirect(width * height / 4);
        int[] pixels = new int[width * height];
        upright.getPixels(pixels, 0, height, 0, 0, height, width);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                put(x, y, pixels[x * height + height - 1 - y]);
            }
        }
    }

    /** Write a pixel as JPEG's YCbCr. */
    private void put(int x, int y, int colour) {
        double red = colour >> 16 & 0xFF;
        double green = colour >> 8 & 0xFF;
        double blue = colour & 0xFF;
        double luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        planes[0].put(y * width + x, (byte) Math.round(luma));
        int at = y / 2 * (width / 2) + x / 2;
        planes[1].put(at, (byte) Math.round(128 + 0.564 * (blue - luma)));
        planes[2].put(at, (byte) Math.round(128 + 0.713 * (red - luma)));
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
    public ByteBuffer bytes(int plane) {
        return planes[plane].duplicate();
    }

    @Override
    public int rowStride(int plane) {
        return plane == 0 ? width : width / 2;
    }

    @Override
    public int pixelStride(int plane) {
        return 1;
    }

    @Override
    public void close() {}
}
