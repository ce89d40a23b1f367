package org.sqztf.demo;

import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CaptureRequest;
import android.os.Handler;
import android.view.Surface;
import java.util.List;

/** Tells the session that runs what is set on its camera. For the thread of cameras. */
final class CameraRequests {
    private final CameraDevice device;
    private final CameraCaptureSession session;
    private final CameraControls controls;
    private final List<Surface> surfaces;
    private final Handler cameras;

    CameraRequests(CameraDevice device, CameraCaptureSession session, CameraControls controls, List<Surface> surfaces,
            Handler cameras) {
        this.device = device;
        this.session = session;
        this.controls = controls;
        this.surfaces = surfaces;
        this.cameras = cameras;
    }

    /** Take every frame from now on as it is set. */
    void repeat() throws CameraAccessException {
        CaptureRequest.Builder builder = builder();
        controls.fill(builder);
        session.setRepeatingRequest(builder.build(), null, cameras);
    }

    /** Begin to focus on the point that is set. */
    void focus() throws CameraAccessException {
        CaptureRequest.Builder builder = builder();
        if (controls.startFocus(builder)) {
            session.capture(builder.build(), null, cameras);
        }
    }

    private CaptureRequest.Builder builder() throws CameraAccessException {
        CaptureRequest.Builder builder = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
        for (Surface surface : surfaces) {
            builder.addTarget(surface);
        }
        return builder;
    }
}
