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
import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Intent;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.provider.DocumentsContract;
import android.provider.DocumentsContract.Document;
import android.view.View;
import android.view.ViewGroup;
import android.widget.RadioButton;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowDialog;
import org.sqztf.core.ModelStore;
import org.sqztf.core.ScreenState.Message;

/** Signed updates, shared, opened or found in a folder; the files and the key are those of core's SqzUpdateTest. */
@RunWith(Runner.class)
@Config(sdk = {24, 35})
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class UpdatesTest {
    private static final String NEW = "door-camera v4";

    @Before
    public void updatesAreThere() {
        assumeTrue(System.getProperty("sqz.updates") != null);
        Engines.use();
    }

    private static byte[] file(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty("sqz.updates"), name).toPath());
    }

    private static void put(Uri uri, final byte[] content) {
        Supplier<InputStream> opened = () -> new ByteArrayInputStream(content);
        shadowOf(Phone.application().getContentResolver()).registerInputStreamSupplier(uri, opened);
    }

    private static void open(MainActivity activity, String name) throws Exception {
        Uri uri = Uri.parse("content://files/" + name);
        put(uri, file(name));
        activity.session().desk.open(uri);
        Phone.settle(activity);
    }

    private static MainActivity start() throws Exception {
        Phone.needModels(1);
        return Phone.start();
    }

    private static String chosen(MainActivity activity) {
        return state(activity).models.get(state(activity).model);
    }

    @Test
    public void aSharedUpdateIsAskedAboutUsedAndThereTheNextTimeWithItsVersion() throws Exception {
        Phone.needModels(1);
        Uri uri = Uri.parse("content://mail/camera.squ");
        put(uri, file("v4.squ"));
        MainActivity activity = Phone.start(new Intent(Intent.ACTION_SEND).setType("application/octet-stream")
                .putExtra(Intent.EXTRA_STREAM, uri));
        AlertDialog question = ShadowAlertDialog.getLatestAlertDialog();
        assertEquals(activity.getString(R.string.add_question, "camera"), shadowOf(question).getTitle().toString());
        question.getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        Phone.settle(activity);
        assertEquals(NEW, chosen(activity));
        assertTrue(state(activity).detail, state(activity).modelReady);
        assertTrue(picker(activity).contains(NEW));
        String said = Texts.of(activity, activity.session().desk.own().get(0));
        assertTrue(said, said.contains("Version 4 of door-camera, signed"));
        Phone.putPhoto(Phone.photo("6-photo.jpg"));
        activity.session().screen.photo(Phone.PHOTO.toString());
        Phone.settle(activity);
        assertEquals(state(activity).detail, 5, state(activity).answers.size());
        activity.finish();
        assertTrue(picker(Phone.start()).contains(NEW));
    }

    /** Return the models that the sheet of controls lets one choose. */
    private static List<String> picker(MainActivity activity) {
        Dialog sheet = Phone.controls(activity);
        List<String> shown = new ArrayList<>();
        ViewGroup rows = sheet.findViewById(R.id.models);
        for (int i = 0; i < rows.getChildCount(); i++) {
            shown.add(((RadioButton) rows.getChildAt(i)).getText().toString());
        }
        sheet.dismiss();
        return shown;
    }

    @Test
    public void theNextVersionTakesThePlaceOfTheOneBefore() throws Exception {
        MainActivity activity = start();
        open(activity, "v4.squ");
        open(activity, "v5.squ");
        assertEquals("door-camera v5", chosen(activity));
        assertFalse(picker(activity).contains(NEW));
        assertEquals(1, activity.session().desk.own().size());
        String[] left = new File(activity.getFilesDir(), "models").list();
        assertEquals(Arrays.toString(left), 2, left.length); // the model and the list
    }

    @Test
    public void eachWrongOneIsToldInItsOwnWordsAndTheModelOfBeforeStays() throws Exception {
        MainActivity activity = start();
        String before = chosen(activity);
        open(activity, "v3.squ");
        int count = 0;
        for (String name : new File(System.getProperty("sqz.updates")).list()) {
            if (name.contains("-")) {
                open(activity, name);
                String why = name.substring(0, name.indexOf('-'));
                Message expected = why.equals("SPACE") ? Message.MODEL_TOO_LARGE : Message.valueOf("UPDATE_" + why);
                assertEquals(name, expected, state(activity).message);
                assertTrue(state(activity).detail, state(activity).detail.startsWith("ERROR_" + why + ": "));
                count++;
            }
        }
        assertTrue(count > 20);
        open(activity, "v6_no_model.squ");
        assertEquals(Message.MODEL_NOT_TFLITE, state(activity).message);
        assertEquals("door-camera v3", chosen(activity));
        assertTrue(state(activity).modelReady);
        assertEquals(1, activity.session().desk.own().size());
        assertTrue(state(activity).models.contains(before));
    }

    @Test
    public void anOldVersionIsRefusedEvenWhenTheNewOneWasRemoved() throws Exception {
        MainActivity activity = start();
        open(activity, "v4.squ");
        activity.session().desk.remove(activity.session().desk.own().get(0));
        Phone.settle(activity);
        assertTrue(activity.session().desk.own().isEmpty());
        open(activity, "v3.squ");
        assertEquals(Message.UPDATE_VERSION, state(activity).message);
        open(activity, "v4.squ"); // the very same may come back
        assertEquals(NEW, chosen(activity));
        assertNull(state(activity).message);
    }

    @Test
    public void anAppWithoutAKeySaysWhatToDo() throws Exception {
        MainActivity activity = start();
        activity.session().desk.models.bundled.trust = null;
        open(activity, "v4.squ");
        assertEquals(Message.UPDATE_NO_KEY, state(activity).message);
        String said = Texts.message(activity.getResources(), state(activity));
        assertTrue(said, said.contains("--update-key"));
        assertFalse(offersFolders(activity));
    }

    private static AlertDialog list(MainActivity activity) {
        activity.findViewById(R.id.controls).performClick();
        ShadowDialog.getLatestDialog().findViewById(R.id.own_models).performClick();
        return ShadowAlertDialog.getLatestAlertDialog();
    }

    private static boolean offersFolders(MainActivity activity) {
        return list(activity).getButton(AlertDialog.BUTTON_NEUTRAL).getVisibility() == View.VISIBLE;
    }

    // From a folder ------------------------------------------------------------------------------------------

    /** A folder of another app's. */
    public static final class Documents extends ContentProvider {
        static List<String> names;

        @Override
        public boolean onCreate() {
            return true;
        }

        @Override
        public Cursor query(Uri uri, String[] columns, String which, String[] values, String order) {
            MatrixCursor rows = new MatrixCursor(
                    new String[] {Document.COLUMN_DOCUMENT_ID, Document.COLUMN_DISPLAY_NAME, Document.COLUMN_MIME_TYPE});
            for (String name : names) {
                String type = name.endsWith("/") ? Document.MIME_TYPE_DIR : "application/octet-stream";
                rows.addRow(new Object[] {"id of " + name, name.replace("/", ""), type});
            }
            return rows;
        }

        @Override
        public String getType(Uri uri) {
            return null;
        }

        @Override
        public Uri insert(Uri uri, ContentValues values) {
            return null;
        }

        @Override
        public int delete(Uri uri, String which, String[] values) {
            return 0;
        }

        @Override
        public int update(Uri uri, ContentValues values, String which, String[] more) {
            return 0;
        }
    }

    private static Uri tree() {
        return DocumentsContract.buildTreeDocumentUri("documents", "updates");
    }

    private static MainActivity withFolder(String... names) throws Exception {
        Robolectric.setupContentProvider(Documents.class, "documents");
        Documents.names = Arrays.asList(names);
        for (String name : names) {
            File update = new File(System.getProperty("sqz.updates"), name.toLowerCase());
            byte[] content = update.isFile() ? Files.readAllBytes(update.toPath()) : new byte[0];
            if (!name.startsWith("gone")) {
                put(DocumentsContract.buildDocumentUriUsingTree(tree(), "id of " + name), content);
            }
        }
        MainActivity activity = start();
        assertTrue(offersFolders(activity));
        list(activity).getButton(AlertDialog.BUTTON_NEUTRAL).performClick();
        Phone.settle(activity);
        Intent chooser = shadowOf(activity).getNextStartedActivityForResult().intent;
        assertEquals(Intent.ACTION_OPEN_DOCUMENT_TREE, chooser.getAction());
        shadowOf(activity).receiveResult(chooser, MainActivity.RESULT_OK, new Intent().setData(tree()));
        Phone.settle(activity);
        return activity;
    }

    @Test
    public void theNewestUpdateOfAFolderIsTakenWhateverElseIsThere() throws Exception {
        MainActivity activity = withFolder("v4.squ", "notes.txt", "V5.SQU", "old.squ/", "gone.squ", "v3.squ", "empty.squ", "key");
        assertEquals("door-camera v5", chosen(activity));
    }

    @Test
    public void aFolderWithoutAnUpdateSaysWhyNot() throws Exception {
        MainActivity activity = withFolder("notes.txt", "v4.sqz");
        assertEquals(Message.NO_UPDATE, state(activity).message);
        activity.session().desk.openFolder(Uri.parse("file:///sdcard"));
        Phone.settle(activity);
        assertEquals(Message.MODEL_UNREADABLE, state(activity).message);
        Documents.names = Arrays.asList("empty.squ");
        activity.session().desk.openFolder(tree());
        Phone.settle(activity);
        assertEquals(Message.MODEL_UNREADABLE, state(activity).message); // its provider has no such file
    }

    @Test
    public void ofUpdatesThatAreAllRefusedTheNearestIsTold() throws Exception {
        MainActivity activity = withFolder("empty.squ", "v3.squ");
        ModelStore.Own own = activity.session().desk.own().get(0);
        assertEquals(3, own.version);
        String[] all = {"format-of_another_kind.squ", "key-of_a_stranger.squ", "version-older.squ"};
        for (String name : all) {
            put(DocumentsContract.buildDocumentUriUsingTree(tree(), "id of " + name),
                    file(name.substring(0, name.indexOf('-')).toUpperCase() + name.substring(name.indexOf('-'))));
        }
        Documents.names = Arrays.asList(all);
        activity.session().desk.openFolder(tree());
        Phone.settle(activity);
        assertEquals(Message.UPDATE_VERSION, state(activity).message);
    }
}
