package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.Arrays;
import org.junit.Test;

/** Which way up a camera's frame and a file are. */
public class OrientationTest {
    /** Names a folder of pictures; each name begins with its orientation. */
    private static final String FOLDER = "sqz.photos";

    private static int of(byte[] file) throws IOException {
        return Orientation.ofFile(new ByteArrayInputStream(file));
    }

    @Test
    public void filesSayTheirOrientation() throws Exception {
        assumeNotNull(System.getProperty(FOLDER));
        File[] files = new File(System.getProperty(FOLDER)).listFiles();
        assertTrue(files.length > 20);
        for (File one : files) {
            byte[] bytes = Files.readAllBytes(one.toPath());
            assertEquals(one.getName(), one.getName().charAt(0) - '0', of(bytes));
            for (int length = 0; length < Math.min(bytes.length, 600); length++) {
                int found = of(Arrays.copyOf(bytes, length));
                assertTrue(one.getName(), found >= 0 && found <= 8);
            }
        }
    }

    @Test
    public void aStreamWithoutEndIsLeft() throws Exception {
        assumeNotNull(System.getProperty(FOLDER));
        final byte[] start = Files.readAllBytes(new File(System.getProperty(FOLDER), "1-endless.png").toPath());
        InputStream endless = new InputStream() {
            private long at;

            @Override
            public int read() {
                return at < 8 ? start[(int) at++] & 0xFF : start[8 + (int) ((at++ - 8) % (start.length - 8))] & 0xFF;
            }

            @Override
            public long skip(long count) {
                at += count;
                return count;
            }
        };
        assertEquals(1, Orientation.ofFile(endless));
    }

    @Test
    public void aBackCameraTurnsAgainstTheDisplayAndAFrontCameraWithIt() {
        int[] back = {6, 1, 8, 3}; // sensor at 90 degrees, display turned by 0, 90, 180, 270
        int[] front = {8, 1, 6, 3}; // sensor at 270 degrees
        for (int i = 0; i < 4; i++) {
            assertEquals(back[i], Orientation.ofCamera(90, 90 * i, false));
            assertEquals(front[i], Orientation.ofCamera(270, 90 * i, true));
        }
        assertEquals(1, Orientation.ofCamera(0, 0, false));
    }
}
