package org.sqztf.demo;

import android.content.Context;
import android.graphics.ImageFormat;
import android.graphics.Rect;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.os.Looper;
import android.util.Size;
import android.view.Surface;
import android.view.SurfaceHolder;
import java.util.Arrays;
import org.sqztf.core.Orientation;
import org.sqztf.core.ScreenState.Camera;
import org.sqztf.core.Zoom;

/** The live camera: shows its picture on a surface and hands frames out. Called from the main thread. */
final class CameraFeed implements SurfaceHolder.Callback {

    /** Who is told. */
    interface Listener {
        /** Frames come. On the main thread. */
        void onRunning();

        /** No frames come any more. On the main thread. */
        void onStopped(Camera why);

        /** A frame, on the camera's thread; it is closed when this returns. */
        void onFrame(CameraFrame frame, int orientation);
    }

    private final CameraManager manager;
    private final SurfaceHolder holder;
    private final AspectLayout box;
    private final Listener listener;
    private final Handler main = new Handler(Looper.getMainLooper());
    private volatile int displayDegrees;
    private volatile int sensorDegrees;
    private volatile boolean front;
    private HandlerThread thread;
    private CameraDevice device;
    private ImageReader reader;
    private Size size;
    private CameraControls controls;
    private CameraRequests requests; // null while none runs
    private boolean configured;
    private String wanted; // the camera that was opened last; null where letting go of any may help
    private final Runnable freeFocus = new Runnable() {
        @Override
        public void run() {
            if (controls != null) {
                controls.focusFreely();
                repeat();
            }
        }
    };
    private static final long FOCUSED_MILLIS = 4000; // a point stays in focus that long

