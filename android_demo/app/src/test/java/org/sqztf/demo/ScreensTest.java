package org.sqztf.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;
import static org.robolectric.Shadows.shadowOf;
import static org.sqztf.demo.Phone.state;

import android.Manifest;
import android.app.Dialog;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Canvas;
import android.graphics.Rect;
import android.graphics.RectF;
import android.graphics.drawable.AdaptiveIconDrawable;
import android.graphics.drawable.Drawable;
import android.os.Looper;
import android.util.Size;
import android.util.TypedValue;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ProgressBar;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowDialog;
import org.sqztf.core.ScreenState;
import org.sqztf.core.SqzModel;
import org.sqztf.core.SqzPicture;

/** Photos of every kind, and the screen drawn by Android's own graphics in all its forms. */
@RunWith(Runner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class ScreensTest {
    private final PhotoBands.Opener androids = PhotoBands.opener;

    @Before
    public void picturesAreThere() {
        assumeNotNull(System.getProperty("sqz.pictures"));
        Engines.use();
    }

    @After
    public void partsAreDecodedByAndroidAgain() {
        PhotoBands.opener = androids;
    }

    private static MainActivity shared(String picture) throws Exception {
        Phone.putPhoto(Phone.photo(picture));
        return Phone.start(Phone.share());
    }

    private static void look(String qualifiers, float fontScale, String name) throws Exception {
        RuntimeEnvironment.setQualifiers(qualifiers);
        RuntimeEnvironment.setFontScale(fontScale);
        MainActivity activity = shared("6-photo.jpg");
        assertFalse(state(activity).answers.isEmpty());
        Bitmap screen = check(activity, name);
        assertTrue(colours(screen) > 50);
        Session session = activity.session();
        Dialog sheet = Phone.controls(activity);
        check(name + "-sheet");
        sheet.findViewById(R.id.benchmark).performClick();
        ShadowDialog.getLatestDialog().findViewById(R.id.run).performClick();
        session.bench.stop();
        Phone.settle(activity);
        check(name + "-benchmark");
    }

    /** Check the screen for what keeps people from using it, and draw it. */
    private static Bitmap check(MainActivity activity, String name) throws Exception {
        View decor = activity.getWindow().getDecorView();
        Bitmap screen = Phone.screenshot(decor, name);
        assertEquals(new ArrayList<String>(), Accessible.faults(decor));
        return screen;
    }

    /** Check what lies over the screen now. */
    private static void check(String name) throws Exception {
        shadowOf(Looper.getMainLooper()).idle();
        View decor = ShadowDialog.getLatestDialog().getWindow().getDecorView();
        Phone.screenshot(decor, name);
        assertEquals(new ArrayList<String>(), Accessible.faults(decor));
    }

    private static int colours(Bitmap screen) {
        java.util.Set<Integer> seen = new java.util.HashSet<>();
        for (int y = 0; y < screen.getHeight(); y += 3) {
            for (int x = 0; x < screen.getWidth(); x += 3) {
                seen.add(screen.getPixel(x, y));
            }
        }
        return seen.size();
    }

    @Test
    public void aPhonesScreen() throws Exception {
        look("en-w411dp-h891dp-port-notnight-xhdpi", 1f, "photo-en");
    }

    @Test
    public void aDarkScreenInKorean() throws Exception {
        look("ko-w411dp-h891dp-port-night-xhdpi", 1f, "photo-ko-dark");
    }

    @Test
    public void largeLetters() throws Exception {
        look("ko-w411dp-h891dp-port-notnight-xhdpi", 2f, "photo-ko-large");
    }

    @Test
    public void aTurnedScreen() throws Exception {
        look("en-w891dp-h411dp-land-night-xhdpi", 1f, "photo-en-landscape-dark");
    }

    @Test
    public void aTablet() throws Exception {
        look("en-sw800dp-w1280dp-h800dp-land-notnight-mdpi", 1f, "photo-en-tablet");
        look("en-sw800dp-w800dp-h1280dp-port-notnight-mdpi", 1f, "photo-en-tablet-upright");
    }

    @Test
    public void halfAScreen() throws Exception {
        look("en-w411dp-h420dp-port-notnight-xhdpi", 1f, "photo-en-split");
    }

    @Test
    public void fromRightToLeft() throws Exception {
        look("ar-ldrtl-w411dp-h891dp-port-notnight-xhdpi", 1f, "photo-rtl");
    }

    @Test
    public void aSmallScreenWithoutCamera() throws Exception {
        RuntimeEnvironment.setQualifiers("en-w320dp-h480dp-port-notnight-xhdpi");
        MainActivity activity = Phone.start();
        check(activity, "no-camera-small");
    }

    @Test
    public void aScreenThatAsksForTheCamera() throws Exception {
        Phone.addCamera();
        for (float scale : new float[] {1, 2}) {
            RuntimeEnvironment.setQualifiers("ko-w411dp-h891dp-port-night-xhdpi");
            RuntimeEnvironment.setFontScale(scale);
            MainActivity activity = Robolectric.buildActivity(MainActivity.class).setup().get();
            activity.onRequestPermissionsResult(1, new String[] {Manifest.permission.CAMERA}, new int[] {-1});
            Phone.settle(activity);
            check(activity, scale > 1 ? "asking-ko-large" : "asking-ko");
        }
    }

    @Test
    public void aBenchmarkThatIsDone() throws Exception {
        for (String qualifiers : new String[] {
            "en-w411dp-h891dp-port-notnight-xhdpi", "ko-w411dp-h891dp-port-night-xhdpi"}) {
            RuntimeEnvironment.setQualifiers(qualifiers);
            MainActivity activity = Phone.start();
            Phone.benchmark(activity).findViewById(R.id.run).performClick();
            Phone.settle(activity);
            check("benchmark-" + qualifiers.substring(0, 2));
        }
    }

    @Test
    public void theLauncherIconIsDrawnInEveryShape() throws Exception {
        Drawable icon = Phone.application().getDrawable(R.mipmap.icon);
        assertTrue(icon instanceof AdaptiveIconDrawable);
        Bitmap drawn = Bitmap.createBitmap(216, 216, Bitmap.Config.ARGB_8888);
        icon.setBounds(0, 0, 216, 216);
        icon.draw(new Canvas(drawn));
        assertTrue(colours(drawn) > 10);
        Phone.write(drawn, "icon");
        Drawable themed = ((AdaptiveIconDrawable) icon).getMonochrome();
        assertNotNull(themed);
    }

    @Test
    public void aLiveScreen() throws Exception {
        RuntimeEnvironment.setQualifiers("en-w411dp-h891dp-port-notnight-xhdpi");
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        activity.onRunning();
        Phone.settle(activity);
        for (int i = 0; i < 3; i++) {
            Phone.deliver(activity, new FakeFrame(640, 480, 40 * i));
            Phone.settle(activity);
        }
        check(activity, "live-en");
        checkFrame(activity, 480, 640);
    }

    /** Check that the frame lies on the picture as what reaches the model does. */
    private static void checkFrame(MainActivity activity, int width, int height) {
        float[] seen = state(activity).seen;
        RectF frame = activity.<Overlay>findViewById(R.id.overlay).frame();
        assertTrue(frame + "", frame.width() > 100);
        assertEquals((seen[2] - seen[0]) * width / ((seen[3] - seen[1]) * height), frame.width() / frame.height(), 0.01);
    }

    @Test
    public void theFrameShowsWhatReachesTheModel() throws Exception {
        RuntimeEnvironment.setQualifiers("en-w411dp-h891dp-port-notnight-xhdpi");
        checkFrame(shared("6-photo.jpg"), 400, 300);
    }

    @Test
    public void theAnswerIsThatOfTheUprightPicture() throws Exception {
        List<SqzModel.Answer> expected = state(shared("1-photo.png")).answers;
        assertFalse(expected.isEmpty());
        for (int orientation = 2; orientation <= 8; orientation++) { // stored turned, and saying so
            List<SqzModel.Answer> answers = state(shared(orientation + "-photo.png")).answers;
            for (int i = 0; i < expected.size(); i++) {
                assertEquals(expected.get(i).index, answers.get(i).index);
                assertEquals(expected.get(i).probability, answers.get(i).probability, 0);
            }
        }
    }

    @Test
    public void thePictureIsShownUpright() throws Exception {
        for (int orientation = 1; orientation <= 8; orientation++) {
            MainActivity activity = shared(orientation + "-photo.png");
            Bitmap shown = Phone.still(activity);
            assertTrue(orientation + "", shown.getWidth() > shown.getHeight());
            int corner = shown.getPixel(2, 2); // red in the picture
            assertTrue(orientation + " " + Integer.toHexString(corner), (corner >> 16 & 0xFF) > 200 && (corner & 0xFF) < 90);
        }
    }

    @Test
    public void thePhotoOfBeforeIsNotShownForOneThatCannotBeRead() throws Exception {
        MainActivity activity = shared("1-photo.png");
        assertNotNull(Phone.still(activity));
        activity.session().screen.photo("content://nobody/2");
        Phone.settle(activity);
        assertEquals(ScreenState.Message.PHOTO_UNREADABLE, state(activity).message);
        assertNull(Phone.still(activity));
    }

    @Test
    public void aPhotoThatIsReadIsTold() throws Exception {
        MainActivity activity = shared("1-photo.png");
        activity.session().screen.photo(Phone.PHOTO.toString());
        assertEquals(activity.getString(R.string.message_photo_reading), Phone.text(activity, R.id.message));
        Phone.settle(activity);
        assertNotEquals(activity.getString(R.string.message_photo_reading), Phone.text(activity, R.id.message));
    }

    @Test
    public void aPhotoThatIsNoneIsToldWithoutNumbersThatSayNothing() throws Exception {
        MainActivity activity = shared("text.jpg");
        assertEquals(activity.getString(R.string.message_photo_unreadable), Phone.text(activity, R.id.message));
    }

    @Test
    public void formatsThatOnlyAndroidReadsAreTurnedToo() throws Exception {
        Phone.putPhoto(Phone.photo("6-photo.tiff")); // as DNG is one
        assertEquals(6, orientation());
        Phone.putPhoto(Phone.photo("animated.gif"));
        assertEquals(1, orientation());
    }

    private static int orientation() throws Exception {
        try (PhotoFile file = PhotoFile.copy(Phone.application(), Phone.PHOTO, Phone.WANTED)) {
            return Stills.orientation(file);
        }
    }

    @Test
    public void iconsOfTransparentBarsAreDarkOnALightScreenOnly() {
        for (boolean night : new boolean[] {false, true}) {
            RuntimeEnvironment.setQualifiers(night ? "night" : "notnight");
            MainActivity activity = Robolectric.buildActivity(MainActivity.class).setup().get();
            for (int attribute : new int[] {android.R.attr.windowLightStatusBar,
                android.R.attr.windowLightNavigationBar}) {
                TypedValue value = new TypedValue();
                activity.getTheme().resolveAttribute(attribute, value, true);
                assertEquals(night, value.data == 0);
            }
        }
    }

    @Test
    public void oddPicturesAreClassifiedOrTold() throws Exception {
        for (String name : new String[] {"grey.jpg", "cmyk.jpg", "animated.gif", "animated.webp", "tiny.png", "deep.png",
            "palette.png", "transparent.png", "large.jpg", "line.png", "pole.png"}) {
            MainActivity activity = shared(name);
            assertNotNull(name, state(activity).seen);
        }
        for (String name : new String[] {"cut.jpg", "garbage.jpg", "empty.jpg", "text.jpg"}) {
            MainActivity activity = shared(name);
            boolean told = state(activity).message == ScreenState.Message.PHOTO_UNREADABLE;
            assertTrue(name, told || state(activity).seen != null);
        }
    }

    /** Decodes parts as Android's decoder does, which is not here: from the whole picture. */
    private static PhotoBands.Regions regions(InputStream file, List<Rect> decoded) {
        final Bitmap whole = BitmapFactory.decodeStream(file);
        return new PhotoBands.Regions() {
            @Override
            public int width() {
                return whole.getWidth();
            }

            @Override
            public int height() {
                return whole.getHeight();
            }

            @Override
            public Bitmap decode(Rect part) {
                decoded.add(part);
                return Bitmap.createBitmap(whole, part.left, part.top, part.width(), part.height());
            }

            @Override
            public void close() {
                decoded.add(null);
            }
        };
    }

    @Test
    public void aPhotoOfMoreThanSixteenMegapixelsIsClassifiedWholeInBands() throws Exception {
        List<Rect> decoded = new ArrayList<>();
        PhotoBands.opener = file -> regions(file, decoded);
        ScreenState state = state(shared("6-twenty.jpg"));
        assertNull(state.message);
        assertFalse(state.answers.isEmpty());
        assertEquals(Arrays.asList(new Rect(0, 3236, 5184, 3888), new Rect(0, 0, 5184, 3236), null), decoded);
    }

    @Test
    public void aPhotoWithoutEndIsTooLargeAndNothingOfAnyIsLeft() throws Exception {
        long before = PhotoFile.most;
        PhotoFile.most = Phone.photo("6-photo.jpg").length - 1;
        try {
            assertEquals(ScreenState.Message.PHOTO_TOO_LARGE, state(shared("6-photo.jpg")).message);
            PhotoFile.most++;
            assertFalse(state(shared("6-photo.jpg")).answers.isEmpty());
        } finally {
            PhotoFile.most = before;
        }
        assertEquals(Collections.emptyList(), Arrays.asList(Phone.application().getCacheDir().list()));
    }

    /** Has no memory left at one of the times at which it is asked whether it is wanted; counts them. */
    private static final class ShortOfMemory implements Readings.Reading {
        private final int at;
        private int asked;

        ShortOfMemory(int at) {
            this.at = at;
        }

        @Override
        public boolean isGivenUp() {
            if (++asked == at) {
                throw new OutOfMemoryError();
            }
            return false;
        }

        @Override
        public void answered() {}
    }

    private static Stills.Photo read(Readings.Reading reading) throws Exception {
        return Stills.read(Phone.application(), Phone.PHOTO, reading);
    }

    /** Read a photo on a device that has too little memory to decode it whole, the last thing that is done. */
    private static Stills.Photo readWithLittleMemory() throws Exception {
        ShortOfMemory count = new ShortOfMemory(0);
        read(count);
        return read(new ShortOfMemory(count.asked));
    }

    @Test
    public void aPhotoThatDoesNotFitIntoMemoryIsReadInSmallerBands() throws Exception {
        Phone.putPhoto(Phone.photo("6-photo.jpg"));
        List<Rect> decoded = new ArrayList<>();
        PhotoBands.opener = file -> regions(file, decoded);
        Stills.Photo photo = readWithLittleMemory();
        SqzPicture.Pixels whole = read(Phone.WANTED).pixels;
        assertEquals("", photo.reducedFrom);
        int[] row = new int[whole.width()];
        int[] expected = row.clone();
        for (int y = 0; y < whole.height(); y++) {
            photo.pixels.read(0, y, row.length, row);
            whole.read(0, y, row.length, expected);
            assertArrayEquals(expected, row);
        }
        assertFalse(decoded.isEmpty());
    }

    @Test
    public void aPhotoThatDoesNotFitAndHasNoPartsIsReduced() throws Exception {
        Phone.putPhoto(Phone.photo("6-photo.jpg"));
        PhotoBands.opener = file -> null;
        Stills.Photo photo = readWithLittleMemory();
        Bitmap whole = read(Phone.WANTED).bitmap;
        assertEquals(whole.getWidth() + " × " + whole.getHeight(), photo.reducedFrom);
        assertEquals(whole.getWidth() / 2, photo.bitmap.getWidth());
    }

    @Test
    public void aLargePhotoThatCannotBeDecodedInPartsIsReducedAndToldSo() throws Exception {
        PhotoBands.opener = file -> {
            throw new IOException("Image format not supported");
        };
        assertEquals(ScreenState.Message.PHOTO_REDUCED, state(shared("6-twenty.jpg")).message);
    }

    @Test
    public void transparencyLosesNothingThatIsSeenOnWhite() throws Exception {
        Phone.putPhoto(Phone.photo("alpha.png"));
        Stills.Photo photo = read(Phone.WANTED);
        assertTrue(photo.bitmap.isPremultiplied()); // colours were multiplied by it, and rounded
        int[] row = new int[256];
        for (int alpha = 0; alpha < 256; alpha++) {
            photo.pixels.read(0, alpha, 256, row);
            for (int grey = 0; grey < 256; grey++) {
                int expected = SqzPicture.onWhite(alpha << 24 | grey * 0x010101);
                assertEquals(alpha + " " + grey, expected & 0xFFFFFF, row[grey] & 0xFFFFFF);
            }
        }
    }

    @Test
    public void aPhotoOfTwoHundredMegapixelsIsRead() throws Exception {
        ScreenState state = state(shared("huge.jpg"));
        assertNotNull(state.seen);
    }

    @Test
    public void rowsSayLabelAndPercent() throws Exception {
        RuntimeEnvironment.setQualifiers("ko");
        MainActivity activity = shared("6-photo.jpg");
        ViewGroup rows = activity.findViewById(R.id.answers);
        SqzModel.Answer best = state(activity).answers.get(0);
        String spoken = rows.getChildAt(0).getContentDescription().toString();
        assertEquals(String.format("가장 가까운 답: %s, %.0f %%", best.label, 100 * best.probability), spoken);
        ProgressBar bar = rows.getChildAt(0).findViewById(R.id.bar);
        assertEquals(Math.round(1000 * best.probability), bar.getProgress());
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, rows.getAccessibilityLiveRegion());
    }
}
