package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.content.Intent;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.os.Handler;
import android.os.Looper;
import android.util.Size;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.annotation.Implementation;
import org.robolectric.annotation.Implements;
import org.robolectric.annotation.RealObject;
import org.robolectric.shadow.api.Shadow;
import org.robolectric.shadows.ShadowCameraDeviceImpl;
import org.robolectric.shadows.ShadowCameraManager;
import org.robolectric.util.ReflectionHelpers.ClassParameter;
import org.sqztf.core.ScreenState;

/** When the camera's service is called, from where and in which order. */
@RunWith(Runner.class)
@Config(sdk = {24, 35}, shadows = {CameraThreadTest.Service.class, CameraThreadTest.Device.class})
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class CameraThreadTest {
    private static final List<String> CALLS = Collections.synchronizedList(new ArrayList<String>());

    private static void called(String what) {
        Looper looper = Looper.myLooper();
        if (looper != null) { // Java's own thread closes what was forgotten, of the tests before
            CALLS.add(what + (looper == Looper.getMainLooper() ? " on the main thread" : ""));
        }
    }

    /** What happens while a camera is opened. */
    private static volatile Runnable opening = () -> {};

    /** Notes when a camera is opened, and what the main thread asks. */
    @Implements(value = CameraManager.class, minSdk = 21)
    public static class Service extends ShadowCameraManager {
        @RealObject private CameraManager manager;

        @Implementation
        protected void openCamera(String id, CameraDevice.StateCallback callback, Handler handler) {
            called("open");
            opening.run();
            Shadow.directlyOn(manager, CameraManager.class, "openCamera", ClassParameter.from(String.class, id),
                    ClassParameter.from(CameraDevice.StateCallback.class, callback),
                    ClassParameter.from(Handler.class, handler));
        }

        @Override
        @Implementation
        protected String[] getCameraIdList() throws CameraAccessException {
            asked("list");
            return super.getCameraIdList();
        }

        @Override
        @Implementation
        protected void registerAvailabilityCallback(CameraManager.AvailabilityCallback callback, Handler handler) {
            asked("listen");
            super.registerAvailabilityCallback(callback, handler);
        }

        private static void asked(String what) {
            if (Looper.myLooper() == Looper.getMainLooper()) {
                called(what);
            }
        }
    }

    /** Notes when it is closed. */
    @Implements(className = "android.hardware.camera2.impl.CameraDeviceImpl", minSdk = 21)
    public static class Device extends ShadowCameraDeviceImpl {
        @Override
        @Implementation
        protected void close() {
            called("close");
            super.close();
        }
    }

    private ActivityController<MainActivity> controller;
    private MainActivity activity;

    @Before
    public void start() throws Exception {
        CALLS.clear();
        opening = () -> {};
        Engines.use();
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        activity = controller.get();
        Phone.settle(activity);
        assertEquals(Collections.singletonList("open"), CALLS);
    }

    @Test
    public void aCameraThatHangsDoesNotHoldTheScreen() throws Exception {
        final CountDownLatch hangs = new CountDownLatch(1);
        final CountDownLatch began = new CountDownLatch(1);
        new Handler(CameraLink.looper()).post(() -> {
            began.countDown();
            FakeEngine.await(hangs);
        });
        began.await();
        controller.pause().stop().start().resume();
        shadowOf(Looper.getMainLooper()).idle();
        controller.pause().stop().start().resume();
        shadowOf(Looper.getMainLooper()).idle();
        assertEquals(ScreenState.Camera.OPENING, state(activity).camera);
        assertEquals(Collections.singletonList("open"), CALLS); // the main thread went on meanwhile
        hangs.countDown();
        Phone.settle(activity);
        assertEquals(Arrays.asList("open", "close", "open"), CALLS); // one that was closed meanwhile is never opened
    }

    @Test
    public void oneThatIsStillBeingOpenedIsClosedBeforeTheNextIsOpened() throws Exception {
        controller.pause().stop();
        Phone.settle(activity);
        final CountDownLatch hangs = new CountDownLatch(1);
        final CountDownLatch began = new CountDownLatch(1);
        opening = () -> {
            began.countDown();
            FakeEngine.await(hangs);
        };
        controller.start().resume();
        shadowOf(Looper.getMainLooper()).idle();
        began.await();
        controller.pause().stop().start().resume();
        shadowOf(Looper.getMainLooper()).idle();
        hangs.countDown();
        Phone.settle(activity);
        assertEquals(Arrays.asList("open", "close", "open", "close", "open"), CALLS);
    }

    @Test
    public void itIsClosedBeforeItIsOpenedAgainWhenTheDeviceIsTurned() throws Exception {
        controller.recreate();
        Phone.settle(controller.get());
        assertEquals(Arrays.asList("open", "close", "open"), CALLS);
    }

    /** Return to the app from another that lay over it. */
    private void comeBack(Runnable with) throws Exception {
        controller.pause().stop();
        Phone.settle(activity);
        controller.start();
        with.run();
        controller.resume();
        Phone.settle(activity);
    }

    @Test
    public void aPhotoThatWasChosenOrSharedDoesNotOpenTheCameraFirst() throws Exception {
        activity.findViewById(R.id.photo).performClick();
        Intent chooser = shadowOf(activity).getNextStartedActivityForResult().intent;
        comeBack(() -> shadowOf(activity).receiveResult(chooser, MainActivity.RESULT_OK,
                new Intent().setData(Phone.PHOTO)));
        assertEquals(Arrays.asList("open", "close"), CALLS);
        comeBack(() -> controller.newIntent(Phone.share()));
        assertEquals(Arrays.asList("open", "close"), CALLS);
        assertEquals(ScreenState.Source.PHOTO, state(activity).source);
    }

    @Test
    public void whereNoneWasChosenItIsOpenedAgain() throws Exception {
        activity.findViewById(R.id.photo).performClick();
        Intent chooser = shadowOf(activity).getNextStartedActivityForResult().intent;
        comeBack(() -> shadowOf(activity).receiveResult(chooser, MainActivity.RESULT_CANCELED, null));
        assertEquals(Arrays.asList("open", "close", "open"), CALLS);
        assertTrue(state(activity).camera == ScreenState.Camera.OPENING);
    }
}
