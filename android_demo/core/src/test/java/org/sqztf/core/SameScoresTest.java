package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.util.List;
import org.junit.Test;

/** A TFLite runtime on the JVM gives the output bytes and the five best classes that Python gives. */
public class SameScoresTest {
    @Test
    public void scoresAndAnswersAreThoseOfPython() throws Exception {
        assumeNotNull(System.getProperty(Cases.FOLDER));
        Cases cases = new Cases();
        Classifier[] classifiers = new Classifier[cases.models.size()];
        int run = 0;
        for (Cases.Case one : cases.cases) {
            if (one.output.length == 0) {
                continue;
            }
            if (classifiers[one.model] == null) {
                classifiers[one.model] =
                        new Classifier(cases.models.get(one.model), new JvmEngine(cases.files.get(one.model), false));
            }
            Classifier classifier = classifiers[one.model];
            List<SqzModel.Answer> answers = classifier.classify(one.pixels, one.orientation).answers;
            assertArrayEquals(one.name, one.output, classifier.scores());
            assertArrayEquals(one.name, one.top, indices(answers));
            assertEquals(classifier.model.labels.get(one.top[0]), answers.get(0).label);
            run++;
        }
        assertTrue("no case was run", run > 0);
        for (Classifier classifier : classifiers) {
            if (classifier != null) {
                classifier.close();
            }
        }
    }

    private static int[] indices(List<SqzModel.Answer> answers) {
        int[] indices = new int[answers.size()];
        for (int i = 0; i < indices.length; i++) {
            indices[i] = answers.get(i).index;
        }
        return indices;
    }
}
