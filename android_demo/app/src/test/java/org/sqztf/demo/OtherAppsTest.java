package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import android.content.Intent;
import android.net.Uri;
import android.os.Build;
import android.os.Parcel;
import android.os.Parcelable;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Shadows;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.sqztf.core.ScreenState;

/** Whatever other apps send, the app stays open and reads nothing but what they provide. */
@RunWith(Runner.class)
@Config(sdk = {24, 35})
@GraphicsMode(GraphicsMode.Mode.NATIVE) // where there is one: from API 26
public class OtherAppsTest {
    @Before
    public void aRuntimeOfTheJvm() {
        Engines.use();
    }

    /** A class that nobody can read: as one of another app looks from here. */
    private static final class Foreign implements Parcelable {
        @Override
        public int describeContents() {
            return 0;
        }

        @Override
        public void writeToParcel(Parcel out, int flags) {
            out.writeInt(1);
        }
    }

    /** Return the intent as it arrives from another process. */
    private static Intent sent(Intent intent) {
        Parcel parcel = Parcel.obtain();
        intent.writeToParcel(parcel, 0);
        parcel.setDataPosition(0);
        Intent arrived = Intent.CREATOR.createFromParcel(parcel);
        arrived.setExtrasClassLoader(OtherAppsTest.class.getClassLoader());
        return arrived;
    }

    private static ScreenState opened(Intent intent) throws Exception {
        return Phone.state(Phone.start(intent));
    }

    @Test
    public void anAttachmentOfAnUnknownClassIsNotTaken() throws Exception {
        Intent send = new Intent(Intent.ACTION_SEND).setType("image/*").putExtra(Intent.EXTRA_STREAM, new Foreign());
        assertEquals(ScreenState.Source.LIVE, opened(sent(send)).source);
    }

    @Test
    public void anotherExtraOfAnUnknownClassDoesNotEndTheApp() throws Exception {
        ScreenState state = opened(sent(Phone.share().putExtra("anything", new Foreign())));
        boolean eager = Build.VERSION.SDK_INT < 33; // where one extra that cannot be read hides the others
        assertEquals(eager ? ScreenState.Source.LIVE : ScreenState.Source.PHOTO, state.source);
    }

    @Test
    public void anAttachmentThatIsNoAddressIsNotTaken() throws Exception {
        Intent send = new Intent(Intent.ACTION_SEND).setType("image/*");
        assertEquals(ScreenState.Source.LIVE, opened(send).source);
        assertEquals(ScreenState.Source.LIVE, opened(sent(send.putExtra(Intent.EXTRA_STREAM, "text"))).source);
        assertNull(Given.of(new Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, new Intent())));
    }

    @Test
    public void onlyWhatOtherAppsProvideIsOpened() throws Exception {
        Phone.needModels(1);
        assertTrue(Given.isContent(Phone.PHOTO));
        for (String address : new String[] {
            "file:///data/data/org.sqztf.demo/databases/private", "android.resource://org.sqztf.demo/raw/x", "relative"}) {
            Uri uri = Uri.parse(address);
            assertFalse(Given.isContent(uri));
            Shadows.shadowOf(Phone.application().getContentResolver()).registerInputStream(uri, null);
            Intent send = new Intent(Intent.ACTION_SEND).setType("image/*").putExtra(Intent.EXTRA_STREAM, uri);
            MainActivity activity = Phone.start(send);
            assertEquals(ScreenState.Source.LIVE, activity.session().screen.state().source);
            activity.session().screen.photo(address); // as a chooser that is another app might answer
            Phone.settle(activity);
            ScreenState state = activity.session().screen.state();
            assertEquals(ScreenState.Message.PHOTO_UNREADABLE, state.message);
            assertEquals(uri.getScheme() + ":", state.detail);
        }
    }
}
