package org.sqztf.demo;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.Path;
import android.graphics.RectF;
import android.util.AttributeSet;
import android.view.View;
import java.util.Arrays;

/** Lies on the picture and shows what of it reaches the model, and where the camera was told to focus. */
public final class Overlay extends View {
    private static final long RING_MILLIS = 1200;

    private final float density = getResources().getDisplayMetrics().density;
    private final Paint scrim = new Paint();
    private final Paint line = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint corner = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final RectF frame = new RectF();
    private final Path corners = new Path();
    private final Path brackets = new Path();
    private int pictureWidth;
    private int pictureHeight;
    private float[] seen;
    private float[] ring;
    private final Runnable hideRing = new Runnable() {
        @Override
        public void run() {
            ring = null;
            invalidate();
        }
    };

    public Overlay(Context context, AttributeSet attributes) {
        super(context, attributes);
        scrim.setColor(context.getColor(R.color.scrim));
        corner.setColor(context.getColor(R.color.surface));
        line.setColor(context.getColor(R.color.on_chip));
        line.setStyle(Paint.Style.STROKE);
        line.setStrokeCap(Paint.Cap.ROUND);
        line.setStrokeWidth(3 * density);
    }

    /**
     * Show what reaches the model.
     *
     * @param width width of the picture that is shown, or of anything of its shape
     * @param height height of it
     * @param fractions left, top, right, bottom as fractions of the picture; null for nothing
     */
    void show(int width, int height, float[] fractions) {
        if (width == pictureWidth && height == pictureHeight && Arrays.equals(fractions, seen)) {
            return;
        }
        pictureWidth = width;
        pictureHeight = height;
        seen = fractions;
        invalidate();
    }

    /** Show for a moment that a point is focused on, in pixels of this view. */
    void ring(float x, float y) {
        ring = new float[] {x, y};
        removeCallbacks(hideRing);
        postDelayed(hideRing, RING_MILLIS);
        invalidate();
    }

    /** Return a point of this view as fractions of the picture; null where it lies beside the picture. */
    float[] onPicture(float x, float y) {
        RectF picture = picture();
        if (!picture.contains(x, y)) {
            return null;
        }
        return new float[] {(x - picture.left) / picture.width(), (y - picture.top) / picture.height()};
    }

    /** Return where the picture is: as large as fits, in the middle. */
    private RectF picture() {
        if (pictureWidth < 1 || pictureHeight < 1) {
            return new RectF();
        }
        float scale = Math.min((float) getWidth() / pictureWidth, (float) getHeight() / pictureHeight);
        float left = (getWidth() - scale * pictureWidth) / 2;
        float top = (getHeight() - scale * pictureHeight) / 2;
        return new RectF(left, top, left + scale * pictureWidth, top + scale * pictureHeight);
    }

    /** Return the part of this view whose picture reaches the model; empty where that is not known. */
    RectF frame() {
        RectF picture = picture();
        if (seen == null || picture.isEmpty()) {
            return new RectF();
        }
        return new RectF(picture.left + seen[0] * picture.width(), picture.top + seen[1] * picture.height(),
                picture.left + seen[2] * picture.width(), picture.top + seen[3] * picture.height());
    }

    @Override
    protected void onDraw(Canvas canvas) {
        RectF picture = picture();
        frame.set(frame());
        if (!frame.isEmpty()) {
            canvas.drawRect(picture.left, picture.top, picture.right, frame.top, scrim);
            canvas.drawRect(picture.left, frame.bottom, picture.right, picture.bottom, scrim);
            canvas.drawRect(picture.left, frame.top, frame.left, frame.bottom, scrim);
            canvas.drawRect(frame.right, frame.top, picture.right, frame.bottom, scrim);
            drawBrackets(canvas);
        }
        if (ring != null) {
            canvas.drawCircle(ring[0], ring[1], 28 * density, line);
        }
        drawCorners(canvas);
    }

    private void drawBrackets(Canvas canvas) {
        frame.inset(2 * density, 2 * density);
        float arm = Math.min(24 * density, Math.min(frame.width(), frame.height()) / 3);
        brackets.rewind();
        for (float[] at : new float[][] {{frame.left, frame.top, 1, 1}, {frame.right, frame.top, -1, 1},
            {frame.right, frame.bottom, -1, -1}, {frame.left, frame.bottom, 1, -1}}) {
            float radius = arm / 2;
            brackets.moveTo(at[0], at[1] + at[3] * arm);
            brackets.lineTo(at[0], at[1] + at[3] * radius);
            brackets.quadTo(at[0], at[1], at[0] + at[2] * radius, at[1]);
            brackets.lineTo(at[0] + at[2] * arm, at[1]);
        }
        canvas.drawPath(brackets, line);
    }

    /** Round the corners of what lies below, which cannot be clipped where it is the camera's surface. */
    private void drawCorners(Canvas canvas) {
        corners.rewind();
        corners.setFillType(Path.FillType.EVEN_ODD);
        corners.addRect(0, 0, getWidth(), getHeight(), Path.Direction.CW);
        corners.addRoundRect(0, 0, getWidth(), getHeight(), 24 * density, 24 * density, Path.Direction.CW);
        canvas.drawPath(corners, corner);
    }
}
