package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.app.AlertDialog;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.Rect;
import android.net.Uri;
import android.os.Looper;
import android.view.View;
import android.widget.ImageView;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowDialog;
import org.sqztf.core.ScreenState;

/** The screen in every state that people meet, drawn: the camera, one's own models, and what goes wrong. */
@RunWith(Runner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class StatesTest {
    private static final String[][] FORMS = { // name, qualifiers, size of letters
        {"en", "en-w411dp-h891dp-port-notnight-xhdpi", "1"},
        {"ko-dark", "ko-w411dp-h891dp-port-night-xhdpi", "1"},
        {"ko-large", "ko-w411dp-h891dp-port-notnight-xhdpi", "2"},
        {"rtl", "ar-ldrtl-w411dp-h891dp-port-notnight-xhdpi", "1"},
        {"ko-split", "ko-w411dp-h420dp-port-notnight-xhdpi", "1"},
    };

    private static final List<String> FAULTS = new ArrayList<>();

    /** What is looked at in every form. */
    private interface Look {
        void at(String form) throws Exception;
    }

    @Before
    public void picturesAreThere() {
        assumeNotNull(System.getProperty("sqz.pictures"), System.getProperty("sqz.own"));
        Engines.use();
        FAULTS.clear();
    }

    private static void inEveryForm(Look look) throws Exception {
        for (String[] form : FORMS) {
            RuntimeEnvironment.setQualifiers(form[1]);
            RuntimeEnvironment.setFontScale(Float.parseFloat(form[2]));
            look.at(form[0]);
        }
        assertEquals("", String.join("\n", FAULTS));
    }

    private static void check(View root, String name) throws Exception {
        Phone.screenshot(root, name);
        for (String fault : Accessible.faults(root)) {
            FAULTS.add(name + ": " + fault);
        }
    }

    private static void check(MainActivity activity, String name) throws Exception {
        Phone.settle(activity);
        check(activity.getWindow().getDecorView(), name);
    }

    /** Check the dialog that was opened last. */
    private static void checkDialog(String name) throws Exception {
        shadowOf(Looper.getMainLooper()).idle();
        check(ShadowDialog.getLatestDialog().getWindow().getDecorView(), name);
    }

    /** Return the middle of a photo, upright as a camera sees it. */
    private static Bitmap scene() throws Exception {
        byte[] file = Phone.photo("1-photo.png");
        Bitmap photo = BitmapFactory.decodeByteArray(file, 0, file.length);
        Bitmap scene = Bitmap.createBitmap(480, 640, Bitmap.Config.ARGB_8888);
        Rect middle = new Rect(108, 0, 333, 300);
        new Canvas(scene).drawBitmap(photo, middle, new Rect(0, 0, 480, 640), new Paint(Paint.FILTER_BITMAP_FLAG));
        return scene;
    }

    private static MainActivity live() throws Exception {
        MainActivity activity = Phone.start();
        activity.onRunning();
        activity.findViewById(R.id.torch).performClick();
        activity.findViewById(R.id.zoom).performClick();
        Phone.deliver(activity, new SceneFrame(scene()));
        Phone.settle(activity);
        return activity;
    }

    /** Check a live screen, with a picture where the camera's is, which is no part of the window. */
    private static void checkLive(MainActivity activity, String name) throws Exception {
        Phone.settle(activity);
        ImageView camera = activity.findViewById(R.id.still);
        camera.setImageBitmap(scene());
        camera.setVisibility(View.VISIBLE);
        shadowOf(Looper.getMainLooper()).idle();
        check(activity.getWindow().getDecorView(), name);
        camera.setImageDrawable(null);
        camera.setVisibility(View.GONE);
    }

    @Test
    public void theLivePictureWithTorchAndZoomAndAFrozenOne() throws Exception {
        Phone.addAbleCamera();
        Phone.allowCamera();
        inEveryForm(form -> {
            MainActivity activity = live();
            assertFalse(state(activity).answers.isEmpty());
            assertTrue(activity.findViewById(R.id.torch).isSelected());
            checkLive(activity, "viewfinder-" + form);
            activity.findViewById(R.id.primary).performClick();
            assertEquals(ScreenState.Source.FROZEN, state(activity).source);
            check(activity, "still-" + form);
        });
    }

    @Test
    public void withoutPermission() throws Exception {
        Phone.addCamera();
        inEveryForm(form -> {
            MainActivity activity = Phone.start();
            activity.session().screen.permission(false, false);
            activity.session().screen.permission(false, false);
            assertEquals(ScreenState.Camera.DENIED, state(activity).camera);
            check(activity, "denied-" + form);
        });
    }

    @Test
    public void aModelThatCannotBeRun() throws Exception {
        Session.engines = (file, model, threads, fast) -> new FakeEngine(fast) {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                throw new IllegalStateException("AllocateTensors failed: node 12 (CONV_2D)");
            }
        };
        inEveryForm(form -> {
            Phone.putPhoto(Phone.photo("1-photo.png"));
            MainActivity activity = Phone.start(Phone.share());
            assertEquals(ScreenState.Message.ENGINE_FAILED, state(activity).message);
            check(activity, "engine-" + form);
        });
    }

    @Test
    public void aFileThatIsNoModelOverTheCamera() throws Exception {
        Phone.addAbleCamera();
        Phone.allowCamera();
        inEveryForm(form -> {
            MainActivity activity = live();
            activity.session().desk.open(put("notes.tflite", new byte[100]));
            Phone.settle(activity);
            assertEquals(ScreenState.Message.MODEL_NOT_TFLITE, state(activity).message);
            checkLive(activity, "no-model-" + form);
        });
    }

    @Test
    public void aPictureThatCannotBeRead() throws Exception {
        inEveryForm(form -> {
            Phone.putPhoto(Phone.photo("text.jpg"));
            MainActivity activity = Phone.start(Phone.share());
            assertEquals(ScreenState.Message.PHOTO_UNREADABLE, state(activity).message);
            check(activity, "unreadable-" + form);
        });
    }

    @Test
    public void anAppThatDoesNotAnswer() throws Exception {
        Phone.addAbleCamera();
        Phone.allowCamera();
        inEveryForm(form -> {
            MainActivity activity = Phone.start();
            CountDownLatch released = putHanging();
            activity.session().screen.photo(Phone.PHOTO.toString());
            activity.session().screen.photoSlow("Cloud Drive");
            View decor = activity.getWindow().getDecorView();
            shadowOf(Looper.getMainLooper()).idle();
            check(decor, "waiting-" + form);
            released.countDown();
        });
    }

    /** Let the photo not be there until it is released. */
    private static CountDownLatch putHanging() {
        CountDownLatch released = new CountDownLatch(1);
        Supplier<InputStream> opened = () -> {
            try {
                released.await();
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
            return new ByteArrayInputStream(new byte[0]);
        };
        shadowOf(Phone.application().getContentResolver()).registerInputStreamSupplier(Phone.PHOTO, opened);
        return released;
    }

    private static Uri put(String path, final byte[] content) {
        Uri uri = Uri.parse("content://files/" + path);
        Supplier<InputStream> opened = () -> new ByteArrayInputStream(content);
        shadowOf(Phone.application().getContentResolver()).registerInputStreamSupplier(uri, opened);
        return uri;
    }

    private static byte[] own(String name) throws Exception {
        return Files.readAllBytes(new File(System.getProperty("sqz.own"), name).toPath());
    }

    private static void openOwnModels(MainActivity activity) {
        Phone.controls(activity).findViewById(R.id.own_models).performClick();
        shadowOf(Looper.getMainLooper()).idle();
    }

    @Test
    public void ownModels() throws Exception {
        inEveryForm(form -> {
            MainActivity activity = Phone.start();
            openOwnModels(activity);
            checkDialog("own-none-" + form);
            activity.session().desk.open(put("garden birds.tflite", own("own.tflite")));
            Phone.settle(activity);
            openOwnModels(activity);
            checkDialog("own-list-" + form);
            AlertDialog list = (AlertDialog) ShadowDialog.getLatestDialog();
            shadowOf(list.getListView()).performItemClick(0);
            checkDialog("own-model-" + form);
            ((AlertDialog) ShadowDialog.getLatestDialog()).getButton(AlertDialog.BUTTON_NEUTRAL).performClick();
            checkDialog("own-remove-" + form);
            activity.session().desk.remove(activity.session().desk.own().get(0));
            activity.session().desk.offer(put("birds.sqz", new byte[0]));
            Phone.settle(activity);
            checkDialog("own-asked-" + form);
        });
    }
}
