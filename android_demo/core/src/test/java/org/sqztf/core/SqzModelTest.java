package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeNotNull;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.Before;
import org.junit.Test;

/** What a model file says of itself, and every way in which it can be no such file. */
public class SqzModelTest {
    /** Names a folder of models; each name begins with GOOD or with the fault that is expected. */
    static final String FOLDER = "sqz.models";

    @Before
    public void filesAreThere() {
        assumeNotNull(System.getProperty(FOLDER));
    }

    static byte[] file(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty(FOLDER), name).toPath());
    }

    @Test
    public void everythingIsReadFromTheFile() throws Exception {
        SqzModel model = new SqzModel(file("GOOD-int8.tflite"));
        assertEquals(Arrays.asList(4, 1, 1, 4), Arrays.asList(model.width, model.height, model.channels, model.classes()));
        assertEquals(Arrays.asList("red", "green", "blue", "crane"), model.labels);
        assertEquals(1f / 255, model.input.scale, 1e-9f);
        assertEquals(-128, model.input.zeroPoint);
        assertEquals(Arrays.asList(4, 1), Arrays.asList(model.resizeWidth, model.resizeHeight));
        assertEquals(false, model.centreCrop);
        assertEquals(0x80, model.pixelMask());
        assertEquals(Collections.<String>emptyList(), model.wnids);
        assertEquals(255f / 256, model.probability((byte) 127), 0);
    }

    @Test
    public void everyFaultIsNamed() throws Exception {
        File[] files = new File(System.getProperty(FOLDER)).listFiles();
        assertTrue(files.length > 12);
        for (File one : files) {
            String expected = one.getName().substring(0, one.getName().indexOf('-'));
            String received = "GOOD";
            try {
                new SqzModel(Files.readAllBytes(one.toPath()));
            } catch (SqzModel.ModelException error) {
                received = error.fault.name();
                assertTrue(one.getName(), error.getMessage().length() > 10);
            }
            assertEquals(one.getName(), expected, received);
        }
    }

    @Test
    public void aFileCutOffAnywhereIsRefused() throws Exception {
        byte[] whole = file("GOOD-int8.tflite");
        for (int length = 0; length < whole.length; length++) {
            final byte[] part = Arrays.copyOf(whole, length);
            assertThrows(SqzModel.ModelException.class, () -> new SqzModel(part));
        }
    }

    @Test
    public void aFileWithChangedBytesIsRefusedOrRead() throws Exception {
        byte[] whole = file("GOOD-int8.tflite");
        Random random = new Random(1);
        int refused = 0;
        for (int i = 0; i < 20_000; i++) {
            byte[] changed = whole.clone();
            for (int n = random.nextInt(4); n >= 0; n--) {
                changed[random.nextInt(changed.length)] = (byte) random.nextInt(256);
            }
            try {
                new SqzModel(changed);
            } catch (SqzModel.ModelException error) {
                refused++;
            }
        }
        assertTrue(String.valueOf(refused), refused > 5_000);
    }

    @Test
    public void bestAnswersComeFirstAndEqualOnesByIndex() throws Exception {
        SqzModel model = new SqzModel(file("GOOD-int8.tflite"));
        byte[] scores = {-128, 5, 127, 5};
        assertEquals(Arrays.asList(2, 1, 3, 0), indices(model.top(scores, 9)));
        assertEquals(Arrays.asList(2, 1), indices(model.top(scores, 2)));
        assertEquals(133f / 256, model.top(scores, 2).get(1).probability, 0);
        assertThrows(IllegalArgumentException.class, () -> model.top(new byte[3], 5));
    }

    @Test
    public void unsignedScoresAreOrderedAsUnsigned() throws Exception {
        SqzModel model = new SqzModel(file("GOOD-uint8.tflite"));
        assertEquals(Arrays.asList(1, 0, 2, 3), indices(model.top(new byte[] {(byte) 200, (byte) 255, 127, 0}, 4)));
        assertEquals(0, model.pixelMask());
    }

    @Test
    public void twoClassesOfOneNameStayApart() throws Exception {
        SqzModel model = new SqzModel(file("GOOD-two_cranes.tflite"));
        List<SqzModel.Answer> answers = model.top(new byte[] {0, 100, 0, 50}, 2);
        assertEquals("crane", answers.get(0).label);
        assertEquals("crane", answers.get(1).label);
        assertEquals(Arrays.asList(1, 3), indices(answers));
        assertEquals(Arrays.asList("", "n02012849", "", "n03126707"), model.wnids);
    }

    private static List<Integer> indices(List<SqzModel.Answer> answers) {
        Integer[] indices = new Integer[answers.size()];
        for (int i = 0; i < indices.length; i++) {
            indices[i] = answers.get(i).index;
        }
        return Arrays.asList(indices);
    }

    @Test
    public void jsonIsReadStrictly() {
        assertEquals("{a=[1.0, -2500.0, true, null], b=x\n\u00e9\"}",
                SqzModel.Json.parse(" {\"a\": [1, -2.5e3, true, null], \"b\":\"x\\n\\u00e9\\\"\"} ").toString());
        for (String bad : new String[] {"", "{", "[1,]", "{\"a\" 1}", "[1] 2", "nul", "\"a", "\"\\x\"", "\"\\u12", "--", "{1:2}",
            new String(new char[1000]).replace("\0", "[")}) {
            try {
                fail(bad + " was read as " + SqzModel.Json.parse(bad));
            } catch (IllegalArgumentException error) {
                assertTrue(bad, error.getMessage() != null);
            }
        }
    }
}
