package org.sqztf.demo;

import android.graphics.Bitmap;
import org.sqztf.core.SqzPicture;

/** The pixels of a bitmap, transparency laid on white. */
final class BitmapPixels implements SqzPicture.Pixels {
    private final Bitmap bitmap;

    BitmapPixels(Bitmap bitmap) {
        this.bitmap = bitmap;
    }

    @Override
    public int width() {
        return bitmap.getWidth();
    }

    @Override
    public int height() {
        return bitmap.getHeight();
    }

    @Override
    public void read(int x, int y, int count, int[] rgb) {
        bitmap.getPixels(rgb, 0, count, x, y, count, 1);
        for (int i = 0; i < count; i++) {
            rgb[i] = SqzPicture.onWhite(rgb[i]);
        }
    }
}
