package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

/** Latency, the gate for frames, sizes, and pixels in memory. */
public class SmallPartsTest {
    @Test
    public void latencyIsMedianAndNinetiethPercentileOfWarmRuns() {
        Latency latency = new Latency(100);
        assertNull(latency.of(Latency.TOTAL));
        assertNull(latency.all());
        latency.add(1_000_000, 9_000_000); // cold
        for (int i = 1; i <= 10; i++) {
            latency.add(i, 100 * i);
        }
        assertEquals(5, latency.of(Latency.PREPROCESS).median);
        assertEquals(9, latency.of(Latency.PREPROCESS).p90);
        assertEquals(909, latency.all()[Latency.TOTAL].p90);
        assertEquals(10, latency.of(Latency.TOTAL).runs);
        latency.clear();
        assertEquals(0, latency.count());
        assertNull(latency.all());
    }

    @Test
    public void aColdRunIsToldAsOneRunAndCountsForNothingElse() {
        Latency latency = new Latency(100);
        latency.add(7, 8);
        assertEquals(8, latency.of(Latency.INFERENCE).median);
        assertEquals(Latency.NONE, latency.of(Latency.INFERENCE).p90);
        assertEquals(0, latency.of(Latency.INFERENCE).runs);
        latency.add(1, 2);
        assertEquals(2, latency.of(Latency.INFERENCE).median);
        assertEquals(1, latency.of(Latency.INFERENCE).runs);
    }

    @Test
    public void ofFewerThanTenWarmRunsThereIsNoPercentile() {
        Latency latency = new Latency(100);
        for (int i = 0; i < 10; i++) {
            latency.add(1, 1);
        }
        assertEquals(Latency.NONE, latency.of(Latency.TOTAL).p90);
        latency.add(1, 1);
        assertEquals(2, latency.of(Latency.TOTAL).p90);
    }

    @Test
    public void latencyForgetsOldRuns() {
        Latency latency = new Latency(10);
        for (int i = 0; i < 20; i++) {
            latency.add(i < 10 ? 1_000_000 : 2, 0);
        }
        assertEquals(10, latency.count());
        assertEquals(2, latency.of(Latency.PREPROCESS).p90);
    }

    @Test
    public void framesAreDroppedWhileOneIsWorkedOn() {
        FrameGate gate = new FrameGate();
        assertTrue(gate.enter());
        assertFalse(gate.enter());
        assertFalse(gate.enter());
        gate.leave();
        assertTrue(gate.enter());
    }

    @Test
    public void fastKernelsThatDidNotLoadAreAFaultWhereEveryPackageHasThem() {
        for (String processor : new String[] {"aarch64", "x86_64", "amd64"}) {
            assertEquals("no memory", Kernels.fault("no memory", processor));
            assertEquals("", Kernels.fault("", processor));
        }
        assertEquals("", Kernels.fault("there is none", "armv8l"));
    }

    @Test
    public void photosOfAnySizeFitTheMemory() {
        assertEquals(1, PhotoSize.step(1, 1));
        assertEquals(1, PhotoSize.step(4096, 4096));
        assertEquals(2, PhotoSize.step(4097, 4096));
        assertEquals(4, PhotoSize.step(16_320, 12_240)); // 200 megapixels
        assertEquals(16, PhotoSize.step(65_535, 65_535));
        assertEquals(0, PhotoSize.step(100_000, 100_000));
        assertEquals(0, PhotoSize.step(-1, -1));
        assertEquals(0, PhotoSize.step(0, 5));
        assertEquals(8, PhotoSize.shownStep(16_320, 12_240, 1280));
        assertEquals(1, PhotoSize.shownStep(2559, 1, 1280));
        assertEquals(2, PhotoSize.shownStep(1, 2560, 1280));
    }

    /** Sizes as cameras list them, and the one that serves a model that wants 480 pixels best. */
    private static final String[][] FRAMES = {
        {"640x480", "4000x3000 320x240 640x480 1280x720"},
        {"640x480", "480x480 640x480 1280x720"}, // a square is cut out of what the camera sees
        {"1280x960", "480x480 1088x1088 1280x960 1440x1080"},
        {"1280x720", "480x480 1920x480 2400x480 1280x720"}, // strips are, too
        {"720x480", "720x480 1280x720 1920x1080"},
        {"864x480", "864x480 1280x720"}, // 16:9 in blocks of 16
        {"480x640", "480x640 480x480 720x1280"}, // upright sensors
        {"480x480", "480x480 4000x3000 4000x2250"}, // too many pixels thirty times a second
        {"1920x1088", "1920x1088 3840x2160"},
        {"2592x1944", "4000x3000 2592x1944"},
        {"352x288", "176x144 320x240 352x288"},
        {"400x400", "320x240 400x400"}, // more of the model's square
        {"640x480", "640x480 640x480"},
    };

    @Test
    public void theSmallestFrameThatSufficesAndShowsWhatTheCameraSeesIsChosen() {
        for (String[] line : FRAMES) {
            String[] sizes = line[1].split(" ");
            int[] widths = new int[sizes.length];
            int[] heights = new int[sizes.length];
            for (int i = 0; i < sizes.length; i++) {
                widths[i] = Integer.parseInt(sizes[i].split("x")[0]);
                heights[i] = Integer.parseInt(sizes[i].split("x")[1]);
            }
            assertEquals(line[1], line[0], sizes[FrameSize.choose(widths, heights, 480)]);
        }
        assertEquals(-1, FrameSize.choose(new int[0], new int[0], 480));
    }

    @Test
    public void transparencyIsLaidOnWhite() {
        assertEquals(0xFFFFFFFF, SqzPicture.onWhite(0x00123456));
        assertEquals(0xFF123456, SqzPicture.onWhite(0xFF123456));
        assertEquals(0xFF7F7FFF, SqzPicture.onWhite(0x800000FF));
    }

    @Test
    public void pixelsOfABitmapAreReadFromEveryRow() {
        int[] argb = {0xFF000001, 0xFF000002, 0x00000003, 0xFF000004, 0xFF000005, 0xFF000006};
        SqzPicture.Pixels pixels = SqzPicture.of(argb, 3, 2);
        assertEquals(3, pixels.width());
        assertEquals(2, pixels.height());
        int[] three = new int[3];
        pixels.read(0, 0, 3, three);
        assertArrayEquals(new int[] {0xFF000001, 0xFF000002, 0xFFFFFFFF}, three);
        int[] two = new int[2];
        pixels.read(1, 1, 2, two);
        assertArrayEquals(new int[] {0xFF000005, 0xFF000006}, two);
        assertThrows(IllegalArgumentException.class, () -> SqzPicture.of(argb, 2, 2));
        assertThrows(IllegalArgumentException.class, () -> SqzPicture.of(new int[0], 0, 0));
    }

    @Test
    public void pixelsThatDoNotFitTheirBytesAreRefused() {
        new PackedPixels(new byte[11], 2, 2, 6, 3 - 2);
        assertThrows(IllegalArgumentException.class, () -> new PackedPixels(new byte[11], 2, 2, 6, 3));
        assertThrows(IllegalArgumentException.class, () -> new PackedPixels(new byte[12], 2, 2, 5, 3));
        assertThrows(IllegalArgumentException.class, () -> new PackedPixels(new byte[12], 2, 2, 6, 2));
        assertThrows(IllegalArgumentException.class, () -> new PackedPixels(new byte[0], 0, 0, 0, 1));
    }
}
