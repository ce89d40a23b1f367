package org.sqztf.demo;

import android.graphics.ImageFormat;
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
import java.util.Arrays;
import java.util.List;
import org.sqztf.core.ScreenState.Camera;

/**
 * One opening of a camera, from its first call to its last. Calls to the camera's service may take their time: all of them
 * run on one thread of the process, in the order in which they were asked for, so that a camera is closed before it is
 * opened again, one that was still being opened among them. Its methods are for the main thread and return at once.
 */
final class CameraLink {

    /** Who is told; on the main thread, and not after {@link #close}. */
    interface Events {
        /** A camera was found and is being opened. */
        void found(Found camera);

        /** It is open, and waits for a surface. */
        void opened();

        /** Frames come. */
        void running();

        /** It stopped; {@code any} tells whether another camera that is let go of may help, too. */
        void stopped(Camera why, boolean any);
    }

    /** Who takes a frame, on the thread of cameras; it is closed when this returns. */
    interface Frames {
        void frame(CameraFrame frame);
    }

    /** What is known of a camera before it is open. */
    static final class Found {
        final String id;
        final Size size;
        final CameraControls controls;
        final int sensorDegrees;
        final boolean front;

        Found(String id, CameraCharacteristics camera) {
            this.id = id;
            StreamConfigurationMap map = camera.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
            size = map == null ? null : Cameras.size(map);
            controls = new CameraControls(camera);
            Integer sensor = camera.get(CameraCharacteristics.SENSOR_ORIENTATION);
            sensorDegrees = sensor == null ? 0 : sensor;
            front = Cameras.looks(camera, CameraCharacteristics.LENS_FACING_FRONT);
        }
    }

    private static HandlerThread thread;

    private final CameraManager manager;
    private final Events events;
    private final Frames frames;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final Handler cameras = new Handler(looper());
    private volatile boolean closed;
    // on the thread of cameras only
    private CameraControls controls;
    private CameraDevice device;
    private ImageReader reader;
    private Session session; // that has the surface, or will
    private CameraRequests requests; // null while none runs

    /** Open the camera that looks away from the user, or any. */
    CameraLink(CameraManager manager, Events events, Frames frames) {
        this.manager = manager;
        this.events = events;
        this.frames = frames;
        post(new Runnable() {
            @Override
            public void run() {
                openNext();
            }
        });
    }

    /** Open it after what waits for this thread by now: that the one before was opened, and is closed therefore. */
    private void openNext() {
        post(new Runnable() {
            @Override
            public void run() {
                open();
            }
        });
    }

    /** Return the looper of the thread on which all cameras are called. */
    static synchronized Looper looper() {
        if (thread == null || !thread.isAlive()) {
            thread = new HandlerThread("cameras");
            thread.start();
        }
        return thread.getLooper();
    }

    /** Do something on the thread of cameras, unless this is closed by then. */
    private void post(final Runnable action) {
        cameras.post(new Runnable() {
            @Override
            public void run() {
                if (!closed) {
                    action.run();
                }
            }
        });
    }

    private void tell(final Runnable event) {
        main.post(new Runnable() {
            @Override
            public void run() {
                if (!closed) {
                    event.run();
                }
            }
        });
    }

    /** Let frames come, on this surface too; once it is open. */
    void show(final Surface surface) {
        post(new Runnable() {
            @Override
            public void run() {
                configure(surface);
            }
        });
    }

    /** The surface is gone. */
    void hide() {
        post(new Runnable() {
            @Override
            public void run() {
                session = null;
                requests = null;
            }
        });
    }

    /** Tell the camera what is set now; {@code focus} lets it begin to focus as well. */
    void repeat(final boolean focus) {
        post(new Runnable() {
            @Override
            public void run() {
                request(focus);
            }
        });
    }

    /** Close whatever is open; nothing is told any more. */
    void close() {
        closed = true;
        cameras.post(new Runnable() {
            @Override
            public void run() {
                end();
            }
        });
    }

    // On the thread of cameras -------------------------------------------------------------------------------

    private void open() {
        try {
            String id = Cameras.choose(manager);
            if (id == null) {
                stopped(Camera.NONE, false);
                return;
            }
            Found found = new Found(id, manager.getCameraCharacteristics(id));
            if (found.size == null) {
                stopped(Camera.FAILED, false); // it delivers no frames
                return;
            }
            prepare(found);
            manager.openCamera(id, new Device(), cameras);
        } catch (CameraAccessException error) {
            refused(error);
        } catch (SecurityException | IllegalArgumentException | IllegalStateException error) {
            stopped(Camera.FAILED, false);
        }
    }

