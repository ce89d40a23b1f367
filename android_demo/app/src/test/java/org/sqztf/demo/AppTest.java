package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.Manifest;
import android.app.Dialog;
import android.content.Intent;
import android.content.pm.ActivityInfo;
import android.content.pm.PackageManager;
import android.os.Build;
import android.os.Bundle;
import android.os.Looper;
import android.provider.Settings;
import android.util.Size;
import android.view.View;
import android.view.ViewGroup;
import android.widget.RadioButton;
import android.widget.TextView;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowDialog;
import org.robolectric.shadows.ShadowToast;
import org.sqztf.core.BenchState;
import org.sqztf.core.Latency;
import org.sqztf.core.ScreenState;

/** The app on the oldest and on a new Android: permission, camera, coming and going. */
@RunWith(Runner.class)
@Config(sdk = {24, 35})
@GraphicsMode(GraphicsMode.Mode.NATIVE) // where there is one: from API 26
public class AppTest {
    @Before
    public void aRuntimeOfTheJvm() {
        Engines.use();
    }

    @Test
    public void theModelOfTheAssetsIsLoaded() throws Exception {
        Phone.needModels(1);
        MainActivity activity = Phone.start();
        assertTrue(state(activity).detail, state(activity).modelReady);
        assertEquals(ScreenState.Camera.NONE, state(activity).camera);
        assertEquals(activity.getString(R.string.camera_none), Phone.text(activity, R.id.message));
    }

    @Test
    public void theFirstStartAsksForTheCamera() throws Exception {
        Phone.addCamera();
        MainActivity activity = Phone.start();
        assertEquals(Manifest.permission.CAMERA, shadowOf(activity).getLastRequestedPermission().requestedPermissions[0]);
        assertEquals(activity.getString(R.string.camera_asking), Phone.text(activity, R.id.message));
    }

