package org.sqztf.demo;

import android.content.Context;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.util.Size;
import org.sqztf.core.FrameSize;

/** Which of a device's cameras is used, and in which size. */
final class Cameras {
    private Cameras() {}

    /** Tell whether the device has a camera. */
    static boolean any(Context context) {
        CameraManager manager = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
        try {
            return manager.getCameraIdList().length > 0;
        } catch (CameraAccessException | RuntimeException error) {
            return false;
        }
    }

    /** Return the camera that looks away from the user, or any; null where there is none. */
    static String choose(CameraManager manager) throws CameraAccessException {
        String any = null;
        for (String id : manager.getCameraIdList()) {
            if (looks(manager.getCameraCharacteristics(id), CameraCharacteristics.LENS_FACING_BACK)) {
                return id;
            }
            any = any == null ? id : any;
        }
        return any;
    }

    /** Tell whether a camera looks this way: a value of {@link CameraCharacteristics#LENS_FACING}. */
    static boolean looks(CameraCharacteristics camera, int way) {
        Integer facing = camera.get(CameraCharacteristics.LENS_FACING);
        return facing != null && facing == way;
    }

    /** Return the smallest size that suffices for every model; null where there is none. */
    static Size smallest(Size[] sizes) {
        int count = sizes == null ? 0 : sizes.length;
        int[] widths = new int[count];
        int[] heights = new int[count];
        for (int i = 0; i < count; i++) {
            widths[i] = sizes[i].getWidth();
            heights[i] = sizes[i].getHeight();
        }
        int chosen = FrameSize.choose(widths, heights, FrameSize.WANTED);
        return chosen < 0 ? null : sizes[chosen];
    }
}
