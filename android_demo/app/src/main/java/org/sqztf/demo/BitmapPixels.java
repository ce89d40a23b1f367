package org.sqztf.demo;

import android.graphics.Bitmap;
import org.sqztf.core.SqzPicture;

/** The pixels of a bitmap, transparency laid on white. */
final class BitmapPixels implements SqzPicture.Pixels {
    private final Bitmap bitmap;
    private int[] backwards = new int[0];

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
    public void read(int x, int y, int dx, int dy, int count, int[] rgb) {
        boolean forwards = dx + dy > 0;
        if (!forwards && backwards.length < count) {
            backwards = new int[count];
        }
        int[] to = forwards ? rgb : backwards;
        if (dx != 0) {
            bitmap.getPixels(to, 0, count, forwards ? x : x - count + 1, y, count, 1);
        } else {
            bitmap.getPixels(to, 0, 1, x, forwards ? y : y - count + 1, 1, count);
        }
        for (int i = 0; i < count; i++) {
            rgb[i] = SqzPicture.onWhite(forwards ? rgb[i] : backwards[count - 1 - i]);
        }
    }
}
