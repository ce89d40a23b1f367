package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assume.assumeNotNull;

import java.nio.ByteBuffer;
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
}