    private void prepare(final Found found) {
        controls = found.controls;
        reader = ImageReader.newInstance(found.size.getWidth(), found.size.getHeight(), ImageFormat.YUV_420_888, 2);
        reader.setOnImageAvailableListener(new Images(), cameras);
        tell(new Runnable() {
            @Override
            public void run() {
                events.found(found);
            }
        });
    }

    private void configure(Surface surface) {
        if (device == null || !surface.isValid()) { // it is gone by now; another one will come
            return;
        }
        List<Surface> surfaces = Arrays.asList(surface, reader.getSurface());
        session = new Session(surfaces);
        try {
            device.createCaptureSession(surfaces, session, cameras);
        } catch (CameraAccessException error) {
            refused(error);
        } catch (IllegalArgumentException | IllegalStateException error) {
            stopped(Camera.FAILED, false);
        }
    }

    private void request(boolean focus) {
        if (requests == null) {
            return;
        }
        try {
            requests.repeat();
        } catch (CameraAccessException error) {
            refused(error);
            return;
        } catch (IllegalArgumentException | IllegalStateException error) {
            stopped(Camera.FAILED, false);
            return;
        }
        if (focus) {
            focus();
        }
    }

    private void focus() {
        try {
            requests.focus();
        } catch (CameraAccessException | IllegalArgumentException | IllegalStateException error) {
            return; // the camera goes on as it was; if it is lost it says so itself
        }
    }

    private void end() {
        session = null;
        requests = null;
        if (device != null) {
            device.close();
            device = null;
        }
        if (reader != null) { // no frame is at work: they come on this thread
            reader.close();
            reader = null;
        }
    }

    private void refused(CameraAccessException error) {
        int code = error.getReason();
        stopped(code == CameraAccessException.MAX_CAMERAS_IN_USE,
                code == CameraAccessException.CAMERA_IN_USE || code == CameraAccessException.CAMERA_DISCONNECTED);
    }

    /** It stopped, because too many cameras are open, or because another app has this one, or else failed. */
    private void stopped(boolean tooMany, boolean taken) {
        stopped(tooMany || taken ? Camera.IN_USE : Camera.FAILED, tooMany);
    }

    private void stopped(final Camera why, final boolean any) {
        end();
        tell(new Runnable() {
            @Override
            public void run() {
                events.stopped(why, any);
            }
        });
    }

    /** Hand a frame out and close it, whatever happens; {@code taker} is null where nobody takes it. */
    static void deliver(CameraFrame frame, Frames taker) {
        try (CameraFrame closed = frame) {
            if (taker != null) {
                taker.frame(closed);
            }
        }
    }

    /** Hands frames out; each is closed whatever happens. */
    private final class Images implements ImageReader.OnImageAvailableListener {
        @Override
        public void onImageAvailable(ImageReader source) {
            try {
                Image image = source.acquireLatestImage();
                if (image != null) {
                    deliver(new CameraFrame.OfImage(image), closed ? null : frames);
                }
            } catch (IllegalStateException error) {
                return; // the reader was closed between the frame and this call
            } catch (UnsupportedOperationException error) { // the camera delivers another format than it was asked for
                stopped(Camera.FAILED, false);
            }
        }
    }

    private final class Device extends CameraDevice.StateCallback {
        @Override
        public void onOpened(CameraDevice opened) {
            if (closed) {
                opened.close();
                return;
            }
            device = opened;
            tell(new Runnable() {
                @Override
                public void run() {
                    events.opened();
                }
            });
        }

        @Override
        public void onDisconnected(CameraDevice lost) {
            lost.close();
            stopped(Camera.IN_USE, false);
        }

        @Override
        public void onError(CameraDevice failed, int code) {
            failed.close();
            stopped(code == ERROR_MAX_CAMERAS_IN_USE, code == ERROR_CAMERA_IN_USE);
        }
    }

    private final class Session extends CameraCaptureSession.StateCallback {
        private final List<Surface> surfaces;

        Session(List<Surface> surfaces) {
            this.surfaces = surfaces;
        }

        @Override
        public void onConfigured(CameraCaptureSession made) {
            if (closed || device == null || session != this) {
                return;
            }
            requests = new CameraRequests(device, made, controls, surfaces, cameras);
            request(false);
            if (requests != null) {
                tell(new Runnable() {
                    @Override
                    public void run() {
                        events.running();
                    }
                });
            }
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession failed) {
            if (session == this) {
                stopped(Camera.FAILED, false);
            }
        }
    }
}
