package org.sqztf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.io.File;
import java.nio.file.Files;
import java.util.List;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.sqztf.core.Answers;
import org.sqztf.core.ScreenState;
import org.sqztf.core.SqzModel;

/**
 * Photos that are shared with the app, and the answers it shows, against Python's: with the package's own libraries.
 *
 * <p>{@link #FOLDER} has photos 0.png, 1.png … and, for each kind of kernels, a file of lines: the class and the
 * probability of each answer to a photo, best first.
 */
@RunWith(Runner.class)
@Config(sdk = {24, 35})
@GraphicsMode(GraphicsMode.Mode.NATIVE) // where there is one: from API 26
public class KernelsEndToEndTest {
    static final String FOLDER = "sqz.answers";

    private File folder;

    @Before
    public void thePackageIsHere() {
        assumeNotNull(System.getProperty(FOLDER));
        folder = new File(System.getProperty(FOLDER));
        Engines.useThePackages();
    }

    /** Compare the answers of the app; a class may stand where another of nearly its probability is expected. */
    private void compare(String expected, boolean fast, double tolerance) throws Exception {
        List<String> lines = Files.readAllLines(new File(folder, expected).toPath());
        MainActivity activity = Phone.start();
        activity.session().screen.chooseFast(fast);
        Phone.settle(activity);
        for (int photo = 0; photo < lines.size(); photo++) {
            Phone.putPhoto(Files.readAllBytes(new File(folder, photo + ".png").toPath()));
            activity.session().screen.photo(Phone.PHOTO.toString());
            Phone.settle(activity);
            ScreenState state = activity.session().screen.state();
            assertEquals(state.detail, fast, state.fast);
            String[] words = lines.get(photo).split(" ");
            int shown = state.answers.size();
            assertTrue(state.detail, shown > 0 && shown <= words.length / 2);
            boolean whole = shown == words.length / 2;
            assertTrue(whole || Double.parseDouble(words[2 * shown + 1]) < Answers.THRESHOLD + tolerance);
            for (int i = 0; i < state.answers.size(); i++) {
                SqzModel.Answer answer = state.answers.get(i);
                String what = photo + ": " + lines.get(photo) + ", answer " + i + ": " + answer.index;
                assertEquals(what, Double.parseDouble(words[2 * i + 1]), answer.probability, tolerance);
                assertTrue(what, tolerance > 0 || Integer.parseInt(words[2 * i]) == answer.index);
            }
        }
    }

    @Test
    public void exactAnswersAreTheReferenceKernels() throws Exception {
        compare("exact", false, 0);
    }

    @Test
    public void fastAnswersAreThoseOfPythonsClassify() throws Exception {
        compare("fast", true, 1 / 256.0);
    }
}
