package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.util.ArrayList;
import java.util.List;
import org.junit.Before;
import org.junit.Test;

/**
 * The engines of the app with the package's own libraries, against what Python gives.
 *
 * <p>{@link Cases#FOLDER} has the reference kernels' bytes, {@link #FAST} the same pictures with those of {@code
 * sqz_tf.classify}; the first model is bundled, the last one is not.
 */
public class KernelsTest {
    static final String FAST = "sqz.fast";

    private Cases exact;
    private Cases fast;

    @Before
    public void thePackageIsHere() throws Exception {
        assumeNotNull(System.getProperty(FAST));
        exact = new Cases();
        fast = new Cases(System.getProperty(FAST));
    }

    private Engine open(int model, int threads, boolean fast) {
        return Kernels.open(exact.files.get(model), exact.models.get(model), threads, fast);
    }

    private List<byte[]> scores(Cases cases, Engine engine, int model) {
        List<byte[]> scores = new ArrayList<>();
        Classifier classifier = new Classifier(cases.models.get(model), engine);
        for (Cases.Case one : cases.cases) {
            if (one.model == model) {
                classifier.classify(one.pixels, one.orientation);
                scores.add(classifier.scores().clone());
            }
        }
        classifier.close();
        return scores;
    }

    @Test
    public void exactKernelsGiveTheReferenceKernelsBytes() {
        Engine engine = open(0, 1, false);
        assertFalse(engine.fast());
        List<byte[]> scores = scores(exact, engine, 0);
        assertFalse(scores.isEmpty());
        for (int i = 0; i < scores.size(); i++) {
            assertArrayEquals(exact.cases.get(i).name, exact.cases.get(i).output, scores.get(i));
        }
    }

    @Test
    public void fastKernelsGiveWhatPythonsClassifyGives() {
        for (int threads : new int[] {1, 2}) {
            Engine engine = open(0, threads, true);
            assertTrue(engine.fast());
            List<byte[]> scores = scores(fast, engine, 0);
            for (int i = 0; i < scores.size(); i++) {
                compare(fast.cases.get(i), scores.get(i));
            }
        }
    }

    /** Scores within 1/256, and the best class is one of Python's best. */
    private static void compare(Cases.Case one, byte[] scores) {
        int best = 0;
        int highest = Byte.MIN_VALUE;
        for (int i = 0; i < scores.length; i++) {
            assertTrue(one.name, Math.abs(scores[i] - one.output[i]) <= 1);
            best = scores[i] > scores[best] ? i : best;
            highest = Math.max(highest, one.output[i]);
        }
        assertEquals(one.name, highest, one.output[best]);
    }

    @Test
    public void aModelThatIsNotBundledHasFastKernelsAlone() {
        int other = exact.models.size() - 1;
        assertFalse(ExactEngine.has(exact.files.get(other)));
        Engine engine = open(other, 1, false);
        assertTrue(engine.fast());
        engine.close();
        assertThrows(IllegalStateException.class, () -> new ExactEngine(exact.files.get(other)));
    }

    @Test
    public void whatTfliteCannotReadIsRefusedAndAClosedEngineRunsNothing() {
        SqzModel model = exact.models.get(0);
        assertThrows(IllegalStateException.class, () -> new FastEngine(new byte[64], model, 1));
        FastEngine engine = new FastEngine(exact.files.get(0), model, 1);
        engine.close();
        engine.close();
        assertThrows(IllegalStateException.class, () -> engine.run(null, null));
    }
}
