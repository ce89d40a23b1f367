package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Rect;
import android.graphics.SurfaceTexture;
import android.graphics.drawable.ColorDrawable;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.os.Looper;
import android.util.Size;
import android.view.Surface;
import android.view.SurfaceHolder;
import android.view.View;
import android.view.accessibility.AccessibilityNodeInfo;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.SeekBar;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowCameraCharacteristics;
import org.sqztf.core.ScreenState;

/** Frames on their way from the camera to the screen, and cameras that are there, lost or refused. */
@RunWith(Runner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class CameraTest {
    private final List<String> told = new ArrayList<>();
    private final CameraFeed.Listener listener = new CameraFeed.Listener() {
        @Override
        public void onRunning() {
            told.add("running");
        }

        @Override
        public void onStopped(ScreenState.Camera why) {
            told.add(why.name());
        }

        @Override
        public void onFrame(CameraFrame frame, int orientation) {
            told.add("frame " + orientation);
        }
    };

    @Before
    public void aRuntimeOfTheJvm() {
        Engines.use();
    }

    // Frames -------------------------------------------------------------------------------------------------

    @Test
    public void aFrameIsClosedOnEveryPath() {
        FakeFrame taken = new FakeFrame(64, 48, 50);
        CameraLink.deliver(taken, frame -> told.add("frame"));
        assertEquals(1, taken.closed);
        FakeFrame late = new FakeFrame(64, 48, 50);
        CameraLink.deliver(late, null);
        assertEquals(1, late.closed);
        assertEquals(Collections.singletonList("frame"), told);
        final FakeFrame failing = new FakeFrame(64, 48, 50);
        assertThrows(IllegalStateException.class, () -> CameraLink.deliver(failing, frame -> {
            throw new IllegalStateException("this frame is bad");
        }));
        assertEquals(1, failing.closed);
    }

    private static MainActivity live() throws Exception {
        Phone.needModels(1);
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        activity.onRunning(); // there is no surface here to run on
        Phone.settle(activity);
        return activity;
    }

    @Test
    public void liveFramesAreAnsweredOneAtATimeAndTheRestDropped() throws Exception {
        final CountDownLatch allCame = new CountDownLatch(1);
        final AtomicInteger runs = new AtomicInteger();
        Session.engines = (file, model, threads, fast) -> new FakeEngine(fast) {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                runs.incrementAndGet();
                await(allCame);
                output.put(0, (byte) 127);
            }
        };
        MainActivity activity = live();
        for (int i = 0; i < 20; i++) {
            FakeFrame frame = new FakeFrame(640, 480, 10 * i);
            Phone.deliver(activity, frame);
            assertEquals(1, frame.closed);
        }
        allCame.countDown();
        Phone.settle(activity);
        assertFalse(state(activity).answers.isEmpty());
        assertEquals(1, runs.get());
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_NONE,
                activity.findViewById(R.id.answers).getAccessibilityLiveRegion());
    }

    @Test
    public void oneFrameThatIsTooShortIsLeftOut() throws Exception {
        MainActivity activity = live();
        FakeFrame frame = new FakeFrame(640, 480, 50);
        frame.missing = 2000;
        Phone.deliver(activity, frame);
        assertEquals(1, frame.closed);
        Phone.settle(activity);
        assertEquals(ScreenState.Camera.RUNNING, state(activity).camera);
        Phone.deliver(activity, new FakeFrame(640, 480, 50));
        Phone.settle(activity);
        assertFalse(state(activity).answers.isEmpty());
    }

    @Test
    public void framesThatAreAllTooShortStopTheCameraNotTheApp() throws Exception {
        MainActivity activity = live();
        for (int i = 0; i < 16; i++) {
            FakeFrame frame = new FakeFrame(640, 480, 50);
            frame.missing = 2000;
            Phone.deliver(activity, frame);
        }
        Phone.settle(activity);
        assertEquals(ScreenState.Camera.FAILED, state(activity).camera);
        assertEquals(activity.getString(R.string.camera_failed), Phone.text(activity, R.id.message));
    }

    @Test
    public void anEngineWithoutMemoryIsToldAndMayBeTriedAgain() throws Exception {
        MainActivity activity = live();
        Session.engines = (file, model, threads, fast) -> new FakeEngine(fast) {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                throw new OutOfMemoryError();
            }
        };
        activity.session().screen.chooseThreads(state(activity).threads == 1 ? 2 : 1);
        Phone.settle(activity);
        Phone.deliver(activity, new FakeFrame(640, 480, 50));
        Phone.settle(activity);
        assertEquals(ScreenState.Message.ENGINE_FAILED, state(activity).message);
        assertEquals("OutOfMemoryError", state(activity).detail);
        Engines.use();
        activity.findViewById(R.id.action).performClick();
        Phone.settle(activity);
        Phone.deliver(activity, new FakeFrame(640, 480, 50));
        Phone.settle(activity);
        assertFalse(state(activity).answers.isEmpty());
    }

    @Test
    public void framesKeepComingAfterManyWereShownAndDropped() throws Exception {
        final AtomicInteger runs = new AtomicInteger();
        Session.engines = (file, model, threads, fast) -> new FakeEngine(fast) {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                runs.incrementAndGet();
            }
        };
        MainActivity activity = live();
        for (int i = 0; i < 12; i++) {
            Phone.deliver(activity, new FakeFrame(640, 480, 20 * i));
            Phone.settle(activity);
        }
        assertEquals(12, runs.get()); // none was dropped
        assertTrue(Phone.text(activity, R.id.latency).contains("ms"));
    }

    @Test
    public void freezingShowsTheFrameThatWasAnsweredUpright() throws Exception {
        MainActivity activity = live();
        Phone.deliver(activity, new FakeFrame(640, 480, 200));
        Phone.settle(activity);
        activity.findViewById(R.id.primary).performClick();
        ImageView still = activity.findViewById(R.id.still);
        assertEquals(View.VISIBLE, still.getVisibility());
        Bitmap shown = Phone.still(activity);
        assertEquals(Arrays.asList(480, 640), Arrays.asList(shown.getWidth(), shown.getHeight()));
        assertEquals(0xFFC8C8C8, shown.getPixel(100, 100));
        Phone.settle(activity); // it is laid out anew
        View decor = activity.getWindow().getDecorView();
        Phone.screenshot(decor, "frozen");
        assertEquals(Collections.<String>emptyList(), Accessible.faults(decor));
        activity.findViewById(R.id.primary).performClick();
        assertEquals(View.GONE, still.getVisibility());
        assertNull(Phone.still(activity));
    }

    /** Open the sheet of a live camera and return its bar for threads. */
    private static SeekBar threads(MainActivity activity) {
        return Phone.controls(activity).findViewById(R.id.threads);
    }

    @Test
    public void framesDoNotPullTheBarForThreadsFromTheFinger() throws Exception {
        MainActivity activity = live();
        SeekBar bar = threads(activity);
        bar.setMax(3); // whatever this computer has
        SeekBar.OnSeekBarChangeListener finger = shadowOf(bar).getOnSeekBarChangeListener();
        int chosen = state(activity).threads;
        finger.onStartTrackingTouch(bar);
        int away = chosen == 1 ? 1 : 0;
        bar.setProgress(away);
        Phone.deliver(activity, new FakeFrame(640, 480, 50));
        Phone.settle(activity);
        assertEquals(away, bar.getProgress());
        assertEquals(chosen, state(activity).threads);
        finger.onStopTrackingTouch(bar);
        assertEquals(Math.min(away + 1, state(activity).maxThreads), state(activity).threads);
    }

    @Test
    public void theBarForThreadsIsReadOutAsThreads() throws Exception {
        MainActivity activity = live();
        String said = activity.getString(R.string.threads_spoken, state(activity).threads);
        assertEquals(said, threads(activity).getStateDescription().toString());
    }

    @Test
    public void theLastFrameIsCoveredWhereThereIsNoPicture() throws Exception {
        MainActivity activity = live();
        View cover = activity.findViewById(R.id.cover);
        assertEquals(View.GONE, cover.getVisibility());
        activity.onStopped(ScreenState.Camera.IN_USE);
        assertEquals(View.VISIBLE, cover.getVisibility());
        assertEquals(activity.getColor(R.color.stage), ((ColorDrawable) cover.getBackground()).getColor());
    }

    @Test
    public void whatCanBeTouchedIsReadOutAsAButton() throws Exception {
        MainActivity activity = live();
        for (int id : new int[] {R.id.model, R.id.zoom}) {
            AccessibilityNodeInfo info = AccessibilityNodeInfo.obtain();
            activity.findViewById(id).onInitializeAccessibilityNodeInfo(info);
            assertEquals(Button.class.getName(), info.getClassName());
        }
    }

    // Cameras ------------------------------------------------------------------------------------------------

    /** A surface that takes the size it is asked for. */
    private static final class Holder implements SurfaceHolder {
        private final Surface surface = new Surface(new SurfaceTexture(0)) {
            @Override
            public boolean isValid() {
                return true; // nothing is behind it here
            }
        };
        private final List<Callback> callbacks = new ArrayList<>();
        private final Rect frame = new Rect();

        @Override
        public void addCallback(Callback callback) {
            callbacks.add(callback);
        }

        @Override
        public void removeCallback(Callback callback) {
            callbacks.remove(callback);
        }

        @Override
        public boolean isCreating() {
            return false;
        }

        @Override
        @SuppressWarnings("deprecation")
        public void setType(int type) {}

        @Override
        public void setFixedSize(int width, int height) {
            frame.set(0, 0, width, height);
        }

        @Override
        public void setSizeFromLayout() {}

        @Override
        public void setFormat(int format) {}

        @Override
        public void setKeepScreenOn(boolean on) {}

        @Override
        public Canvas lockCanvas() {
            return null;
        }

        @Override
        public Canvas lockCanvas(Rect dirty) {
            return null;
        }

        @Override
        public void unlockCanvasAndPost(Canvas canvas) {}

        @Override
        public Rect getSurfaceFrame() {
            return frame;
        }

        @Override
        public Surface getSurface() {
            return surface;
        }
    }

    private final Holder holder = new Holder();

    private CameraFeed feed() {
        return new CameraFeed(Phone.application(), holder, new AspectLayout(Phone.application(), null), listener);
    }

    @Test
    public void aCameraOpensAndRuns() {
        Phone.addCamera(new Size(1920, 1080), new Size(640, 480), new Size(320, 240));
        CameraFeed feed = feed();
        feed.open(0);
        Phone.settleCamera();
        assertEquals(Collections.singletonList("running"), told);
        assertEquals(new Rect(0, 0, 640, 480), holder.frame);
        feed.close();
        Phone.settleCamera();
        assertEquals(Collections.singletonList("running"), told);
    }

    @Test
    public void aRunningCameraZoomsFocusesAndLights() {
        Phone.addAbleCamera();
        CameraFeed feed = feed();
        assertFalse(feed.focus(0.5f, 0.5f)); // closed
        feed.torch(true);
        feed.zoomBy(2);
        assertFalse(feed.torch());
        feed.open(0);
        Phone.settleCamera();
        feed.torch(true);
        feed.zoomBy(3);
        assertTrue(feed.torch());
        assertEquals(3, feed.zoom().factor(), 0);
        assertTrue(feed.focus(0.5f, 0.5f));
        shadowOf(Looper.getMainLooper()).idleFor(5, TimeUnit.SECONDS); // it focuses by itself again
        assertEquals(Collections.singletonList("running"), told);
        feed.close();
        assertFalse(feed.hasTorch());
    }

    @Test
    public void torchAndZoomHaveButtonsWhereTheCameraHasThem() throws Exception {
        Phone.addAbleCamera();
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        View torch = activity.findViewById(R.id.torch);
        assertEquals(View.GONE, torch.getVisibility()); // nothing is seen yet
        activity.onRunning();
        assertEquals(View.VISIBLE, torch.getVisibility());
        assertFalse(torch.isSelected());
        torch.performClick();
        assertTrue(torch.isSelected());
        assertEquals(activity.getString(R.string.zoom, 1f), Phone.text(activity, R.id.zoom));
        activity.findViewById(R.id.zoom).performClick();
        assertEquals(activity.getString(R.string.zoom, 2f), Phone.text(activity, R.id.zoom));
        Phone.settle(activity); // they are laid out
        assertEquals(Collections.<String>emptyList(), Accessible.faults(activity.getWindow().getDecorView()));
        activity.session().screen.photo(Phone.PHOTO.toString());
        assertEquals(View.GONE, torch.getVisibility());
    }

    @Test
    public void aCameraWithoutThemHasNone() throws Exception {
        MainActivity activity = live();
        assertEquals(View.GONE, activity.findViewById(R.id.torch).getVisibility());
        assertEquals(View.GONE, activity.findViewById(R.id.zoom).getVisibility());
    }

    @Test
    public void aCameraClosedWhileItOpensStaysClosed() {
        Phone.addCamera(new Size(640, 480));
        CameraFeed feed = feed();
        feed.open(0);
        feed.close();
        Phone.settleCamera();
        assertEquals(Collections.<String>emptyList(), told);
    }

    @Test
    public void aCameraTakenByAnotherAppIsTold() {
        Phone.addCamera(new Size(640, 480));
        CameraFeed feed = feed();
        feed.open(0);
        Phone.settleCamera();
        shadowOf((CameraManager) Phone.application().getSystemService(Context.CAMERA_SERVICE)).triggerDisconnect();
        Phone.settleCamera();
        assertEquals(Arrays.asList("running", "IN_USE"), told);
    }

    /** Let another app take the camera that runs; it lets go of it before this app knows. */
    private CameraFeed taken(String letGo) {
        Phone.addCamera(new Size(640, 480));
        CameraFeed feed = feed();
        feed.open(0);
        Phone.settleCamera();
        shadowOf((CameraManager) Phone.application().getSystemService(Context.CAMERA_SERVICE)).triggerDisconnect();
        shadowOf(CameraLink.looper()).idle();
        feed.freed(letGo);
        Phone.settleCamera();
        return feed;
    }

    @Test
    public void aCameraThatIsFreeAgainBeforeItIsKnownToBeTakenIsOpenedOnceMore() {
        CameraFeed feed = taken("0");
        assertEquals(Arrays.asList("running", "running"), told);
        feed.close();
    }

    @Test
    public void anotherCameraThatIsFreeChangesNothing() {
        taken("7");
        assertEquals(Arrays.asList("running", "IN_USE"), told);
    }

    @Test
    public void thePreviewFollowsADisplayThatIsTurned() {
        Phone.addCamera(new Size(640, 480));
        AspectLayout box = new AspectLayout(Phone.application(), null);
        CameraFeed feed = new CameraFeed(Phone.application(), holder, box, listener);
        feed.turn(90); // closed
        feed.open(0);
        Phone.settleCamera();
        assertEquals(Arrays.asList(480, 640), Arrays.asList(box.ratioWidth(), box.ratioHeight()));
        feed.turn(90);
        assertEquals(Arrays.asList(640, 480), Arrays.asList(box.ratioWidth(), box.ratioHeight()));
        feed.close();
    }

    @Test
    public void onlyTheCameraThatWasTakenIsTriedAgain() throws Exception {
        MainActivity activity = live();
        activity.onStopped(ScreenState.Camera.IN_USE);
        CameraManager manager = (CameraManager) Phone.application().getSystemService(Context.CAMERA_SERVICE);
        CameraCharacteristics other = ShadowCameraCharacteristics.newCameraCharacteristics();
        shadowOf(other).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_FRONT);
        shadowOf(manager).addCamera("7", other); // it becomes available
        Phone.settleCamera();
        assertEquals(ScreenState.Camera.IN_USE, state(activity).camera);
        shadowOf(manager).removeCamera("0");
        Phone.addCamera(new Size(640, 480));
        Phone.settleCamera();
        assertEquals(ScreenState.Camera.OPENING, state(activity).camera);
    }

    @Test
    public void aDeviceWithoutCameraIsTold() {
        feed().open(0);
        Phone.settleCamera();
        assertEquals(Collections.singletonList("NONE"), told);
    }
}