    @Test
    public void aDenialForGoodOffersTheSettings() throws Exception {
        Phone.addCamera();
        MainActivity activity = Phone.start();
        deny(activity);
        assertEquals(activity.getString(R.string.camera_rationale), Phone.text(activity, R.id.message));
        deny(activity);
        assertEquals(activity.getString(R.string.camera_denied), Phone.text(activity, R.id.message));
        activity.findViewById(R.id.action).performClick();
        Intent opened = shadowOf(activity).getNextStartedActivity();
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, opened.getAction());
        assertEquals("package:org.sqztf.demo", opened.getDataString());
    }

    private static void deny(MainActivity activity) {
        activity.onRequestPermissionsResult(1, new String[] {Manifest.permission.CAMERA},
                new int[] {PackageManager.PERMISSION_DENIED});
    }

    @Test
    public void aDenialExplainsAndAsksAgain() throws Exception {
        Phone.addCamera();
        shadowOf(Phone.application().getPackageManager())
                .setShouldShowRequestPermissionRationale(Manifest.permission.CAMERA, true);
        MainActivity activity = Phone.start();
        assertEquals(activity.getString(R.string.camera_rationale), Phone.text(activity, R.id.message));
        assertEquals(activity.getString(R.string.action_allow), Phone.text(activity, R.id.action));
        activity.findViewById(R.id.action).performClick();
        assertNotNull(shadowOf(activity).getLastRequestedPermission());
    }

    @Test
    public void aCameraThatDeliversNoFramesIsTold() throws Exception {
        Phone.addCamera(); // without a list of sizes
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        assertEquals(activity.getString(R.string.camera_failed), Phone.text(activity, R.id.message));
        assertEquals(activity.getString(R.string.action_retry), Phone.text(activity, R.id.action));
    }

    @Test
    public void aModelIsChosenInTheSheet() throws Exception {
        Phone.needModels(2);
        MainActivity activity = Phone.start();
        Dialog sheet = Phone.controls(activity);
        ViewGroup rows = sheet.findViewById(R.id.models);
        assertEquals(state(activity).models.size(), rows.getChildCount());
        rows.getChildAt(1).performClick();
        assertEquals(1, state(activity).model);
        assertFalse(((RadioButton) rows.getChildAt(0)).isChecked());
        assertTrue(((RadioButton) rows.getChildAt(1)).isChecked());
        assertEquals(state(activity).models.get(1), Phone.text(activity, R.id.model));
    }

    @Test
    public void kernelsAndThreadsAreChosenInTheSheet() throws Exception {
        Phone.needModels(1);
        MainActivity activity = Phone.start();
        activity.findViewById(R.id.model).performClick();
        Dialog sheet = ShadowDialog.getLatestDialog();
        sheet.findViewById(R.id.exact).performClick();
        assertFalse(state(activity).fast);
        Phone.settle(activity);
        assertFalse(sheet.findViewById(R.id.threads).isEnabled()); // there is one only
        sheet.findViewById(R.id.fast).performClick();
        assertTrue(state(activity).fast);
        assertEquals(activity.getString(R.string.threads, state(activity).threads),
                ((TextView) sheet.findViewById(R.id.threads_heading)).getText().toString());
    }

    @Test
    public void theSheetStaysOpenWhenTheDeviceIsTurned() {
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        Dialog before = Phone.controls(controller.get());
        controller.recreate();
        assertFalse(before.isShowing());
        assertTrue(ShadowDialog.getLatestDialog().isShowing());
    }

    @Test
    public void bothKernelsAreMeasuredAndTheResultShared() throws Exception {
        Phone.needModels(1);
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        MainActivity activity = controller.get();
        Phone.settle(activity);
        Dialog page = Phone.benchmark(activity);
        page.findViewById(R.id.run).performClick();
        Phone.settle(activity);
        BenchState measured = activity.session().bench.state();
        assertEquals("", measured.fault);
        assertTrue(measured.times(BenchState.FAST)[Latency.TOTAL].runs >= Latency.FEWEST);
        assertTrue(measured.ratio() > 0);
        controller.recreate(); // what was measured stays
        page = ShadowDialog.getLatestDialog();
        page.findViewById(R.id.share).performClick();
        Intent chooser = shadowOf(controller.get()).getNextStartedActivity();
        Intent sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT);
        String text = sent.getStringExtra(Intent.EXTRA_TEXT);
        assertTrue(text, text.contains(state(activity).models.get(0)) && text.contains("p90"));
        page.cancel();
        shadowOf(Looper.getMainLooper()).idle();
        assertFalse(controller.get().session().bench.isOpen());
    }

    @Test
    public void theCameraIsClosedWhileTheBenchmarkIsShown() throws Exception {
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        activity.onRunning();
        Dialog page = Phone.benchmark(activity);
        assertEquals(ScreenState.Camera.OFF, state(activity).camera);
        page.cancel();
        shadowOf(Looper.getMainLooper()).idle();
        assertEquals(ScreenState.Camera.OPENING, state(activity).camera);
    }

    @Test
    public void theScreenStaysOnWhileTheCameraRunsOnly() throws Exception {
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        View preview = activity.findViewById(R.id.preview);
        assertFalse(preview.getKeepScreenOn());
        activity.onRunning();
        assertTrue(preview.getKeepScreenOn());
        activity.session().screen.photo(Phone.PHOTO.toString());
        assertFalse(preview.getKeepScreenOn());
    }

    @Test
    public void theCameraRunsOnBesideAnotherAppThatIsTouched() throws Exception {
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        Phone.settle(controller.get());
        controller.get().onRunning();
        controller.pause(); // as Android before 10 does in split screen
        assertEquals(ScreenState.Camera.RUNNING, state(controller.get()).camera);
        controller.resume();
        assertEquals(ScreenState.Camera.RUNNING, state(controller.get()).camera);
        controller.pause().stop();
        assertEquals(ScreenState.Camera.OFF, state(controller.get()).camera);
    }

    @Test
    public void turningTheDeviceKeepsTheLoadedModel() throws Exception {
        Phone.needModels(1);
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        Phone.settle(controller.get());
        Session session = controller.get().session();
        controller.recreate();
        assertSame(session, controller.get().session());
        assertTrue(state(controller.get()).modelReady);
    }

    @Test
    public void theEndOfTheProcessKeepsTheChoices() throws Exception {
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        MainActivity activity = controller.get();
        Phone.settle(activity);
        activity.session().screen.chooseFast(false);
        activity.session().screen.photo(Phone.PHOTO.toString());
        Bundle saved = new Bundle();
        controller.saveInstanceState(saved).pause().stop().destroy();
        MainActivity next = Robolectric.buildActivity(MainActivity.class).setup(saved).get();
        assertFalse(state(next).fast);
        assertEquals(ScreenState.Source.PHOTO, state(next).source);
    }

    @Test
    public void aPhotoThatCannotBeReadIsTold() throws Exception {
        Phone.needModels(1);
        MainActivity activity = Phone.start(Phone.share());
        assertTrue(Phone.text(activity, R.id.message), Phone.text(activity, R.id.message)
                .startsWith(activity.getString(R.string.message_photo_unreadable)));
        assertEquals(View.VISIBLE, activity.findViewById(R.id.still).getVisibility());
    }

    @Test
    public void aPhotoSharedWhileTheAppRunsIsTaken() throws Exception {
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        controller.pause().newIntent(Phone.share()).resume();
        assertEquals(ScreenState.Source.PHOTO, state(controller.get()).source);
        ActivityInfo info = controller.get().getPackageManager().getActivityInfo(controller.get().getComponentName(), 0);
        assertEquals(ActivityInfo.LAUNCH_SINGLE_TASK, info.launchMode); // another app's share finds the one that runs
    }

    @Test
    public void whatLiesOverTheScreenGivesWayToAPhotoThatIsShared() throws Exception {
        Phone.needModels(1);
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        MainActivity activity = controller.get();
        Phone.settle(activity);
        Dialog sheet = Phone.controls(activity);
        controller.pause().newIntent(Phone.share()).resume();
        assertFalse(sheet.isShowing());
        Phone.controls(activity).findViewById(R.id.own_models).performClick();
        Dialog models = ShadowDialog.getLatestDialog();
        controller.pause().newIntent(Phone.share()).resume();
        assertFalse(models.isShowing());
        Dialog page = Phone.benchmark(activity);
        page.findViewById(R.id.run).performClick();
        controller.pause().newIntent(Phone.share()).resume();
        assertFalse(page.isShowing());
        assertFalse(activity.session().bench.isOpen());
        assertEquals(ScreenState.Source.PHOTO, state(activity).source);
    }

    @Test
    public void theListOfModelsIsTakenAwayBeforeTheActivityEnds() {
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        Phone.controls(controller.get()).findViewById(R.id.own_models).performClick();
        Dialog models = ShadowDialog.getLatestDialog();
        assertTrue(models.isShowing());
        controller.recreate();
        assertFalse(models.isShowing());
    }

    @Test
    public void nothingIsMeasuredThatNobodySees() throws Exception {
        Phone.needModels(1);
        final CountDownLatch stopped = new CountDownLatch(1);
        Session.engines = (file, model, threads, fast) -> new FakeEngine(true) {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                await(stopped);
            }
        };
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class).setup();
        Phone.settle(controller.get());
        Phone.benchmark(controller.get()).findViewById(R.id.run).performClick();
        Session session = controller.get().session();
        controller.pause().stop();
        stopped.countDown();
        Phone.settle(controller.get());
        assertFalse(session.bench.state().isRunning());
        assertNull(session.bench.state().times(BenchState.FAST)); // too few runs to tell anything
    }

    @Test
    public void aPhotoSharedLongAgoIsNotTakenFromTheListOfRecentApps() {
        Intent again = Phone.share().addFlags(Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY);
        MainActivity activity = Robolectric.buildActivity(MainActivity.class, again).setup().get();
        assertEquals(ScreenState.Source.LIVE, state(activity).source);
    }

    @Test
    public void aDeviceWithoutGallerySaysSoAndWhatWasSaidStays() throws Exception {
        MainActivity activity = Phone.start();
        activity.session().screen.noModels("the list is damaged");
        String said = Phone.text(activity, R.id.message);
        shadowOf(Phone.application()).checkActivities(true);
        activity.findViewById(R.id.photo).performClick();
        assertEquals(activity.getString(R.string.message_no_gallery), ShadowToast.getTextOfLatestToast());
        assertEquals(said, Phone.text(activity, R.id.message));
    }

    @Test
    public void thePhotoButtonOpensAChooserAndItsAnswerIsTaken() throws Exception {
        MainActivity activity = Phone.start();
        activity.findViewById(R.id.photo).performClick();
        Intent chooser = shadowOf(activity).getNextStartedActivityForResult().intent;
        boolean picker = Build.VERSION.SDK_INT >= 33;
        assertEquals(picker ? "android.provider.action.PICK_IMAGES" : Intent.ACTION_GET_CONTENT, chooser.getAction());
        assertEquals("image/*", chooser.getType());
        shadowOf(activity).receiveResult(chooser, MainActivity.RESULT_OK, new Intent().setData(Phone.PHOTO));
        assertEquals(ScreenState.Source.PHOTO, state(activity).source);
        shadowOf(activity).receiveResult(chooser, MainActivity.RESULT_CANCELED, null);
        assertEquals(ScreenState.Source.PHOTO, state(activity).source);
    }
}
