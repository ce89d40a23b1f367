package org.sqztf.demo;

import android.media.Image;
import java.nio.ByteBuffer;

/** What the app needs of a camera's frame: three planes, luma first. An {@link Image} cannot be made by tests. */
interface CameraFrame extends AutoCloseable {
    int width();

    int height();

    ByteBuffer bytes(int plane);

    int rowStride(int plane);

    int pixelStride(int plane);

    @Override
    void close();

    /** A frame as Android delivers it. */
    final class OfImage implements CameraFrame {
        private final Image image;

        OfImage(Image image) {
            this.image = image;
        }

        @Override
        public int width() {
            return image.getWidth();
        }

        @Override
        public int height() {
            return image.getHeight();
        }

        @Override
        public ByteBuffer bytes(int plane) {
            return image.getPlanes()[plane].getBuffer();
        }

        @Override
        public int rowStride(int plane) {
            return image.getPlanes()[plane].getRowStride();
        }

        @Override
        public int pixelStride(int plane) {
            return image.getPlanes()[plane].getPixelStride();
        }

        @Override
        public void close() {
            image.close();
        }
    }
}
