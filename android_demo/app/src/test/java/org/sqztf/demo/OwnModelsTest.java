package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.app.AlertDialog;
import android.app.Dialog;
import android.content.ContentResolver;
import android.content.Intent;
import android.content.pm.ResolveInfo;
import android.graphics.Rect;
import android.net.Uri;
import android.os.Looper;
import android.os.Parcel;
import android.os.Parcelable;
import android.text.format.DateFormat;
import android.widget.TextView;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowDialog;
import org.sqztf.core.Engine;
import org.sqztf.core.ModelStore;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.SqzModel;

/** Models that are opened or shared, kept, listed and removed; the files are those of core's SqzPackTest. */
@RunWith(Runner.class)
@Config(sdk = {24, 35})
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class OwnModelsTest {
    private static final String SAMPLE = "own";

    @Before
    public void modelsAreThere() {
        assumeTrue(System.getProperty("sqz.own") != null);
        Engines.use();
    }

    private static byte[] file(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty("sqz.own"), name).toPath());
    }

    private static Uri put(String path, final byte[] content) {
        Uri uri = Uri.parse("content://files/" + path);
        Supplier<InputStream> opened = () -> new ByteArrayInputStream(content);
        shadowOf(Phone.application().getContentResolver()).registerInputStreamSupplier(uri, opened);
        return uri;
    }

    private static Intent view(Uri uri) {
        return new Intent(Intent.ACTION_VIEW).setDataAndType(uri, "application/octet-stream");
    }

    private static Intent send(Uri uri) {
        return new Intent(Intent.ACTION_SEND).setType("application/octet-stream").putExtra(Intent.EXTRA_STREAM, uri);
    }

    private static MainActivity start(Intent intent) throws Exception {
        return start(Robolectric.buildActivity(MainActivity.class, intent));
    }

    /** Start the app, and take the model that it is started with. */
    private static MainActivity start(ActivityController<MainActivity> controller) throws Exception {
        MainActivity activity = controller.setup().get();
        Phone.settle(activity);
        if (controller.getIntent().getAction() != null) {
            press(activity, AlertDialog.BUTTON_POSITIVE);
        }
        return activity;
    }

    private static void press(MainActivity activity, int button) throws Exception {
        ShadowAlertDialog.getLatestAlertDialog().getButton(button).performClick();
        Phone.settle(activity);
    }

    @Test
    public void anotherAppsModelIsNotReadBeforeTheUserWantsIt() throws Exception {
        final int[] opened = {0};
        Uri uri = Uri.parse("content://files/ask.sqz");
        Supplier<InputStream> supplier = () -> {
            opened[0]++;
            return new ByteArrayInputStream(new byte[0]);
        };
        shadowOf(Phone.application().getContentResolver()).registerInputStreamSupplier(uri, supplier);
        MainActivity activity = Phone.start(send(uri));
        AlertDialog question = ShadowAlertDialog.getLatestAlertDialog();
        assertEquals(activity.getString(R.string.add_question, "ask"), shadowOf(question).getTitle().toString());
        press(activity, AlertDialog.BUTTON_NEGATIVE);
        assertEquals(0, opened[0]);
        assertTrue(activity.session().desk.own().isEmpty());
    }

    @Test
    public void theQuestionIsThereAgainWhenTheDeviceIsTurnedAndNoWindowIsLeft() throws Exception {
        ActivityController<MainActivity> controller = Robolectric.buildActivity(MainActivity.class,
                send(put("turned.sqz", file(SAMPLE + ".sqz")))).setup();
        Phone.settle(controller.get());
        AlertDialog before = ShadowAlertDialog.getLatestAlertDialog();
        controller.recreate();
        Phone.settle(controller.get());
        assertFalse(before.isShowing());
        press(controller.get(), AlertDialog.BUTTON_POSITIVE);
        assertEquals("turned", chosen(controller.get()));
    }

    @Test
    public void aModelForWhichThereIsNoRoomIsRefusedAndTheLargestNamed() throws Exception {
        MainActivity activity = start(new Intent());
        activity.session().desk.open(put("large.tflite", file(SAMPLE + ".tflite")));
        Phone.settle(activity);
        long before = Models.most;
        Models.most = file(SAMPLE + ".tflite").length;
        try {
            refuse(activity, file("other.tflite"), Message.MODELS_FULL);
            assertEquals("large", state(activity).detail);
            activity.session().desk.open(put("again.tflite", file(SAMPLE + ".tflite"))); // it is there already
            Phone.settle(activity);
            assertNull(state(activity).message);
        } finally {
            Models.most = before;
        }
    }

    private static String chosen(MainActivity activity) {
        return state(activity).models.get(state(activity).model);
    }

    @Test
    public void aSharedPackIsKeptUsedAndThereTheNextTime() throws Exception {
        MainActivity activity = start(send(put("birds.sqz", file(SAMPLE + ".sqz"))));
        assertEquals("birds", chosen(activity));
        assertTrue(state(activity).detail, state(activity).modelReady);
        ModelStore.Own own = activity.session().desk.own().get(0);
        assertEquals(file(SAMPLE + ".tflite").length, own.bytes);
        assertEquals(0.8125, own.top1, 0);
        activity.finish();
        assertTrue(state(start(new Intent())).models.contains("birds"));
    }

    @Test
    public void anOpenedTfliteAnswersForAPhoto() throws Exception {
        MainActivity activity = start(view(put("My model.v2.TFLITE", file(SAMPLE + ".tflite"))));
        assertEquals("My model.v2", chosen(activity));
        Phone.putPhoto(Phone.photo("6-photo.jpg"));
        activity.session().screen.photo(Phone.PHOTO.toString());
        Phone.settle(activity);
        assertEquals(state(activity).detail, 5, state(activity).answers.size());
    }

    @Test
    public void anOwnModelHasFastKernelsOnlyAndTheAppSaysSo() throws Exception {
        final byte[] own = file(SAMPLE + ".tflite");
        Session.engines = new Session.Engines() {
            @Override
            public Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
                boolean runsFast = fast || Arrays.equals(file, own); // as the package, which has C of bundled models alone
                return new FakeEngine(runsFast);
            }
        };
        MainActivity activity = start(new Intent());
        activity.session().screen.chooseFast(false);
        Phone.settle(activity);
        assertNull(state(activity).message);
        activity.session().desk.open(put("a.tflite", own));
        Phone.settle(activity);
        assertEquals(Message.FAST_ONLY, state(activity).message);
        assertTrue(Texts.of(activity, activity.session().desk.own().get(0)).contains("Fast kernels only"));
    }

    @Test
    public void whatIsNoModelIsToldAndTheModelOfBeforeStays() throws Exception {
        Phone.needModels(1);
        byte[] whole = file(SAMPLE + ".tflite");
        byte[] pack = file(SAMPLE + ".sqz");
        MainActivity activity = start(new Intent());
        String before = chosen(activity);
        refuse(activity, "notes.txt".getBytes("UTF-8"), Message.MODEL_NOT_TFLITE);
        refuse(activity, new byte[0], Message.MODEL_NOT_TFLITE);
        refuse(activity, Arrays.copyOf(whole, whole.length - 1), Message.MODEL_LABELS);
        refuse(activity, Arrays.copyOf(pack, pack.length - 1), Message.MODEL_DAMAGED);
        refuse(activity, new byte[ModelStore.LARGEST + 1], Message.MODEL_TOO_LARGE);
        activity.session().desk.open(Uri.fromFile(new File(System.getProperty("sqz.own"), "own.tflite")));
        Phone.settle(activity);
        assertEquals(Message.MODEL_UNREADABLE, state(activity).message);
        assertEquals(before, chosen(activity));
        assertTrue(state(activity).modelReady);
        assertTrue(activity.session().desk.own().isEmpty());
        String[] left = new File(activity.getFilesDir(), "models").list();
        assertTrue(Arrays.toString(left), left == null || left.length == 0);
    }

    private static void refuse(MainActivity activity, byte[] content, Message expected) throws Exception {
        activity.session().desk.open(put("some.tflite", content));
        Phone.settle(activity);
        assertEquals(expected, state(activity).message);
    }

    @Test
    public void aModelThatCannotBeRunIsNotKept() throws Exception {
        Session.engines = new Session.Engines() {
            @Override
            public Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
                throw new IllegalStateException("an operator is unknown");
            }
        };
        MainActivity activity = start(view(put("a.tflite", file(SAMPLE + ".tflite"))));
        assertEquals(Message.ENGINE_FAILED, state(activity).message);
        assertTrue(activity.session().desk.own().isEmpty());
    }

    // Models that are no longer wanted ----------------------------------------------------------------------

    private final Semaphore tried = new Semaphore(0); // one for each that is being tried out
    private final CountDownLatch released = new CountDownLatch(1);

    /** Open a model, and let the thread of models wait while it tries it out. */
    private MainActivity tryingOut(final boolean runs) throws Exception {
        final byte[] held = file(SAMPLE + ".tflite");
        final Session.Engines others = Session.engines;
        Session.engines = (file, model, threads, fast) -> {
            if (Arrays.equals(file, held)) {
                tried.release();
                FakeEngine.await(released);
                if (!runs) {
                    throw new IllegalStateException("an operator is unknown");
                }
            }
            return others.open(file, model, threads, fast);
        };
        MainActivity activity = start(new Intent());
        activity.session().desk.open(put("held.tflite", held));
        tried.acquire();
        shadowOf(Looper.getMainLooper()).idle(); // that it was read is known
        assertEquals(Message.MODEL_READING, state(activity).message);
        return activity;
    }

    @Test
    public void aModelThatIsGivenUpWhileItIsTriedOutIsNotKept() throws Exception {
        Phone.needModels(2);
        MainActivity activity = tryingOut(true);
        activity.session().screen.chooseModel(1);
        assertNull(state(activity).message);
        released.countDown();
        Phone.settle(activity);
        assertTrue(activity.session().desk.own().isEmpty());
        assertEquals(state(activity).models.get(1), chosen(activity));
    }

    @Test
    public void nothingIsSaidOfOneThatIsGivenUp() throws Exception {
        Phone.needModels(2);
        MainActivity activity = tryingOut(false);
        activity.session().screen.chooseModel(1);
        released.countDown();
        Phone.settle(activity);
        assertNull(state(activity).message);
    }

    @Test
    public void aModelThatIsOpenedMeanwhileTakesItsPlace() throws Exception {
        MainActivity activity = tryingOut(true);
        activity.session().desk.open(put("later.tflite", file("other.tflite")));
        released.countDown();
        Phone.settle(activity);
        List<ModelStore.Own> own = activity.session().desk.own();
        assertEquals(1, own.size());
        assertEquals("later", own.get(0).name);
        assertEquals("later", chosen(activity));
        assertNull(state(activity).message);
    }

    @Test
    public void oneThatWasKeptWhenItWasGivenUpIsListedAndNotUsed() throws Exception {
        Phone.needModels(2);
        MainActivity activity = tryingOut(true);
        released.countDown();
        CountDownLatch kept = new CountDownLatch(1);
        activity.session().work(kept::countDown);
        kept.await();
        activity.session().screen.chooseModel(1);
        Phone.settle(activity);
        assertTrue(state(activity).models.contains("held"));
        assertEquals(state(activity).models.get(1), chosen(activity));
    }

    @Test
    public void theBenchmarkNamesTheModelThatItMeasuredWhateverComesMeanwhile() throws Exception {
        Phone.needModels(1);
        MainActivity activity = start(new Intent());
        Dialog page = Phone.benchmark(activity);
        activity.session().desk.open(put("late.tflite", file(SAMPLE + ".tflite")));
        Phone.settle(activity);
        page.findViewById(R.id.run).performClick();
        Phone.settle(activity);
        String about = ((TextView) page.findViewById(R.id.about)).getText().toString();
        assertTrue(about, about.contains("late"));
        page.findViewById(R.id.share).performClick();
        Intent sent = shadowOf(activity).getNextStartedActivity().getParcelableExtra(Intent.EXTRA_INTENT);
        String text = sent.getStringExtra(Intent.EXTRA_TEXT);
        assertTrue(text, text.contains(": late\n"));
    }

    @Test
    public void theSameModelIsKeptOnceAndAnotherOfItsNameIsToldApart() throws Exception {
        MainActivity activity = start(view(put("a.tflite", file(SAMPLE + ".tflite"))));
        activity.session().desk.open(put("b.sqz", file(SAMPLE + ".sqz")));
        Phone.settle(activity); // a later one would take its place
        activity.session().desk.open(put("c/a.tflite", file("other.tflite")));
        Phone.settle(activity);
        List<ModelStore.Own> own = activity.session().desk.own();
        assertEquals(2, own.size());
        assertEquals("a", own.get(0).name);
        assertEquals("a (2)", own.get(1).name);
        assertEquals("a (2)", chosen(activity));
    }

    @Test
    public void aModelOfAUsualNameIsListedByItsFolder() throws Exception {
        MainActivity activity = start(new Intent());
        activity.session().desk.open(put("document/primary%3ADownload%2Fbirds%2Fmodel_int8.tflite", file(SAMPLE + ".tflite")));
        Phone.settle(activity);
        assertEquals("birds", chosen(activity));
        ModelStore.Own own = activity.session().desk.own().get(0);
        String said = Texts.of(activity, own);
        assertFalse(own.labels.isEmpty());
        assertTrue(said, said.contains(own.labels) && said.contains(DateFormat.getDateFormat(activity).format(new Date())));
    }

    @Test
    public void theListShowsEachAndRemovesOne() throws Exception {
        MainActivity activity = start(view(put("a.tflite", file(SAMPLE + ".tflite"))));
        activity.findViewById(R.id.controls).performClick();
        ShadowDialog.getLatestDialog().findViewById(R.id.own_models).performClick();
        AlertDialog list = ShadowAlertDialog.getLatestAlertDialog();
        String line = list.getListView().getAdapter().getItem(0).toString();
        assertTrue(line, line.startsWith("a\n") && line.contains("81.3 %") && line.contains("B"));
        shadowOf(list).clickOnItem(0);
        press(activity, AlertDialog.BUTTON_NEGATIVE); // cancel
        assertEquals(1, activity.session().desk.own().size());
        activity.findViewById(R.id.controls).performClick();
        ShadowDialog.getLatestDialog().findViewById(R.id.own_models).performClick();
        shadowOf(ShadowAlertDialog.getLatestAlertDialog()).clickOnItem(0);
        press(activity, AlertDialog.BUTTON_NEUTRAL);
        assertEquals(1, activity.session().desk.own().size()); // it is asked about
        press(activity, AlertDialog.BUTTON_POSITIVE);
        assertTrue(activity.session().desk.own().isEmpty());
        assertFalse(state(activity).models.contains("a"));
        assertEquals(0, state(activity).model);
        activity.findViewById(R.id.controls).performClick();
        ShadowDialog.getLatestDialog().findViewById(R.id.own_models).performClick();
        ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        Phone.settle(activity);
        Intent chooser = shadowOf(activity).getNextStartedActivityForResult().intent;
        assertEquals(Intent.ACTION_GET_CONTENT, chooser.getAction());
        Intent answer = new Intent().setData(put("from files.sqz", file(SAMPLE + ".sqz")));
        shadowOf(activity).receiveResult(chooser, MainActivity.RESULT_OK, answer);
        Phone.settle(activity);
        assertEquals("from files", chosen(activity));
    }

    @Test
    public void aFileThatChangedOnTheDeviceIsToldAndAModelFollowsAnother() throws Exception {
        ActivityController<MainActivity> controller =
                Robolectric.buildActivity(MainActivity.class, view(put("a.tflite", file(SAMPLE + ".tflite"))));
        start(controller);
        File folder = new File(controller.get().getFilesDir(), "models");
        for (File each : folder.listFiles()) {
            if (each.getName().endsWith(".tflite")) {
                Files.write(each.toPath(), new byte[100]);
            }
        }
        controller.get().session().screen.chooseThreads(1 + state(controller.get()).threads % 2);
        Phone.settle(controller.get());
        assertEquals(Message.MODEL_DAMAGED, state(controller.get()).message);
    }

    /** Of a class that no other app has. */
    static final class Strange implements Parcelable {
        @Override
        public int describeContents() {
            return 0;
        }

        @Override
        public void writeToParcel(Parcel out, int flags) {}
    }

    @Test
    public void onlyContentIsOpenedWhateverAnIntentBrings() throws Exception {
        assertNull(Given.of(view(Uri.fromFile(new File("/data/data/org.sqztf.demo/files/models/models.json")))));
        assertNull(Given.of(send(Uri.parse("https://example.org/a.sqz"))));
        assertNull(Given.of(new Intent(Intent.ACTION_VIEW)));
        assertNull(Given.of(new Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, "content://files/a")));
        assertNull(Given.of(new Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, new Rect(1, 2, 3, 4))));
        assertNull(Given.of(parcelled(new Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, new Strange()))));
        assertNull(Given.of(view(put("a", new byte[1])).addFlags(Intent.FLAG_ACTIVITY_LAUNCHED_FROM_HISTORY)));
        assertTrue(Given.of(send(put("a", new byte[1]))).model);
        assertFalse(Given.of(Phone.share()).model);
    }

    /** Return an intent as it comes from another process: its extras are still bytes. */
    private static Intent parcelled(Intent intent) {
        Parcel parcel = Parcel.obtain();
        intent.writeToParcel(parcel, 0);
        parcel.setDataPosition(0);
        Intent arrived = Intent.CREATOR.createFromParcel(parcel);
        arrived.setExtrasClassLoader(ContentResolver.class.getClassLoader()); // which does not know the class
        return arrived;
    }

    @Test
    public void modelsAreOfferedToThisApp() {
        for (String path : new String[] {"a.tflite", "folder/my.best.model.v1.sqz", "x.y.sqz"}) {
            assertOffered(new Intent(Intent.ACTION_VIEW).setDataAndType(Uri.parse("content://f/" + path), "text/plain"), 1);
        }
        assertOffered(new Intent(Intent.ACTION_VIEW).setDataAndType(Uri.parse("content://f/a.txt"), "text/plain"), 0);
        assertOffered(view(Uri.parse("content://f/12")), 1);
        assertOffered(view(Uri.parse("file:///sdcard/a.sqz")), 0);
        assertOffered(send(Uri.parse("content://f/12")), 1);
    }

    private static void assertOffered(Intent intent, int count) {
        List<ResolveInfo> found = Phone.application().getPackageManager().queryIntentActivities(intent, 0);
        assertEquals(intent.toString(), count, found.size());
    }
}