    private volatile int opening; // counts openings, so that callbacks of one that was closed are told apart

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
        close();
        displayDegrees = degrees;
        int number = ++opening;
        try {
            String id = Cameras.choose(manager);
            if (id == null) {
                stopped(number, Camera.NONE);
                return;
            }
            wanted = id;
            prepare(manager.getCameraCharacteristics(id), number);
            manager.openCamera(id, new Device(number), main);
        } catch (CameraAccessException error) {
            refused(number, error);
        } catch (SecurityException | IllegalArgumentException | IllegalStateException error) {
            stopped(number, Camera.FAILED);
        }
    }

    /** The display was turned, in degrees from its natural orientation, while the camera stays open. */
    void turn(int degrees) {
        displayDegrees = degrees;
        if (controls != null) {
            shape();
        }
    }

    /** Tell whether a camera that another app let go of is the one that could not be had. */
    boolean waitsFor(String id) {
        return wanted == null || wanted.equals(id);
    }

    /** Give the preview the shape of an upright frame. */
    private void shape() {
        boolean turned = orientation() >= 5;
        box.setRatio(turned ? size.getHeight() : size.getWidth(), turned ? size.getWidth() : size.getHeight());
    }

    /** Return how a frame must be turned now. */
    private int orientation() {
        return Orientation.ofCamera(sensorDegrees, displayDegrees, front);
    }

    // What can be set while it runs --------------------------------------------------------------------------

    /** Return how far the camera is zoomed in; null where it is closed. */
    Zoom zoom() {
        return controls == null ? null : controls.zoom;
    }

    boolean hasTorch() {
        return controls != null && controls.hasTorch();
    }

    boolean torch() {
        return controls != null && controls.torch();
    }

    /** Turn the torch on or off. */
    void torch(boolean on) {
        if (controls != null) {
            controls.torch(on);
            repeat();
        }
    }

    /** Zoom in by a factor; 0 goes to the next of a few factors. */
    void zoomBy(float factor) {
        if (controls == null) {
            return;
        }
        if (factor == 0) {
            controls.zoom.next();
        } else {
            controls.zoom.by(factor);
        }
        repeat();
    }

    /**
     * Focus on a point of the picture that is shown for a while.
     *
     * @param x 0 to 1 from its left
     * @param y 0 to 1 from its top
     * @return whether the camera can
     */
    boolean focus(float x, float y) {
        if (requests == null || !controls.canFocus()) {
            return false;
        }
        controls.focusOn(x, y, orientation(), size.getWidth(), size.getHeight());
        main.removeCallbacks(freeFocus);
        main.postDelayed(freeFocus, FOCUSED_MILLIS);
        repeat();
        try {
            requests.focus();
            return true;
        } catch (CameraAccessException | IllegalArgumentException | IllegalStateException error) {
            return false; // the camera goes on as it was; if it is lost it says so itself
        }
    }

    private void repeat() {
        if (requests == null) {
            return;
        }
        try {
            requests.repeat();
        } catch (CameraAccessException error) {
            refused(opening, error);
        } catch (IllegalArgumentException | IllegalStateException error) {
            stopped(opening, Camera.FAILED);
        }
    }

    /** Close whatever is open. */
    void close() {
        opening++;
        main.removeCallbacks(freeFocus);
        controls = null;
        requests = null;
        if (device != null) {
            device.close();
            device = null;
        }
        configured = false;
        if (thread != null) {
            end(thread, closing(reader));
            reader = null;
            thread = null;
        }
    }

    private static Runnable closing(final ImageReader reader) {
        return new Runnable() {
            @Override
            public void run() {
                if (reader != null) {
                    reader.close();
                }
            }
        };
    }

    /** End a thread after what it is doing and this: a frame's memory is gone when its reader is closed. */
    static void end(HandlerThread thread, Runnable last) {
        new Handler(thread.getLooper()).post(last);
        thread.quitSafely();
    }

    private void prepare(CameraCharacteristics camera, int number) {
        StreamConfigurationMap map = camera.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
        size = map == null ? null : Cameras.smallest(map.getOutputSizes(ImageFormat.YUV_420_888));
        if (size == null) {
            throw new IllegalStateException("the camera delivers no YUV frames");
        }
        controls = new CameraControls(camera);
        Integer sensor = camera.get(CameraCharacteristics.SENSOR_ORIENTATION);
        sensorDegrees = sensor == null ? 0 : sensor;
        front = Cameras.looks(camera, CameraCharacteristics.LENS_FACING_FRONT);
        shape();
        holder.setFixedSize(size.getWidth(), size.getHeight());
        thread = new HandlerThread("camera");
        thread.start();
        reader = ImageReader.newInstance(size.getWidth(), size.getHeight(), ImageFormat.YUV_420_888, 2);
        reader.setOnImageAvailableListener(new Frames(number), new Handler(thread.getLooper()));
    }

    /** Start the session once the camera is open and the surface has the size of its frames. */
    private void configure() {
        if (device == null || configured || !hasSurface()) {
            return;
        }
        configured = true;
        int number = opening;
        try {
            device.createCaptureSession(Arrays.asList(holder.getSurface(), reader.getSurface()),
                    new Session(number), main);
        } catch (CameraAccessException error) {
            refused(number, error);
        } catch (IllegalArgumentException | IllegalStateException error) {
            stopped(number, Camera.FAILED);
        }
    }

    private boolean hasSurface() {
        Surface surface = holder.getSurface();
        Rect frame = holder.getSurfaceFrame();
        return surface != null && surface.isValid() && frame != null && frame.width() == size.getWidth()
                && frame.height() == size.getHeight();
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
        configured = false;
        requests = null;
    }

    private void stopped(int number, Camera why) {
        if (number == opening) {
            close();
            listener.onStopped(why);
        }
    }

    private void refused(int number, CameraAccessException error) {
        int code = error.getReason();
        stopped(number, code == CameraAccessException.MAX_CAMERAS_IN_USE,
                code == CameraAccessException.CAMERA_IN_USE || code == CameraAccessException.CAMERA_DISCONNECTED);
    }

    /** It stopped, because too many cameras are open, or because another app has this one, or else failed. */
    private void stopped(int number, boolean tooMany, boolean taken) {
        if (number == opening && tooMany) {
            wanted = null;
        }
        stopped(number, tooMany || taken ? Camera.IN_USE : Camera.FAILED);
    }

    /** Hand a frame out and close it, whatever happens; {@code listener} is null where nobody takes it. */
    static void deliver(CameraFrame frame, int orientation, Listener listener) {
        try (CameraFrame closed = frame) {
            if (listener != null) {
                listener.onFrame(closed, orientation);
            }
        }
    }

    /** Hands frames out; each is closed whatever happens. */
    private final class Frames implements ImageReader.OnImageAvailableListener {
        private final int number;

        Frames(int number) {
            this.number = number;
        }

        @Override
        public void onImageAvailable(ImageReader source) {
            try {
                Image image = source.acquireLatestImage();
                if (image != null) {
                    deliver(new CameraFrame.OfImage(image), orientation(), number == opening ? listener : null);
                }
            } catch (IllegalStateException error) {
                // The reader was closed between the frame and this call.
            } catch (UnsupportedOperationException error) { // the camera delivers another format than it was asked for
                failed(number);
            }
        }
    }

    /** The camera's frames cannot be read; from any thread. */
    private void failed(final int number) {
        main.post(new Runnable() {
            @Override
            public void run() {
                stopped(number, Camera.FAILED);
            }
        });
    }

    private final class Device extends CameraDevice.StateCallback {
        private final int number;

        Device(int number) {
            this.number = number;
        }

        @Override
        public void onOpened(CameraDevice opened) {
            if (number != opening) {
                opened.close();
                return;
            }
            device = opened;
            configure();
        }

        @Override
        public void onDisconnected(CameraDevice lost) {
            lost.close();
            stopped(number, Camera.IN_USE);
        }

        @Override
        public void onError(CameraDevice failed, int code) {
            failed.close();
            stopped(number, code == ERROR_MAX_CAMERAS_IN_USE, code == ERROR_CAMERA_IN_USE);
        }
    }

    private final class Session extends CameraCaptureSession.StateCallback {
        private final int number;

        Session(int number) {
            this.number = number;
        }

        @Override
        public void onConfigured(CameraCaptureSession made) {
            if (number != opening || device == null) {
                return;
            }
            requests = new CameraRequests(device, made, controls,
                    Arrays.asList(holder.getSurface(), reader.getSurface()), main);
            repeat();
            if (number == opening) {
                listener.onRunning();
            }
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession failed) {
            stopped(number, Camera.FAILED);
        }
    }
}
