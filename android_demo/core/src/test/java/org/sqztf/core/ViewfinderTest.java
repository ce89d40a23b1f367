package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.Test;

/** Zoom, the point to focus on, pictures in bands, timing, and how many faults are borne. */
public class ViewfinderTest {
    @Test
    public void zoomStaysWithinWhatTheCameraCan() {
        Zoom zoom = new Zoom(4);
        zoom.by(0.5f);
        assertEquals(1, zoom.factor(), 0);
        zoom.by(3);
        zoom.by(3);
        assertEquals(4, zoom.factor(), 0);
        assertArrayEquals(new int[] {1500, 1125, 1000, 750}, zoom.region(4000, 3000));
        assertFalse(new Zoom(0.5f).possible());
    }

    @Test
    public void zoomByTouchGoesRound() {
        Zoom zoom = new Zoom(5);
        List<Float> factors = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            factors.add(zoom.factor());
            zoom.next();
        }
        assertEquals(Arrays.asList(1f, 2f, 4f, 5f, 1f), factors);
        zoom.by(1.5f); // to 3
        zoom.next();
        assertEquals(4, zoom.factor(), 0);
    }

    @Test
    public void theWholeSensorIsReadWithoutZoom() {
        assertArrayEquals(new int[] {0, 0, 4000, 3000}, new Zoom(8).region(4000, 3000));
    }

    @Test
    public void aTouchFindsItsPlaceOnTheSensor() {
        int[] all = {0, 0, 4000, 3000};
        // top left of a picture that is turned a quarter clockwise to be upright: bottom left of the sensor
        assertArrayEquals(new int[] {0, 2625, 375, 375}, FocusPoint.square(0, 0, 6, 640, 480, all));
        assertArrayEquals(new int[] {3625, 0, 375, 375}, FocusPoint.square(0, 0, 8, 640, 480, all));
        assertArrayEquals(new int[] {3625, 2625, 375, 375}, FocusPoint.square(0, 0, 3, 640, 480, all));
        assertArrayEquals(new int[] {0, 0, 375, 375}, FocusPoint.square(0, 0, 1, 640, 480, all));
        assertArrayEquals(new int[] {2813, 1313, 375, 375}, FocusPoint.square(0.5f, 0.75f, 6, 640, 480, all));
    }

    @Test
    public void aTouchIsFoundWhereFramesAreNarrowerThanTheSensorAndZoomed() {
        int[] middle = {1000, 750, 2000, 1500};
        int[] square = FocusPoint.square(0, 0.5f, 1, 1000, 1000, middle); // frames have the middle 1500 × 1500
        assertArrayEquals(new int[] {1157, 1407, 187, 187}, square);
    }

    @Test
    public void aPictureInBandsIsDecodedOnceAndOnlyWhereItIsRead() {
        for (boolean upwards : new boolean[] {false, true}) {
            final List<String> decoded = new ArrayList<>();
            BandedPixels pixels = new BandedPixels(10, 95, 200, (y, rows) -> {
                decoded.add(y + "+" + rows);
                int[] argb = new int[10 * rows];
                Arrays.fill(argb, 0xFF000000 | y);
                return SqzPicture.of(argb, 10, rows);
            });
            int[] row = new int[10];
            for (int i = 30; i < 95; i++) {
                int y = upwards ? 124 - i : i;
                pixels.read(2, y, 5, row);
                assertEquals(0xFF000000 | y / 20 * 20, row[4]);
            }
            List<String> wanted = Arrays.asList("20+20", "40+20", "60+20", "80+15");
            if (upwards) {
                Collections.reverse(wanted);
            }
            assertEquals(wanted, decoded);
        }
    }

    @Test
    public void aBandHasARowAtLeast() {
        List<Integer> decoded = new ArrayList<>();
        BandedPixels pixels = new BandedPixels(100, 2, 7, (y, rows) -> {
            decoded.add(rows);
            return SqzPicture.of(new int[100], 100, 1);
        });
        pixels.read(0, 1, 100, new int[100]);
        assertEquals(Collections.singletonList(1), decoded);
    }

    @Test
    public void aSlipIsBorneAndFaultsInARowAreNot() {
        Strikes strikes = new Strikes(2);
        assertFalse(strikes.fault());
        assertFalse(strikes.fault());
        strikes.good();
        assertFalse(strikes.fault());
        assertFalse(strikes.fault());
        assertTrue(strikes.fault());
    }

    private static Classifier.Result took(long nanos) {
        return new Classifier.Result(Collections.<SqzModel.Answer>emptyList(), 0, nanos, new float[4], 0);
    }

    @Test
    public void whatIsTimedIsWarm() {
        final int[] runs = {0};
        Latency.Summary[] times = Bench.time(() -> took(++runs[0] <= Bench.WARM_UP ? 1_000_000 : 10),
                (done, of) -> true);
        assertEquals(Bench.WARM_UP + Bench.RUNS, runs[0]);
        assertEquals(Bench.RUNS, times[Latency.INFERENCE].runs);
        assertEquals(10, times[Latency.INFERENCE].p90);
    }

    @Test
    public void aSlowModelIsTimedLessOftenButTenTimesAtLeast() {
        Latency.Summary[] times = Bench.time(() -> took(Bench.LONGEST / 2), (done, of) -> true);
        assertEquals(Latency.FEWEST, times[Latency.TOTAL].runs);
        assertEquals(Bench.LONGEST / 2, times[Latency.TOTAL].p90);
    }

    @Test
    public void timingCanBeStopped() {
        final List<Integer> told = new ArrayList<>();
        assertNull(Bench.time(() -> took(1), (done, of) -> {
            told.add(done);
            return done < 7;
        }));
        assertEquals(7, told.size());
    }
}
