package org.sqztf.demo;

import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.util.Size;
import android.view.SurfaceHolder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.sqztf.core.FrameSize;

/** Which of a device's cameras is used, and in which size. */
final class Cameras {
    private Cameras() {}

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

    /** Return the size of frames that suffices for every model and can be shown as it is; null where there is none. */
    static Size size(StreamConfigurationMap map) {
        List<Size> sizes = sizes(map.getOutputSizes(ImageFormat.YUV_420_888));
        List<Size> shown = new ArrayList<>(sizes);
        shown.retainAll(sizes(map.getOutputSizes(SurfaceHolder.class))); // a surface of another size would be stretched
        return choose(shown.isEmpty() ? sizes : shown);
    }

    private static List<Size> sizes(Size[] sizes) {
        return sizes == null ? Collections.<Size>emptyList() : Arrays.asList(sizes);
    }

    private static Size choose(List<Size> sizes) {
        int[] widths = new int[sizes.size()];
        int[] heights = new int[sizes.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = sizes.get(i).getWidth();
            heights[i] = sizes.get(i).getHeight();
        }
        int chosen = FrameSize.choose(widths, heights, FrameSize.WANTED);
        return chosen < 0 ? null : sizes.get(chosen);
    }
}
