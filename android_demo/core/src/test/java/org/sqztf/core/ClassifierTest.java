package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assume.assumeNotNull;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.Before;
import org.junit.Test;

/** Whose fault it is that a picture has no answer. */
public class ClassifierTest {
    private SqzModel model;

    /** An engine that fails as TFLite does. */
    private static final class Failing implements Engine {
        @Override
        public void run(ByteBuffer input, ByteBuffer output) {
            throw new IllegalStateException("the engine is out of memory");
        }

        @Override
        public boolean fast() {
            return true;
        }

        @Override
        public void close() {}
    }

    @Before
    public void aModelIsThere() throws Exception {
        assumeNotNull(System.getProperty(SqzModelTest.FOLDER));
        model = new SqzModel(SqzModelTest.file("GOOD-int8.tflite"));
    }

    @Test
    public void anEngineThatFailsIsToldFromAPictureThatDoes() {
        Classifier classifier = new Classifier(model, new Failing());
        SqzPicture.Pixels grey = new PackedPixels(new byte[1], 1, 1, 1, 1);
        Engine.Failure failure = assertThrows(Engine.Failure.class, () -> classifier.classify(grey, 1));
        assertEquals("the engine is out of memory", failure.getMessage());
        SqzPicture.Pixels recycled = new SqzPicture.Pixels() {
            @Override
            public int width() {
                return 1;
            }

            @Override
            public int height() {
                return 1;
            }

            @Override
            public void read(int x, int y, int count, int[] rgb) {
                throw new IllegalStateException("the bitmap is recycled");
            }
        };
        assertEquals(IllegalStateException.class,
                assertThrows(RuntimeException.class, () -> classifier.classify(recycled, 1)).getClass());
    }

    @Test
    public void aPictureInBandsGivesTheSameInput() {
        Random random = new Random(3);
        int[] argb = new int[37 * 53];
        for (int i = 0; i < argb.length; i++) {
            argb[i] = 0xFF000000 | random.nextInt(1 << 24);
        }
        SqzPicture.Pixels whole = SqzPicture.of(argb, 37, 53);
        SqzPicture.Pixels banded = new BandedPixels(37, 53, 37 * 10, (y, rows) ->
                SqzPicture.of(Arrays.copyOfRange(argb, 37 * y, 37 * (y + rows)), 37, rows));
        SqzPicture picture = new SqzPicture(model);
        for (int orientation = 1; orientation <= 8; orientation++) {
            assertArrayEquals(input(picture, whole, orientation), input(picture, banded, orientation));
        }
    }

    private byte[] input(SqzPicture picture, SqzPicture.Pixels pixels, int orientation) {
        ByteBuffer input = ByteBuffer.allocate(model.input.bytes());
        picture.write(pixels, orientation, input);
        return input.array();
    }

    @Test
    public void whatReachesTheModelIsToldOfTheUprightPicture() {
        Classifier classifier = new Classifier(model, new Still());
        SqzPicture.Pixels wide = new PackedPixels(new byte[800], 40, 20, 40, 1);
        float[] seen = classifier.classify(wide, 1).seen;
        float[] turned = classifier.classify(wide, 6).seen;
        float[] box = new SqzPicture(model).seen(40, 20);
        assertArrayEquals(box, seen, 0);
        assertArrayEquals(new SqzPicture(model).seen(20, 40), turned, 0);
    }

    /** An engine that does nothing. */
    private static final class Still implements Engine {
        @Override
        public void run(ByteBuffer input, ByteBuffer output) {}

        @Override
        public boolean fast() {
            return true;
        }

        @Override
        public void close() {}
    }
}
