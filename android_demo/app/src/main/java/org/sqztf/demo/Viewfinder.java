package org.sqztf.demo;

import android.annotation.SuppressLint;
import android.app.Activity;
import android.view.GestureDetector;
import android.view.MotionEvent;
import android.view.ScaleGestureDetector;
import android.view.View;
import android.widget.ImageButton;
import android.widget.TextView;

/** What can be done with the live picture: pinch to zoom, touch to focus, turn the torch on. */
final class Viewfinder {
    private final CameraFeed feed;
    private final Overlay overlay;
    private final ImageButton torch;
    private final TextView zoom;
    private boolean live;
    private Boolean lit; // as it is shown; null at first
    private float factor; // as it is shown

    Viewfinder(Activity activity, CameraFeed feed) {
        this.feed = feed;
        overlay = ScreenView.find(activity, R.id.overlay);
        torch = ScreenView.find(activity, R.id.torch);
        zoom = ScreenView.find(activity, R.id.zoom);
        ScreenView.speakAsButton(zoom);
        torch.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                Viewfinder.this.feed.torch(!Viewfinder.this.feed.torch());
                show(live);
            }
        });
        zoom.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                zoomBy(0);
            }
        });
        listenToTouches(activity);
    }

    @SuppressLint("ClickableViewAccessibility") // the camera focuses by itself, and the button zooms too
    private void listenToTouches(Activity activity) {
        final ScaleGestureDetector pinches = new ScaleGestureDetector(activity, new Pinches());
        final GestureDetector touches = new GestureDetector(activity, new Touches());
        overlay.setOnTouchListener(new View.OnTouchListener() {
            @Override
            public boolean onTouch(View view, MotionEvent event) {
                if (!live) {
                    return false;
                }
                pinches.onTouchEvent(event);
                touches.onTouchEvent(event);
                return true;
            }
        });
    }

    private final class Pinches extends ScaleGestureDetector.SimpleOnScaleGestureListener {
        @Override
        public boolean onScale(ScaleGestureDetector detector) {
            zoomBy(detector.getScaleFactor());
            return true;
        }
    }

    private final class Touches extends GestureDetector.SimpleOnGestureListener {
        @Override
        public boolean onDown(MotionEvent event) {
            return true;
        }

        @Override
        public boolean onSingleTapUp(MotionEvent event) {
            focus(event.getX(), event.getY());
            return true;
        }
    }

    /** Focus on a point, in pixels of the overlay. */
    void focus(float x, float y) {
        float[] point = overlay.onPicture(x, y);
        if (point != null && feed.focus(point[0], point[1])) {
            overlay.ring(x, y);
        }
    }

    /** Zoom in by a factor; 0 goes to the next of a few. */
    void zoomBy(float factor) {
        feed.zoomBy(factor);
        show(live);
    }

    /** Show what the camera offers; {@code running} tells whether it is seen. */
    void show(boolean running) {
        live = running;
        torch.setVisibility(running && feed.hasTorch() ? View.VISIBLE : View.GONE);
        showTorch(feed.torch());
        boolean zooms = running && feed.zoom() != null && feed.zoom().possible();
        zoom.setVisibility(zooms ? View.VISIBLE : View.GONE);
        if (zooms) {
            showFactor(feed.zoom().factor());
        }
    }

    private void showTorch(boolean on) {
        if (lit == null || lit != on) { // frames come often, and icons cost
            torch.setImageResource(on ? R.drawable.ic_torch_on : R.drawable.ic_torch);
            torch.setSelected(on);
            lit = on;
        }
    }

    private void showFactor(float now) {
        if (now != factor) {
            zoom.setText(zoom.getResources().getString(R.string.zoom, now));
            zoom.setContentDescription(zoom.getResources().getString(R.string.zoom_spoken, now));
            factor = now;
        }
    }
}
