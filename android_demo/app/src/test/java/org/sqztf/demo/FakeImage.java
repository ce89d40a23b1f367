package org.sqztf.demo;

import android.graphics.ImageFormat;
import android.media.Image;
import java.nio.ByteBuffer;

/** A camera's frame of one colour, with gaps behind its rows and between its chroma samples. */
final class FakeImage extends Image {
    private static final int GAP = 16;
    private static final int STEP = 2;

    private final int width;
    private final int height;
    private final int luma;
    int closed;
    /** Bytes that are missing at the end of every plane. */
    int missing;

    FakeImage(int width, int height, int luma) {
        this.width = width;
        this.height = height;
        this.luma = luma;
    }

    @Override
    public int getFormat() {
        return ImageFormat.YUV_420_888;
    }

    @Override
    public int getWidth() {
        return width;
    }

    @Override
    public int getHeight() {
        return height;
    }

    @Override
    public long getTimestamp() {
        return 0;
    }

    @Override
    public int getTransform() {
        return 0;
    }

    @Override
    public int getScalingMode() {
        return 0;
    }

    @Override
    public Plane[] getPlanes() {
        if (closed > 0) {
            throw new IllegalStateException("the frame is closed");
        }
        return new Plane[] {plane(luma, width, height, 1), plane(128, width / 2, height / 2, STEP),
            plane(128, width / 2, height / 2, STEP)};
    }

    private Plane plane(int value, int width, int height, final int step) {
        final int stride = width * step + GAP;
        final ByteBuffer bytes = ByteBuffer.allocateDirect(stride * (height - 1) + (width - 1) * step + 1 - missing);
        while (bytes.hasRemaining()) {
            bytes.put((byte) value);
        }
        bytes.rewind();
        return new Plane() {
            @Override
            public int getRowStride() {
                return stride;
            }

            @Override
            public int getPixelStride() {
                return step;
            }

            @Override
            public ByteBuffer getBuffer() {
                return bytes;
            }
        };
    }

    @Override
    public void close() {
        closed++;
    }
}
