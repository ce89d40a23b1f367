package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.app.AlertDialog;
import android.content.pm.ApplicationInfo;
import android.content.pm.ProviderInfo;
import android.net.Uri;
import android.os.Looper;
import android.util.Size;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.fakes.RoboCursor;
import org.robolectric.shadows.ShadowAlertDialog;
import org.sqztf.core.ScreenState;

/** Apps that do not answer when they are read from: all else goes on. */
@RunWith(Runner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class SlowAppsTest {
    private static final String[] APPS = {"cloud", "drive", "disk"};
    private final Uri hangs = Uri.parse("content://cloud/birds.sqz");
    private final PhotoBands.Opener opener = PhotoBands.opener;
    private final CountDownLatch released = new CountDownLatch(1);
    private final Semaphore reading = new Semaphore(0); // one for each that has begun
    private MainActivity activity;

    @Before
    public void anAppThatDoesNotAnswer() {
        assumeNotNull(System.getProperty("sqz.pictures"));
        Engines.use();
        Supplier<InputStream> hanging = () -> new ByteArrayInputStream(new byte[0]) {
            @Override
            public int read(byte[] to, int at, int count) {
                reading.release();
                awaitRelease();
                return -1;
            }
        };
        for (String app : APPS) {
            shadowOf(Phone.application().getContentResolver()).registerInputStreamSupplier(at(app), hanging);
        }
    }

    private static Uri at(String app) {
        return Uri.parse("content://" + app + "/birds.sqz");
    }

    @After
    public void answer() throws Exception {
        PhotoBands.opener = opener;
        released.countDown();
        Phone.settle(activity);
        while (Readings.asked() > 0) { // those that were given up end soon
            Thread.yield();
        }
    }

    /** Wait, whatever interrupts: as a call to another process does. */
    private void awaitRelease() {
        boolean done = false;
        while (!done) {
            try {
                released.await();
                done = true;
            } catch (InterruptedException error) {
                continue;
            }
        }
    }

    private void live() throws Exception {
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        activity = Phone.start();
        activity.onRunning();
        Phone.settle(activity);
    }

    /** Let the thread of models do what it was given, and the main thread what followed. */
    private void settleWithoutReading() throws Exception {
        for (int i = 0; i < 3; i++) {
            CountDownLatch done = new CountDownLatch(1);
            activity.session().work(done::countDown);
            done.await();
            shadowOf(Looper.getMainLooper()).idle();
        }
    }

    private void pass(long seconds) {
        shadowOf(Looper.getMainLooper()).idleFor(seconds, TimeUnit.SECONDS);
    }

    private void frame() throws Exception {
        Phone.deliver(activity, new FakeFrame(640, 480, 50));
        settleWithoutReading();
    }

    @Test
    public void aPhotoThatNeverComesStopsNeitherTheCameraNorTheNextPicture() throws Exception {
        live();
        activity.session().screen.photo(hangs.toString());
        reading.acquire();
        activity.findViewById(R.id.primary).performClick(); // back to the camera
        activity.onRunning();
        frame();
        assertFalse(state(activity).answers.isEmpty());
        activity.session().screen.photo(hangs.toString());
        Phone.putPhoto(Phone.photo("1-photo.png"));
        activity.session().screen.photo(Phone.PHOTO.toString());
        Phone.settle(activity);
        assertFalse(state(activity).answers.isEmpty());
        assertNull(state(activity).message);
        released.countDown();
        Phone.settle(activity);
        pass(10);
        assertNull(state(activity).message); // nobody wants to know any more
    }

    @Test
    public void afterSomeSecondsTheUserIsToldWhomTheAppWaitsForAndMayStop() throws Exception {
        live();
        activity.session().screen.photo(hangs.toString());
        reading.acquire();
        pass(3);
        assertEquals(ScreenState.Message.PHOTO_READING, state(activity).message);
        pass(2);
        assertEquals(activity.getString(R.string.message_photo_waiting) + " (cloud)", Phone.text(activity, R.id.message));
        assertEquals(activity.getString(R.string.action_give_up), Phone.text(activity, R.id.action));
        activity.findViewById(R.id.action).performClick();
        assertEquals(ScreenState.Source.LIVE, state(activity).source);
    }

    @Test
    public void aModelThatNeverComesLeavesTheCameraRunningAndMayBeGivenUp() throws Exception {
        live();
        activity.session().desk.open(hangs);
        reading.acquire();
        frame();
        assertFalse(state(activity).answers.isEmpty());
        pass(5);
        assertEquals(ScreenState.Message.MODEL_WAITING, state(activity).message);
        assertEquals("cloud", state(activity).detail);
        activity.findViewById(R.id.action).performClick();
        assertNull(state(activity).message);
        released.countDown();
        Phone.settle(activity);
        assertNull(state(activity).message); // that it is no model, either
    }

    @Test
    public void anAppThatDidNotAnswerTwiceIsNotAskedAgainAndOthersAre() throws Exception {
        live();
        askInVain("cloud");
        activity.session().screen.photo(hangs.toString());
        settleWithoutReading();
        assertEquals(activity.getString(R.string.message_not_answered) + " (cloud)",
                Phone.text(activity, R.id.message));
        activity.session().desk.open(hangs);
        assertEquals(ScreenState.Message.NOT_ANSWERED, state(activity).message);
        assertEquals("cloud", state(activity).detail);
        assertTrue(state(activity).isTrouble());
        assertEquals(0, reading.availablePermits());
        Phone.putPhoto(Phone.photo("1-photo.png"));
        activity.session().screen.photo(Phone.PHOTO.toString());
        Phone.settle(activity);
        assertFalse(state(activity).answers.isEmpty());
    }

    @Test
    public void manyAddressesOfOneAppAreOneApp() throws Exception {
        live();
        for (String authority : APPS) {
            ProviderInfo provider = new ProviderInfo();
            provider.name = provider.authority = authority;
            provider.packageName = "org.greedy";
            provider.applicationInfo = new ApplicationInfo();
            provider.applicationInfo.packageName = provider.packageName;
            provider.applicationInfo.nonLocalizedLabel = "Greedy";
            shadowOf(Phone.application().getPackageManager()).addOrUpdateProvider(provider);
        }
        askInVain("cloud");
        activity.session().screen.photo(at("disk").toString());
        settleWithoutReading();
        assertEquals(ScreenState.Message.NOT_ANSWERED, state(activity).message);
        assertEquals("Greedy", state(activity).detail);
        activity.session().screen.photo("content://10@cloud/another"); // of another user of the device
        settleWithoutReading();
        assertEquals("Greedy", state(activity).detail);
    }

    /** Choose a photo of an app as often as one that does not answer is asked. */
    private void askInVain(String app) throws Exception {
        for (int i = 0; i < Readings.MOST_OF_ONE; i++) {
            activity.session().screen.photo(at(app).toString());
            reading.acquire();
        }
    }

    @Test
    public void tooManyAppsThatNeverAnswerAreTold() throws Exception {
        live();
        assertEquals(Readings.MOST, APPS.length * Readings.MOST_OF_ONE);
        for (String app : APPS) {
            askInVain(app);
        }
        activity.session().screen.photo(Phone.PHOTO.toString());
        settleWithoutReading();
        assertEquals(activity.getString(R.string.message_not_answered), Phone.text(activity, R.id.message));
    }

    /** Let large photos be decoded once they are released only; return what happens to each. */
    private List<String> decodeSlowly() throws Exception {
        final List<String> happened = Collections.synchronizedList(new ArrayList<String>());
        byte[] large = Phone.photo("6-twenty.jpg");
        for (String app : APPS) {
            shadowOf(Phone.application().getContentResolver())
                    .registerInputStreamSupplier(at(app), () -> new ByteArrayInputStream(large));
        }
        PhotoBands.opener = file -> {
            happened.add("begun");
            reading.release();
            awaitRelease();
            happened.add("ended");
            return null;
        };
        return happened;
    }

    @Test
    public void noAppIsBlamedForTheTimeThatDecodingTakes() throws Exception {
        live();
        decodeSlowly();
        activity.session().screen.photo(hangs.toString());
        reading.acquire();
        pass(10);
        assertEquals(ScreenState.Message.PHOTO_READING, state(activity).message);
        released.countDown();
        Phone.settle(activity);
        assertEquals(ScreenState.Message.PHOTO_REDUCED, state(activity).message);
    }

    @Test
    public void photosThatWereGivenUpAreNotDecodedBesideTheLast() throws Exception {
        live();
        List<String> happened = decodeSlowly();
        for (String app : APPS) {
            activity.session().screen.photo(at(app).toString());
            while (Readings.asked() > 0) { // it is copied
                Thread.yield();
            }
        }
        released.countDown();
        Phone.settle(activity);
        assertFalse(state(activity).answers.isEmpty());
        List<String> one = Arrays.asList("begun", "ended");
        assertEquals(one, happened.subList(0, 2));
        assertEquals(one, happened.subList(2, happened.size())); // the one between is left out
    }

    @Test
    public void aPhotoIsAskedForOnceHoweverOftenTheModelIsLoadedAnew() throws Exception {
        live();
        activity.session().screen.photo(hangs.toString());
        reading.acquire();
        pass(5);
        for (int i = 0; i < 4; i++) {
            activity.session().screen.chooseModel(1 - state(activity).model);
            settleWithoutReading();
            assertTrue(state(activity).modelReady);
            assertEquals(ScreenState.Message.PHOTO_WAITING, state(activity).message);
            assertEquals("cloud", state(activity).detail);
        }
        assertEquals(0, reading.availablePermits());
        released.countDown();
        Phone.settle(activity);
        assertEquals(ScreenState.Message.PHOTO_UNREADABLE, state(activity).message); // and its answer counts
    }

    /** Offer a model whose name never comes. */
    private void offer() throws Exception {
        shadowOf(Phone.application().getContentResolver()).setCursor(hangs, new RoboCursor() {
            @Override
            public boolean moveToFirst() {
                reading.release();
                awaitRelease();
                return false;
            }
        });
        live();
        activity.session().desk.offer(hangs);
        reading.acquire();
    }

    private String asked() {
        return shadowOf(ShadowAlertDialog.getLatestAlertDialog()).getTitle().toString();
    }

    @Test
    public void aModelWhoseNameNeverComesIsAskedAboutByItsAddress() throws Exception {
        offer();
        frame();
        assertFalse(state(activity).answers.isEmpty());
        assertNull(ShadowAlertDialog.getLatestAlertDialog());
        pass(5);
        assertEquals(activity.getString(R.string.add_question, "birds"), asked());
    }

    @Test
    public void nobodyIsAskedAboutAModelAfterAPhotoWasShared() throws Exception {
        offer();
        Phone.putPhoto(Phone.photo("1-photo.png"));
        activity.onNewIntent(Phone.share());
        released.countDown();
        Phone.settle(activity);
        pass(5);
        assertNull(ShadowAlertDialog.getLatestAlertDialog());
    }

    @Test
    public void whatIsAskedWaitsUntilAnOpenDialogIsClosed() throws Exception {
        offer();
        Phone.controls(activity).findViewById(R.id.own_models).performClick();
        AlertDialog list = ShadowAlertDialog.getLatestAlertDialog();
        pass(5);
        assertTrue(list.isShowing());
        assertEquals(activity.getString(R.string.own_models), asked());
        list.cancel();
        pass(1);
        assertEquals(activity.getString(R.string.add_question, "birds"), asked());
    }
}
