package org.sqztf.core;

/** Pixels in bytes, rows from the top, with a row stride: grey (1 byte), RGB (3) or RGBA (4, laid on white). */
public final class PackedPixels implements SqzPicture.Pixels {
    private final byte[] bytes;
    private final int width;
    private final int height;
    private final int rowStride;
    private final int channels;

    /**
     * Wrap pixels.
     *
     * @param bytes the pixels, not copied
     * @param width width in pixels
     * @param height height in pixels
     * @param rowStride bytes from a row to the next, at least width × channels
     * @param channels 1, 3 or 4
     */
    public PackedPixels(byte[] bytes, int width, int height, int rowStride, int channels) {
        long needed = (long) rowStride * (height - 1) + (long) width * channels;
        if (width < 1 || height < 1 || rowStride < width * channels || bytes.length < needed
                || (channels != 1 && channels != 3 && channels != 4)) {
            throw new IllegalArgumentException(bytes.length + " bytes for " + width + " × " + height + " pixels of "
                    + channels + " bytes in rows of " + rowStride);
        }
        this.bytes = bytes;
        this.width = width;
        this.height = height;
        this.rowStride = rowStride;
        this.channels = channels;
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
        int at = y * rowStride + x * channels;
        for (int i = 0; i < count; i++, at += channels) {
            rgb[i] = pixel(at);
        }
    }

    private int pixel(int at) {
        int first = bytes[at] & 0xFF;
        if (channels == 1) {
            return 0xFF000000 | first * 0x010101;
        }
        int colour = first << 16 | (bytes[at + 1] & 0xFF) << 8 | bytes[at + 2] & 0xFF;
        return channels == 3 ? 0xFF000000 | colour : SqzPicture.onWhite((bytes[at + 3] & 0xFF) << 24 | colour);
    }
}
