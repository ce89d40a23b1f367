package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assume.assumeNotNull;

import java.nio.ByteBuffer;
import org.junit.Test;

/** Preprocessing is byte for byte what Python computes. */
public class SamePixelsTest {
    @Test
    public void inputsAreThoseOfPython() throws Exception {
        assumeNotNull(System.getProperty(Cases.FOLDER));
        Cases cases = new Cases();
        assertFalse(cases.cases.isEmpty());
        SqzPicture[] pictures = new SqzPicture[cases.models.size()];
        for (Cases.Case one : cases.cases) {
            if (pictures[one.model] == null) { // one for all pictures, so that nothing of the last one may stay behind
                pictures[one.model] = new SqzPicture(cases.models.get(one.model));
            }
            ByteBuffer input = ByteBuffer.allocateDirect(one.input.length);
            pictures[one.model].write(one.pixels, one.orientation, input);
            byte[] received = new byte[one.input.length];
            input.get(received);
            assertArrayEquals(one.name, one.input, received);
        }
    }
}
