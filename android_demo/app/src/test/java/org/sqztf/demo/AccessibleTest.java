package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.app.Activity;
import android.content.res.ColorStateList;
import android.graphics.Color;
import android.view.View;
import android.widget.FrameLayout;
import android.widget.ImageButton;
import android.widget.TextView;
import java.util.List;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** The checks themselves: each finds what it is for. */
@RunWith(Runner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class AccessibleTest {
    private Activity activity;
    private FrameLayout root;

    @Before
    public void aScreen() {
        activity = Robolectric.buildActivity(Activity.class).setup().get();
        root = new FrameLayout(activity);
        root.setBackgroundColor(Color.WHITE);
    }

    private List<String> faults(View view, int width, int height) {
        root.addView(view, new FrameLayout.LayoutParams(width, height));
        activity.setContentView(root);
        root.measure(View.MeasureSpec.makeMeasureSpec(320, View.MeasureSpec.EXACTLY),
                View.MeasureSpec.makeMeasureSpec(470, View.MeasureSpec.EXACTLY));
        root.layout(0, 0, 320, 470);
        return Accessible.faults(root);
    }

    private TextView text(String words, int colour) {
        TextView view = new TextView(activity);
        view.setText(words);
        view.setTextColor(colour);
        return view;
    }

    private void assertOnly(String fault, List<String> faults) {
        assertEquals(faults + "", 1, faults.size());
        assertTrue(faults.get(0), faults.get(0).startsWith(fault));
    }

    @Test
    public void whatIsRightPasses() {
        assertEquals("[]", faults(text("words", Color.BLACK), 200, 100).toString());
    }

    @Test
    public void paleLettersAreFound() {
        assertOnly("contrast", faults(text("words", 0xFF888888), 200, 100));
    }

    @Test
    public void palePicturesOnButtonsAreFound() {
        ImageButton button = new ImageButton(activity);
        button.setBackground(null);
        button.setImageResource(R.drawable.ic_share);
        button.setColorFilter(null);
        button.setImageTintList(ColorStateList.valueOf(0xFFCCCCCC));
        button.setContentDescription("share");
        assertOnly("contrast", faults(button, 100, 100));
    }

    @Test
    public void smallTargetsAreFound() {
        TextView view = text("words", Color.BLACK);
        view.setClickable(true);
        assertOnly("under 48 dp", faults(view, 200, 47));
    }

    @Test
    public void narrowTargetsAreFound() {
        TextView view = text("i", Color.BLACK);
        view.setClickable(true);
        assertOnly("under 48 dp", faults(view, 40, 100));
    }

    @Test
    public void buttonsWithoutANameAreFound() {
        View view = new View(activity);
        view.setClickable(true);
        assertOnly("nameless", faults(view, 100, 100));
    }

    @Test
    public void cutWordsAreFound() {
        assertOnly("cut", faults(text("words that need many lines in so little room", Color.BLACK), 100, 30));
    }
}
