package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.content.Intent;
import android.content.pm.ActivityInfo;
import android.content.pm.PackageManager;
import android.os.Build;
import android.os.Bundle;
import android.provider.Settings;
import android.util.Size;
import android.view.View;
import android.widget.Spinner;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowToast;
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

    private static MainActivity start() throws Exception {
        MainActivity activity = Robolectric.buildActivity(MainActivity.class).setup().get();
        Phone.settle(activity);
        return activity;
    }

    private static ScreenState state(MainActivity activity) {
        return activity.session().screen.state();
    }

    @Test
    public void theModelOfTheAssetsIsLoaded() throws Exception {
        Phone.needModels(1);
        MainActivity activity = start();
        assertTrue(state(activity).detail, state(activity).modelReady);
        assertEquals(ScreenState.Camera.NONE, state(activity).camera);
        assertEquals(activity.getString(R.string.camera_none), Phone.text(activity, R.id.message));
    }

    @Test
    public void theFirstStartAsksForTheCamera() throws Exception {
        Phone.addCamera();
        MainActivity activity = start();
        assertEquals(Manifest.permission.CAMERA, shadowOf(activity).getLastRequestedPermission().requestedPermissions[0]);
        assertEquals(activity.getString(R.string.camera_asking), Phone.text(activity, R.id.message));
    }

    @Test
    public void aDenialForGoodOffersTheSettings() throws Exception {
        Phone.addCamera();
        MainActivity activity = start();
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
        MainActivity activity = start();
        assertEquals(activity.getString(R.string.camera_rationale), Phone.text(activity, R.id.message));
        assertEquals(activity.getString(R.string.action_allow), Phone.text(activity, R.id.action));
        activity.findViewById(R.id.action).performClick();
        assertNotNull(shadowOf(activity).getLastRequestedPermission());
    }

    @Test
    public void aCameraThatDeliversNoFramesIsTold() throws Exception {
        Phone.addCamera(); // without a list of sizes
        Phone.allowCamera();
        MainActivity activity = start();
        assertEquals(activity.getString(R.string.camera_failed), Phone.text(activity, R.id.message));
        assertEquals(activity.getString(R.string.action_retry), Phone.text(activity, R.id.action));
    }

    @Test
    public void aChoiceIsNotUndoneByAFrameShownMeanwhile() throws Exception {
        Phone.needModels(2);
        MainActivity activity = start();
        Spinner models = activity.findViewById(R.id.model);
        models.setOnItemSelectedListener(null); // it is told of a touch later; Robolectric's spinner tells at once
        models.setSelection(1);
        activity.show(state(activity), null);
        assertEquals(1, models.getSelectedItemPosition());
    }

    @Test
    public void theScreenStaysOnWhileTheCameraRunsOnly() throws Exception {
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        MainActivity activity = start();
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
        MainActivity activity = Robolectric.buildActivity(MainActivity.class, Phone.share()).setup().get();
        Phone.settle(activity);
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
    public void aPhotoSharedLongAgoIsNotTakenFromTheListOfRecentApps() {
        Intent again = Phone.share().addFlags(Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY);
        MainActivity activity = Robolectric.buildActivity(MainActivity.class, again).setup().get();
        assertEquals(ScreenState.Source.LIVE, state(activity).source);
    }

    @Test
    public void aDeviceWithoutGallerySaysSoAndWhatWasSaidStays() throws Exception {
        MainActivity activity = start();
        activity.session().screen.noModels("the list is damaged");
        String said = Phone.text(activity, R.id.message);
        shadowOf(Phone.application()).checkActivities(true);
        activity.findViewById(R.id.photo).performClick();
        assertEquals(activity.getString(R.string.message_no_gallery), ShadowToast.getTextOfLatestToast());
        assertEquals(said, Phone.text(activity, R.id.message));
    }

    @Test
    public void thePhotoButtonOpensAChooserAndItsAnswerIsTaken() throws Exception {
        MainActivity activity = start();
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
