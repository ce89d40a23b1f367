package org.sqztf.demo;

import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Application;
import android.app.Dialog;
import android.content.Context;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.ImageFormat;
import android.graphics.Rect;
import android.graphics.drawable.BitmapDrawable;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.net.Uri;
import android.os.Looper;
import android.util.Size;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ImageView;
import android.widget.TextView;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.shadows.ShadowCameraCharacteristics;
import org.robolectric.shadows.ShadowDialog;
import org.robolectric.shadows.StreamConfigurationMapBuilder;
import org.sqztf.core.ScreenState;

/** What the tests of the app need to do and see. */
final class Phone {
    static final Uri PHOTO = Uri.parse("content://photos/1");

    private Phone() {}

    static Application application() {
        return RuntimeEnvironment.getApplication();
    }

    /** Leave a test out where fewer models are bundled: in Gradle it is the developer who bundles some, or none. */
    static void needModels(int count) {
        int bundled = new Bundled(application().getAssets()).entries.size();
        if (System.getProperty("sqz.pictures") == null) {
            assumeTrue(bundled >= count);
        }
        assertTrue(bundled + " models", bundled >= count);
    }

    /** Start the app. */
    static MainActivity start() throws Exception {
        return started(Robolectric.buildActivity(MainActivity.class));
    }

    /** Start the app with what another hands to it. */
    static MainActivity start(Intent intent) throws Exception {
        return started(Robolectric.buildActivity(MainActivity.class, intent));
    }

    private static MainActivity started(ActivityController<MainActivity> controller) throws Exception {
        MainActivity activity = controller.setup().get();
        settle(activity);
        return activity;
    }

    static ScreenState state(MainActivity activity) {
        return activity.session().screen.state();
    }

    /** Open the sheet of controls. */
    static Dialog controls(MainActivity activity) {
        activity.findViewById(R.id.controls).performClick();
        return ShadowDialog.getLatestDialog();
    }

    /** Open the benchmark. */
    static Dialog benchmark(MainActivity activity) {
        controls(activity).findViewById(R.id.benchmark).performClick();
        return ShadowDialog.getLatestDialog();
    }

    /** Return the picture that stands in front of the camera's, null for none. */
    static Bitmap still(MainActivity activity) {
        BitmapDrawable shown = (BitmapDrawable) activity.<ImageView>findViewById(R.id.still).getDrawable();
        return shown == null ? null : shown.getBitmap();
    }

    /** Return what the added camera says of itself. */
    static CameraCharacteristics addCamera(Size... sizes) {
        shadowOf(application().getPackageManager()).setSystemFeature(PackageManager.FEATURE_CAMERA_ANY, true);
        CameraCharacteristics back = ShadowCameraCharacteristics.newCameraCharacteristics();
        shadowOf(back).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK);
        shadowOf(back).set(CameraCharacteristics.SENSOR_ORIENTATION, 90);
        if (sizes.length > 0) {
            StreamConfigurationMapBuilder map = StreamConfigurationMapBuilder.newBuilder();
            for (Size size : sizes) {
                map.addOutputSize(ImageFormat.YUV_420_888, size);
            }
            shadowOf(back).set(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP, map.build());
        }
        shadowOf((CameraManager) application().getSystemService(Context.CAMERA_SERVICE)).addCamera("0", back);
        return back;
    }

    /** Add a camera with a torch, zoom and a lens that moves. */
    static void addAbleCamera() {
        CameraCharacteristics back = addCamera(new Size(640, 480));
        shadowOf(back).set(CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES, new int[] {0, 1, 4});
        shadowOf(back).set(CameraCharacteristics.CONTROL_MAX_REGIONS_AF, 1);
        shadowOf(back).set(CameraCharacteristics.FLASH_INFO_AVAILABLE, true);
        shadowOf(back).set(CameraCharacteristics.SENSOR_INFO_ACTIVE_ARRAY_SIZE, new Rect(0, 0, 4000, 3000));
        shadowOf(back).set(CameraCharacteristics.SCALER_AVAILABLE_MAX_DIGITAL_ZOOM, 8f);
    }

    static void allowCamera() {
        shadowOf(application()).grantPermissions(Manifest.permission.CAMERA);
    }

    /** Let the app find these bytes behind {@link #PHOTO}, as often as it asks. */
    static void putPhoto(final byte[] file) {
        Supplier<InputStream> opened = () -> new ByteArrayInputStream(file);
        shadowOf(application().getContentResolver()).registerInputStreamSupplier(PHOTO, opened);
    }

    /** A reading that somebody waits for. */
    static final Readings.Reading WANTED = new Readings.Reading() {
        @Override
        public boolean isGivenUp() {
            return false;
        }

        @Override
        public void answered() {}
    };

    static byte[] photo(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty("sqz.pictures"), name).toPath());
    }

    static Intent share() {
        return new Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, PHOTO);
    }

    /** Wait until the worker has done what it was given, the camera too, and the main thread what followed. */
    static void settle(MainActivity activity) throws Exception {
        for (int i = 0; i < 4; i++) {
            for (Readings each : activity.session().readings) {
                each.finish();
            }
            CountDownLatch done = new CountDownLatch(1);
            if (activity.session().work(done::countDown)) {
                done.await();
            }
            settleCamera();
        }
    }

    /** Wait until the thread of cameras has done what it was given, and the main thread what followed. */
    static void settleCamera() {
        shadowOf(Looper.getMainLooper()).idle();
        for (int i = 0; i < 4; i++) {
            shadowOf(CameraLink.looper()).idle();
            shadowOf(Looper.getMainLooper()).idle();
        }
    }

    /** Hand a frame to the app as the camera of a phone held upright does. */
    static void deliver(MainActivity activity, CameraFrame frame) {
        CameraLink.deliver(frame, taken -> activity.onFrame(taken, 6));
    }

    static String text(MainActivity activity, int id) {
        TextView view = activity.findViewById(id);
        return view.getVisibility() == View.VISIBLE ? view.getText().toString() : "";
    }

    /** Write what the screen shows as a PNG file, if a folder for it is named. */
    static Bitmap screenshot(View root, String name) throws IOException {
        Bitmap bitmap = Bitmap.createBitmap(root.getWidth(), root.getHeight(), Bitmap.Config.ARGB_8888);
        root.draw(new Canvas(bitmap));
        write(bitmap, name);
        return bitmap;
    }

    static void write(Bitmap bitmap, String name) throws IOException {
        String folder = System.getProperty("sqz.screens");
        if (folder != null) {
            try (FileOutputStream file = new FileOutputStream(new File(folder, name + ".png"))) {
                bitmap.compress(Bitmap.CompressFormat.PNG, 100, file);
            }
        }
    }

    /** Visits every view that is shown. */
    interface Visitor {
        void visit(View view);
    }

    static void walk(View view, Visitor visitor) {
        if (view.getVisibility() != View.VISIBLE) {
            return;
        }
        visitor.visit(view);
        if (view instanceof ViewGroup) {
            for (int i = 0; i < ((ViewGroup) view).getChildCount(); i++) {
                walk(((ViewGroup) view).getChildAt(i), visitor);
            }
        }
    }
}
