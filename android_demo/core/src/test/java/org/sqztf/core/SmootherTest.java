package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.Test;

/** What a person reads of a camera's frames. */
public class SmootherTest {
    private static final long FRAME = 33_000_000;

    private final Smoother smoother = new Smoother();

    private static SqzModel.Answer answer(int index, double probability) {
        return new SqzModel.Answer(index, "class " + index, (float) probability);
    }

    private static int changes(List<Integer> best) {
        int changes = 0;
        for (int i = 1; i < best.size(); i++) {
            changes += best.get(i).equals(best.get(i - 1)) ? 0 : 1;
        }
        return changes;
    }

    @Test
    public void theFirstFrameIsShownAsItIs() {
        List<SqzModel.Answer> shown = smoother.add(Arrays.asList(answer(3, 0.8), answer(1, 0.1)), 5);
        assertEquals("[3 class 3 0.8, 1 class 1 0.1]", shown.toString());
    }

    @Test
    public void classesThatChangePlacesInEveryFrameDoNotFlicker() {
        List<Integer> raw = new ArrayList<>();
        List<Integer> shown = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            double first = i % 2 == 0 ? 0.45 : 0.40;
            List<SqzModel.Answer> frame = i % 2 == 0 ? Arrays.asList(answer(0, first), answer(1, 0.85 - first))
                    : Arrays.asList(answer(1, 0.85 - first), answer(0, first));
            raw.add(frame.get(0).index);
            shown.add(smoother.add(frame, i * FRAME).get(0).index);
        }
        assertEquals(59, changes(raw));
        assertEquals(0, changes(shown));
    }

    @Test
    public void anotherPictureIsFollowedWithinASecondHoweverSlowFramesCome() {
        for (long frame : new long[] {FRAME, 500_000_000}) {
            smoother.clear();
            smoother.add(Collections.singletonList(answer(0, 0.95)), 0);
            List<SqzModel.Answer> shown = null;
            for (long at = frame; at <= 1_000_000_000; at += frame) {
                shown = smoother.add(Collections.singletonList(answer(1, 0.95)), at);
            }
            assertEquals(1, shown.get(0).index);
            assertTrue(shown.get(0) + "", shown.get(0).probability > 0.9);
        }
    }

    @Test
    public void oneFrameThatIsDifferentIsNotShown() {
        for (int i = 0; i < 10; i++) {
            smoother.add(Collections.singletonList(answer(0, 0.6)), i * FRAME);
        }
        List<SqzModel.Answer> shown = smoother.add(Collections.singletonList(answer(1, 0.9)), 10 * FRAME);
        assertEquals(0, shown.get(0).index);
    }

    @Test
    public void whatStaysIsInOrderWithinASecondHoweverLittleItIsAhead() {
        smoother.add(Arrays.asList(answer(1, 0.46), answer(2, 0.435), answer(3, 0.03), answer(4, 0.02)), 0);
        List<SqzModel.Answer> shown = null;
        for (long at = FRAME; at <= 2 * Smoother.PATIENCE; at += FRAME) {
            shown = smoother.add(Arrays.asList(answer(2, 0.46), answer(1, 0.435), answer(4, 0.027), answer(3, 0.025)), at);
        }
        List<Integer> order = new ArrayList<>();
        for (SqzModel.Answer one : shown) {
            order.add(one.index);
        }
        assertEquals(Arrays.asList(2, 1, 4, 3), order);
    }

    @Test
    public void probabilitiesNeverExceedThoseOfTheFrames() {
        for (int i = 0; i < 50; i++) {
            for (SqzModel.Answer one : smoother.add(Arrays.asList(answer(i % 7, 0.5), answer(9, 0.3)), i * FRAME)) {
                assertTrue(one + "", one.probability <= 0.5f);
            }
        }
    }

    @Test
    public void aClassThatIsGoneTakesNoPlace() {
        smoother.add(Arrays.asList(answer(0, 0.9), answer(1, 0.05)), 0);
        List<SqzModel.Answer> shown = smoother.add(Arrays.asList(answer(2, 0.9), answer(3, 0.05)), 60_000_000_000L);
        assertEquals("[2 class 2 0.9, 3 class 3 0.05]", shown.toString());
    }

    @Test
    public void aClockThatStandsStillDoesNoHarm() {
        smoother.add(Collections.singletonList(answer(0, 0.9)), 10);
        assertEquals(0, smoother.add(Collections.singletonList(answer(1, 0.9)), 5).get(0).index);
    }
}
