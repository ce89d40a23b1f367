package org.sqztf.demo;

import java.nio.ByteBuffer;

/** A camera's frame of one colour, with gaps behind its rows and between its chroma samples. */
final class FakeFrame implements CameraFrame {
    private static final int GAP = 16;
    private static final int STEP = 2;

    private final int width;
    private final int height;
    private final int luma;
    int closed;
    /** Bytes that are missing at the end of every plane. */
    int missing;

    FakeFrame(int width, int height, int luma) {
        this.width = width;
        this.height = height;
        this.luma = luma;
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
        if (closed > 0) {
            throw new IllegalStateException("the frame is closed");
        }
        int rows = plane == 0 ? height : height / 2;
        ByteBuffer bytes = ByteBuffer.allocateDirect(rowStride(plane) * rows - GAP - pixelStride(plane) + 1 - missing);
        while (bytes.hasRemaining()) {
            bytes.put((byte) (plane == 0 ? luma : 128));
        }
        bytes.rewind();
        return bytes;
    }

    @Override
    public int rowStride(int plane) {
        return (plane == 0 ? width : width / 2 * STEP) + GAP;
    }

    @Override
    public int pixelStride(int plane) {
        return plane == 0 ? 1 : STEP;
    }

    @Override
    public void close() {
        closed++;
    }
}
