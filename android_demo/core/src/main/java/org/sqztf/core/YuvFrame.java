package org.sqztf.core;

import java.nio.ByteBuffer;

/**
 * A camera's frame in YUV 4:2:0 with three planes, copied so that the camera gets its buffer back at once.
 *
 * <p>Rows may be longer than the picture (row stride) and chroma samples may lie apart (pixel stride). Colours are
 * full-range BT.601, which is what cameras deliver as {@code YUV_420_888}; in 16-bit fixed point:
 * <pre>
 * R = clip((65536 Y              +  91881 (V − 128) + 32768) >> 16)
 * G = clip((65536 Y − 22554 (U − 128) − 46802 (V − 128) + 32768) >> 16)
 * B = clip((65536 Y + 116130 (U − 128)              + 32768) >> 16)
 * </pre>
 */
public final class YuvFrame implements SqzPicture.Pixels {
    private int width;
    private int height;
    private byte[] luma = new byte[0];
    private byte[] blue = new byte[0];
    private byte[] red = new byte[0];
    private byte[] woven = new byte[0]; // one row of chroma whose samples lie apart

    /**
     * Take a frame; memory is reused.
     *
     * @param width width in pixels
     * @param height height in pixels
     * @param y luma, from the buffer's start; pixels lie side by side
     * @param yRowStride bytes from a row to the next
     * @param u blue difference, half as many rows and columns (rounded up), from the buffer's start
     * @param v red difference, laid out like u
     * @param uvRowStride bytes from a row of chroma to the next
     * @param uvPixelStride bytes from a chroma sample to the next
     */
    public void copy(int width, int height, ByteBuffer y, int yRowStride, ByteBuffer u, ByteBuffer v,
            int uvRowStride, int uvPixelStride) {
        this.width = width;
        this.height = height;
        int halfWidth = (width + 1) / 2;
        int halfHeight = (height + 1) / 2;
        luma = room(luma, width * height);
        blue = room(blue, halfWidth * halfHeight);
        red = room(red, halfWidth * halfHeight);
        plane(y, yRowStride, 1, width, height, luma);
        plane(u, uvRowStride, uvPixelStride, halfWidth, halfHeight, blue);
        plane(v, uvRowStride, uvPixelStride, halfWidth, halfHeight, red);
    }

    private static byte[] room(byte[] held, int size) {
        return held.length >= size ? held : new byte[size];
    }

    /** Copy a plane without its gaps. The last row may end with its last sample, short of a whole stride. */
    private void plane(ByteBuffer source, int rowStride, int pixelStride, int width, int height, byte[] to) {
        ByteBuffer from = source.duplicate();
        int length = (width - 1) * pixelStride + 1;
        woven = room(woven, pixelStride == 1 ? 0 : length);
        for (int y = 0; y < height; y++) {
            from.position(y * rowStride);
            if (pixelStride == 1) {
                from.get(to, y * width, width);
                continue;
            }
            from.get(woven, 0, length);
            for (int x = 0; x < width; x++) {
                to[y * width + x] = woven[x * pixelStride];
            }
        }
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
        int halfWidth = (width + 1) / 2;
        for (int i = 0; i < count; i++) {
            int column = x + i;
            int chroma = (y >> 1) * halfWidth + (column >> 1);
            int l = (luma[y * width + column] & 0xFF) << 16;
            int u = (blue[chroma] & 0xFF) - 128;
            int v = (red[chroma] & 0xFF) - 128;
            int r = clip(l + 91881 * v + 32768 >> 16);
            int g = clip(l - 22554 * u - 46802 * v + 32768 >> 16);
            int b = clip(l + 116130 * u + 32768 >> 16);
            rgb[i] = 0xFF000000 | r << 16 | g << 8 | b;
        }
    }

    private static int clip(int value) {
        return Math.max(0, Math.min(255, value));
    }
}
