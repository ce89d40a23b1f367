package org.sqztf.demo;

import android.graphics.Rect;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CaptureRequest;
import android.hardware.camera2.params.MeteringRectangle;
import org.sqztf.core.FocusPoint;
import org.sqztf.core.Zoom;

/**
 * What can be set on a camera, and how it is set now: nothing is asked of a camera that it does not say it has.
 *
 * <p>Set on the main thread, and written into requests on the thread of cameras.
 */
final class CameraControls {
    final Zoom zoom;
    private final int[] focusModes;
    private final boolean focusRegions;
    private final boolean lightRegions;
    private final boolean flash;
    private final boolean mirrored; // the picture that is shown: a camera that looks at the user is a mirror
    private final Rect sensor;
    private boolean torch;
    private MeteringRectangle[] focus;

    CameraControls(CameraCharacteristics camera) {
        int[] modes = camera.get(CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES);
        focusModes = modes == null ? new int[0] : modes;
        focusRegions = some(camera.get(CameraCharacteristics.CONTROL_MAX_REGIONS_AF))
                && can(CaptureRequest.CONTROL_AF_MODE_AUTO);
        lightRegions = some(camera.get(CameraCharacteristics.CONTROL_MAX_REGIONS_AE));
        flash = Boolean.TRUE.equals(camera.get(CameraCharacteristics.FLASH_INFO_AVAILABLE));
        mirrored = Cameras.looks(camera, CameraCharacteristics.LENS_FACING_FRONT);
        sensor = camera.get(CameraCharacteristics.SENSOR_INFO_ACTIVE_ARRAY_SIZE);
        Float most = camera.get(CameraCharacteristics.SCALER_AVAILABLE_MAX_DIGITAL_ZOOM);
        zoom = new Zoom(most == null || sensor == null ? 1 : most);
    }

    private static boolean some(Integer count) {
        return count != null && count > 0;
    }

    private boolean can(int mode) {
        for (int offered : focusModes) {
            if (offered == mode) {
                return true;
            }
        }
        return false;
    }

    boolean hasTorch() {
        return flash;
    }

    boolean torch() {
        return torch;
    }

    synchronized void torch(boolean on) {
        torch = on && flash;
    }

    /** Zoom in by a factor; 0 goes to the next of a few factors. */
    synchronized void zoomBy(float factor) {
        if (factor == 0) {
            zoom.next();
        } else {
            zoom.by(factor);
        }
    }

    /** Tell whether a point can be focused on, or at least be exposed for. */
    boolean canFocus() {
        return sensor != null && (focusRegions || lightRegions);
    }

    /** Focus on a point of the picture that is shown, 0 to 1 from its left and top; see {@link FocusPoint#square}. */
    synchronized void focusOn(float x, float y, int orientation, int frameWidth, int frameHeight) {
        int[] square = FocusPoint.square(mirrored ? 1 - x : x, y, orientation, frameWidth, frameHeight,
                zoom.region(sensor.width(), sensor.height()));
        focus = new MeteringRectangle[] {
            new MeteringRectangle(square[0], square[1], square[2], square[3], MeteringRectangle.METERING_WEIGHT_MAX)
        };
    }

    /** Leave it to the camera again what to focus on. */
    synchronized void focusFreely() {
        focus = null;
    }

    /** Write all of it into a request. */
    synchronized void fill(CaptureRequest.Builder request) {
        int mode = focus != null && focusRegions ? CaptureRequest.CONTROL_AF_MODE_AUTO
                : CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE;
        if (can(mode)) { // a camera with a fixed lens has none of them
            request.set(CaptureRequest.CONTROL_AF_MODE, mode);
        }
        if (focus != null && focusRegions) {
            request.set(CaptureRequest.CONTROL_AF_REGIONS, focus);
        }
        if (focus != null && lightRegions) {
            request.set(CaptureRequest.CONTROL_AE_REGIONS, focus);
        }
        if (torch) {
            request.set(CaptureRequest.FLASH_MODE, CaptureRequest.FLASH_MODE_TORCH);
        }
        if (zoom.factor() > 1) {
            int[] region = zoom.region(sensor.width(), sensor.height());
            request.set(CaptureRequest.SCALER_CROP_REGION,
                    new Rect(region[0], region[1], region[0] + region[2], region[1] + region[3]));
        }
    }

    /** Write into a request that focusing is to begin; return whether there is anything to begin. */
    synchronized boolean startFocus(CaptureRequest.Builder request) {
        fill(request);
        if (focus == null || !focusRegions) {
            return false;
        }
        request.set(CaptureRequest.CONTROL_AF_TRIGGER, CaptureRequest.CONTROL_AF_TRIGGER_START);
        return true;
    }
}
