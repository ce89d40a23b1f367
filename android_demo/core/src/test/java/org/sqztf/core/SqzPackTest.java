package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Random;
import org.junit.Before;
import org.junit.Test;

/** Packs give the bytes that Python's unpack gives, and damaged ones are refused; see tests/helpers/android_packs.py. */
public class SqzPackTest {
    private static final String FOLDER = "sqz.packs";
    private static final String EFFORT = "sqz.effort"; // 10 in seconds, 1000 in minutes
    private static final String SAMPLE = "every_coder";

    @Before
    public void packsAreThere() {
        assumeTrue(System.getProperty(FOLDER) != null);
    }

    private static byte[] file(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty(FOLDER), name).toPath());
    }

    private static SqzModel.ModelException refused(byte[] pack) {
        return assertThrows(SqzModel.ModelException.class, () -> SqzPack.unpack(pack, SqzPack.LARGEST));
    }

    /** Return how many places of a file lie between two that are tried. */
    private static int step() {
        return 1 + 1000 / Integer.getInteger(EFFORT, 10);
    }

    @Test
    public void everyPackUnpacksToPythonsBytes() throws Exception {
        int found = 0;
        for (String name : new File(System.getProperty(FOLDER)).list()) {
            if (name.endsWith(".sqz")) {
                byte[] expected = file(name.replace(".sqz", ".tflite"));
                assertArrayEquals(name, expected, SqzPack.unpack(file(name), expected.length));
                found++;
            }
        }
        assertTrue(found + " packs", found >= 10);
    }

    @Test
    public void aPackCutOffAnywhereIsRefused() throws Exception {
        byte[] whole = file(SAMPLE + ".sqz");
        for (int length = 0; length < whole.length; length += length < 200 ? 1 : step()) {
            assertEquals(SqzModel.Fault.DAMAGED, refused(Arrays.copyOf(whole, length)).fault);
        }
        refused(Arrays.copyOf(whole, whole.length + 1));
    }

    @Test
    public void aChangedByteIsFound() throws Exception {
        byte[] whole = file(SAMPLE + ".sqz");
        for (int at = 0; at < whole.length; at += step()) {
            whole[at] ^= 0x40;
            refused(whole);
            whole[at] ^= 0x40;
        }
    }

    @Test
    public void faultsBehindChecksumsThatHoldAreJudgedAsPythonDoes() throws Exception {
        byte[] model = file(SAMPLE + ".tflite");
        int accepted = 0;
        int count = 0;
        try (DataInputStream mutants = new DataInputStream(new BufferedInputStream(
                Files.newInputStream(new File(System.getProperty(FOLDER), "mutants").toPath())))) {
            for (int left = mutants.readInt(); left > 0; left--) {
                boolean good = mutants.readBoolean();
                byte[] pack = new byte[mutants.readInt()];
                mutants.readFully(pack);
                if (good) {
                    assertArrayEquals(model, SqzPack.unpack(pack, SqzPack.LARGEST));
                    accepted++;
                } else {
                    assertTrue(String.valueOf(count), refused(pack).getMessage().length() > 10);
                }
                count++;
            }
        }
        assertTrue(accepted + " of " + count, count >= 50 && accepted < count / 2);
    }

    @Test
    public void bytesDrawnBehindChecksumsThatHoldAreRefusedOrGiveTheModel() throws Exception {
        byte[] whole = file(SAMPLE + ".sqz");
        byte[] model = file(SAMPLE + ".tflite");
        Random random = new Random(1);
        for (int i = 0; i < 20 * Integer.getInteger(EFFORT, 10); i++) {
            byte[] changed = whole.clone();
            for (int n = random.nextInt(4); n >= 0; n--) {
                changed[8 + random.nextInt(changed.length - 40)] = (byte) random.nextInt(256);
            }
            try {
                assertArrayEquals(model, SqzPack.unpack(sealed(changed), SqzPack.LARGEST));
            } catch (SqzModel.ModelException error) {
                assertTrue(error.getMessage().length() > 10);
            }
        }
    }

    /** Make the CRC-32 of the sections that fit, and the sha256, hold again. */
    private static byte[] sealed(byte[] pack) {
        ByteBuffer data = ByteBuffer.wrap(pack).order(ByteOrder.LITTLE_ENDIAN);
        int count = data.getShort(10) & 0xFFFF;
        long at = 48 + 16L * count;
        for (int i = 0; i < count && 48 + 16 * i + 16 <= pack.length - 32; i++) {
            long stored = data.getInt(48 + 16 * i + 4) & 0xFFFFFFFFL;
            if (at + stored > pack.length - 32) {
                break;
            }
            java.util.zip.CRC32 sum = new java.util.zip.CRC32();
            sum.update(pack, (int) at, (int) stored);
            data.putInt(48 + 16 * i + 12, (int) sum.getValue());
            at += stored;
        }
        java.security.MessageDigest digest = Catalog.sha256();
        digest.update(pack, 0, pack.length - 32);
        System.arraycopy(digest.digest(), 0, pack, pack.length - 32, 32);
        return pack;
    }

    @Test
    public void aPackThatClaimsOrUnpacksToTooMuchTakesNoMemory() throws Exception {
        byte[] claims = file("claims.pack"); // 64 MB
        byte[] bomb = file("bomb.pack"); // its graph unpacks to 8 MB of zeros
        long before = allocated();
        SqzModel.ModelException error =
                assertThrows(SqzModel.ModelException.class, () -> SqzPack.unpack(claims, 32 << 20));
        assertEquals(SqzModel.Fault.TOO_LARGE, error.fault);
        assertEquals(SqzModel.Fault.DAMAGED, refused(bomb).fault);
        assertTrue(allocated() - before < 1 << 20);
    }

    @Test
    public void memoryIsWithinWhatThePackSaysItStandsFor() throws Exception {
        byte[] whole = file("many_lanes.sqz");
        int size = SqzPack.unpack(whole, SqzPack.LARGEST).length;
        long before = allocated();
        SqzPack.unpack(whole, SqzPack.LARGEST);
        long used = allocated() - before;
        assertTrue(used + " bytes for " + size, used < 12L * size + (1 << 17));
    }

    /** Return the bytes that this thread has taken so far; the class is no part of Java 8's own. */
    private static long allocated() throws Exception {
        Object threads = ManagementFactory.getThreadMXBean();
        Method method = Class.forName("com.sun.management.ThreadMXBean").getMethod("getThreadAllocatedBytes", long.class);
        return (Long) method.invoke(threads, Thread.currentThread().getId());
    }

    @Test
    public void anotherVersionIsTold() throws Exception {
        byte[] newer = file(SAMPLE + ".sqz");
        newer[8] = 2;
        assertEquals("the pack is of version 2; expected 1: a newer app may read it", refused(sealed(newer)).getMessage());
    }
}
