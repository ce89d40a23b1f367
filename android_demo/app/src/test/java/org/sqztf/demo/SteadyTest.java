package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.content.Context;
import android.os.Looper;
import android.util.Size;
import android.view.View;
import android.view.ViewGroup;
import android.view.accessibility.AccessibilityEvent;
import android.view.accessibility.AccessibilityManager;
import android.widget.TextView;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** Frames with the same answer change nothing: no layout is asked for, and nothing is told to TalkBack. */
@RunWith(Runner.class)
@Config(sdk = 35)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public class SteadyTest {
    private static final int FRAMES = 30;
    private final List<String> changes = new ArrayList<>();
    private final AtomicInteger runs = new AtomicInteger();

    @Before
    public void alwaysTheSameAnswer() {
        Session.engines = (file, model, threads, fast) -> new FakeEngine(fast) {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                runs.incrementAndGet();
                output.put(0, (byte) 127);
            }
        };
    }

    private static MainActivity live() throws Exception {
        Phone.needModels(1);
        Phone.addCamera(new Size(640, 480));
        Phone.allowCamera();
        MainActivity activity = Phone.start();
        activity.onRunning();
        View latency = activity.findViewById(R.id.latency); // it changes: see core's ScreenTest for how often
        ((ViewGroup) latency.getParent()).removeView(latency);
        for (int i = 0; i < 12; i++) { // the answer stands, and there are runs enough for a percentile
            frame(activity);
        }
        return activity;
    }

    private static void frame(MainActivity activity) throws Exception {
        Phone.deliver(activity, new FakeFrame(640, 480, 50));
        Phone.settle(activity);
        later();
    }

    /** Let the time of a few frames pass: changes are told together ten times a second. */
    private static void later() {
        shadowOf(Looper.getMainLooper()).idleFor(120, TimeUnit.MILLISECONDS);
    }

    /** Write down every layout, and what is told to TalkBack, while something happens. */
    private void watch(MainActivity activity, Happening what) throws Exception {
        View root = activity.getWindow().getDecorView();
        AccessibilityManager manager = (AccessibilityManager) activity.getSystemService(Context.ACCESSIBILITY_SERVICE);
        shadowOf(manager).setEnabled(true);
        int before = shadowOf(manager).getSentAccessibilityEvents().size();
        root.getViewTreeObserver().addOnGlobalLayoutListener(() -> changes.add("layout"));
        what.happen();
        List<AccessibilityEvent> told = shadowOf(manager).getSentAccessibilityEvents();
        for (AccessibilityEvent event : told.subList(before, told.size())) {
            changes.add("told " + event);
        }
    }

    private interface Happening {
        void happen() throws Exception;
    }

    @Test
    public void framesWithTheSameAnswerChangeNothing() throws Exception {
        MainActivity activity = live();
        int before = runs.get();
        watch(activity, () -> {
            for (int i = 0; i < FRAMES; i++) {
                frame(activity);
            }
        });
        assertEquals(Collections.<String>emptyList(), changes);
        assertEquals(FRAMES, runs.get() - before); // each was answered
        assertFalse(Phone.state(activity).answers.isEmpty());
    }

    @Test
    public void aLayoutAndWhatIsToldAreNoticed() throws Exception {
        MainActivity activity = live();
        watch(activity, () -> {
            activity.<TextView>findViewById(R.id.hint).setText("first\nsecond");
            activity.findViewById(R.id.model).setContentDescription("another");
            Phone.settle(activity);
            later();
        });
        assertTrue(changes + "", changes.contains("layout"));
        assertTrue(changes + "", changes.size() > 1);
    }
}
