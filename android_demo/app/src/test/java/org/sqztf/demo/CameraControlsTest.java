package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.graphics.Rect;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CaptureRequest;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.robolectric.shadow.api.Shadow;
import org.robolectric.shadows.ShadowCameraCharacteristics;

/** Nothing is asked of a camera that it does not offer. */
@RunWith(Runner.class)
@Config(sdk = 35)
public class CameraControlsTest {
    private final CameraCharacteristics camera = ShadowCameraCharacteristics.newCameraCharacteristics();
    private final CaptureRequest.Builder request = Shadow.newInstanceOf(CaptureRequest.Builder.class);

    private <T> void offer(CameraCharacteristics.Key<T> key, T value) {
        shadowOf(camera).set(key, value);
    }

    private void offerAll() {
        offer(CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES, new int[] {0, 1, 4});
        offer(CameraCharacteristics.CONTROL_MAX_REGIONS_AF, 1);
        offer(CameraCharacteristics.CONTROL_MAX_REGIONS_AE, 1);
        offer(CameraCharacteristics.FLASH_INFO_AVAILABLE, true);
        offer(CameraCharacteristics.SENSOR_INFO_ACTIVE_ARRAY_SIZE, new Rect(0, 0, 4000, 3000));
        offer(CameraCharacteristics.SCALER_AVAILABLE_MAX_DIGITAL_ZOOM, 8f);
    }

    @Test
    public void aCameraWithAFixedLensIsNotToldToFocus() {
        offer(CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES, new int[] {0});
        new CameraControls(camera).fill(request);
        assertNull(request.get(CaptureRequest.CONTROL_AF_MODE));
    }

    @Test
    public void aCameraThatSaysNothingIsAskedForNothing() {
        CameraControls controls = new CameraControls(camera);
        controls.torch(true);
        controls.zoom.by(4);
        controls.fill(request);
        assertNull(request.get(CaptureRequest.CONTROL_AF_MODE));
        assertNull(request.get(CaptureRequest.FLASH_MODE));
        assertNull(request.get(CaptureRequest.SCALER_CROP_REGION));
        assertFalse(controls.canFocus());
        assertFalse(controls.hasTorch());
    }

    @Test
    public void aCameraFocusesByItselfUntilAPointIsTouched() {
        offerAll();
        CameraControls controls = new CameraControls(camera);
        assertFalse(controls.startFocus(request));
        assertEquals(CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE, (int) request.get(CaptureRequest.CONTROL_AF_MODE));
        controls.focusOn(0.5f, 0.5f, 6, 640, 480);
        assertTrue(controls.startFocus(request));
        assertEquals(CaptureRequest.CONTROL_AF_MODE_AUTO, (int) request.get(CaptureRequest.CONTROL_AF_MODE));
        assertEquals(CaptureRequest.CONTROL_AF_TRIGGER_START, (int) request.get(CaptureRequest.CONTROL_AF_TRIGGER));
        assertEquals(new Rect(1813, 1313, 2188, 1688), request.get(CaptureRequest.CONTROL_AF_REGIONS)[0].getRect());
        controls.focusFreely();
        controls.fill(request);
        assertEquals(CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE, (int) request.get(CaptureRequest.CONTROL_AF_MODE));
    }

    @Test
    public void aPointOfAMirroredPictureIsFocusedWhereItIsSeen() {
        offerAll();
        offer(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_FRONT);
        CameraControls controls = new CameraControls(camera);
        controls.focusOn(0.25f, 0.5f, 1, 640, 480); // left on the screen is right on the sensor
        controls.fill(request);
        assertEquals(3000, request.get(CaptureRequest.CONTROL_AF_REGIONS)[0].getRect().centerX(), 1);
    }

    @Test
    public void torchAndZoomAreWritten() {
        offerAll();
        CameraControls controls = new CameraControls(camera);
        controls.torch(true);
        controls.zoom.by(2);
        controls.fill(request);
        assertEquals(CaptureRequest.FLASH_MODE_TORCH, (int) request.get(CaptureRequest.FLASH_MODE));
        assertEquals(new Rect(1000, 750, 3000, 2250), request.get(CaptureRequest.SCALER_CROP_REGION));
    }
}
