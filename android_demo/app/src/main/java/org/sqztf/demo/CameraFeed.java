package org.sqztf.demo;

import android.content.Context;
import android.graphics.Rect;
import android.hardware.camera2.CameraManager;
import android.os.Handler;
import android.os.Looper;
import android.view.Surface;
import android.view.SurfaceHolder;
import java.util.ArrayList;
import java.util.List;
import org.sqztf.core.Orientation;
import org.sqztf.core.ScreenState.Camera;
import org.sqztf.core.Zoom;

/** The live camera: shows its picture on a surface and hands frames out. Called from the main thread, which never waits. */
final class CameraFeed implements SurfaceHolder.Callback {

    /** Who is told. */
    interface Listener {
        /** Frames come. On the main thread. */
        void onRunning();

        /** No frames come any more. On the main thread. */
        void onStopped(Camera why);

        /** A frame, on the thread of cameras; it is closed when this returns. */
        void onFrame(CameraFrame frame, int orientation);
    }

    private static final long FOCUSED_MILLIS = 4000; // a point stays in focus that long

    private final CameraManager manager;
    private final SurfaceHolder holder;
    private final AspectLayout box;
    private final Listener listener;
    private final Handler main = new Handler(Looper.getMainLooper());
    private volatile int displayDegrees;
    private volatile CameraLink.Found camera; // null while it is closed or not found yet
    private CameraLink link; // null while it is closed
    private boolean open;
    private boolean shown; // its session has the surface, or will
    private boolean running;
    private final List<String> freed = new ArrayList<>(); // cameras that another app let go of meanwhile
    private boolean again; // it was opened a second time because of one of them
    private String wanted; // the camera that was opened last; null where letting go of any may help
    private final Runnable freeFocus = new Runnable() {
        @Override
        public void run() {
            if (camera != null) {
                camera.controls.focusFreely();
                link.repeat(false);
            }
        }
    };

    CameraFeed(Context context, SurfaceHolder holder, AspectLayout box, Listener listener) {
        manager = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
        this.holder = holder;
        this.box = box;
        this.listener = listener;
        holder.addCallback(this);
    }

    /**
     * Open the camera that looks away from the user, or any. Frames come when the surface is there too.
     *
     * @param degrees how far the display is turned from its natural orientation
     */
    void open(int degrees) {
        again = false;
        displayDegrees = degrees;
        open();
    }

    private void open() {
        close();
        freed.clear();
        link = new CameraLink(manager, new Events(), new CameraLink.Frames() {
            @Override
            public void frame(CameraFrame frame) {
                CameraLink.Found from = camera;
                if (from != null) {
                    listener.onFrame(frame, orientation(from));
                }
            }
        });
    }

    /** Close whatever is open. */
    void close() {
        main.removeCallbacks(freeFocus);
        camera = null;
        open = false;
        shown = false;
        running = false;
        if (link != null) {
            link.close();
            link = null;
        }
    }

    /** The display was turned, in degrees from its natural orientation, while the camera stays open. */
    void turn(int degrees) {
        displayDegrees = degrees;
        if (camera != null) {
            shape();
        }
    }

    /** Another app has let go of a camera. */
    void freed(String id) {
        freed.add(id);
    }

    /** Tell whether a camera that another app let go of is the one that could not be had. */
    boolean waitsFor(String id) {
        return wanted == null || wanted.equals(id);
    }

    /** Give the preview the shape of an upright frame. */
    private void shape() {
        boolean turned = orientation(camera) >= 5;
        int width = camera.size.getWidth();
        int height = camera.size.getHeight();
        box.setRatio(turned ? height : width, turned ? width : height);
    }

    /** Return how a frame must be turned now. */
    private int orientation(CameraLink.Found from) {
        return Orientation.ofCamera(from.sensorDegrees, displayDegrees, from.front);
    }

    // What can be set while it runs --------------------------------------------------------------------------

    /** Return how far the camera is zoomed in; null where it is closed. */
    Zoom zoom() {
        return camera == null ? null : camera.controls.zoom;
    }

    boolean hasTorch() {
        return camera != null && camera.controls.hasTorch();
    }

    boolean torch() {
        return camera != null && camera.controls.torch();
    }

    /** Turn the torch on or off. */
    void torch(boolean on) {
        if (camera != null) {
            camera.controls.torch(on);
            link.repeat(false);
        }
    }

    /** Zoom in by a factor; 0 goes to the next of a few factors. */
    void zoomBy(float factor) {
        if (camera != null) {
            camera.controls.zoomBy(factor);
            link.repeat(false);
        }
    }

    /**
     * Focus on a point of the picture that is shown for a while.
     *
     * @param x 0 to 1 from its left
     * @param y 0 to 1 from its top
     * @return whether the camera can
     */
    boolean focus(float x, float y) {
        if (!running || !camera.controls.canFocus()) {
            return false;
        }
        camera.controls.focusOn(x, y, orientation(camera), camera.size.getWidth(), camera.size.getHeight());
        main.removeCallbacks(freeFocus);
        main.postDelayed(freeFocus, FOCUSED_MILLIS);
        link.repeat(true);
        return true;
    }

    // The surface --------------------------------------------------------------------------------------------

    /** Start the session once the camera is open and the surface has the size of its frames. */
    private void configure() {
        if (open && !shown && hasSurface()) {
            shown = true;
            link.show(holder.getSurface());
        }
    }

    private boolean hasSurface() {
        Surface surface = holder.getSurface();
        Rect frame = holder.getSurfaceFrame();
        return surface != null && surface.isValid() && frame != null && frame.width() == camera.size.getWidth()
                && frame.height() == camera.size.getHeight();
    }

    @Override
    public void surfaceCreated(SurfaceHolder created) {
        configure();
    }

    @Override
    public void surfaceChanged(SurfaceHolder changed, int format, int width, int height) {
        configure();
    }

    @Override
    public void surfaceDestroyed(SurfaceHolder destroyed) {
        shown = false;
        running = false;
        if (link != null) {
            link.hide();
        }
    }

    /** What the camera that is open now tells. */
    private final class Events implements CameraLink.Events {
        @Override
        public void found(CameraLink.Found found) {
            camera = found;
            wanted = found.id;
            shape();
            holder.setFixedSize(found.size.getWidth(), found.size.getHeight());
        }

        @Override
        public void opened() {
            open = true;
            freed.clear(); // one that is lost from now on is another app's
            configure();
        }

        @Override
        public void running() {
            running = true;
            listener.onRunning();
        }

        @Override
        public void stopped(Camera why, boolean any) {
            if (any) {
                wanted = null;
            }
            if (why == Camera.IN_USE && !again && isFree()) {
                again = true;
                CameraFeed.this.open();
            } else {
                close();
                listener.onStopped(why);
            }
        }

        /** Tell whether it was let go of between the refusal and its arrival: nobody tells so a second time. */
        private boolean isFree() {
            return wanted == null ? !freed.isEmpty() : freed.contains(wanted);
        }
    }
}
