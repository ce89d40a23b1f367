package org.sqztf.demo;

import android.content.Context;
import android.util.AttributeSet;
import android.widget.FrameLayout;

/** As large as fits, with the aspect ratio of the camera's picture. */
public final class AspectLayout extends FrameLayout {
    private int ratioWidth = 3;
    private int ratioHeight = 4;

    public AspectLayout(Context context, AttributeSet attributes) {
        super(context, attributes);
    }

    /** Set the aspect ratio. */
    public void setRatio(int width, int height) {
        if (width != ratioWidth || height != ratioHeight) {
            ratioWidth = width;
            ratioHeight = height;
            requestLayout();
        }
    }

    int ratioWidth() {
        return ratioWidth;
    }

    int ratioHeight() {
        return ratioHeight;
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        int width = MeasureSpec.getSize(widthSpec);
        int height = MeasureSpec.getSize(heightSpec);
        if ((long) width * ratioHeight > (long) height * ratioWidth) {
            width = (int) ((long) height * ratioWidth / ratioHeight);
        } else {
            height = (int) ((long) width * ratioHeight / ratioWidth);
        }
        super.onMeasure(MeasureSpec.makeMeasureSpec(width, MeasureSpec.EXACTLY),
                MeasureSpec.makeMeasureSpec(height, MeasureSpec.EXACTLY));
    }
}
