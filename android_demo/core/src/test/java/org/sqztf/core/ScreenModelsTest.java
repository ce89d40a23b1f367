package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.Test;
import org.sqztf.core.ScreenState.Message;

/** What the screen does when models come and go. */
public class ScreenModelsTest {
    private final List<Object> loaded = new ArrayList<>(); // tickets and models
    private int givenUp;
    private final Screen screen = new Screen(effects(), Arrays.asList("a", "b"), 4, Collections.<String, String>emptyMap());

    private Screen.Effects effects() {
        return (Screen.Effects) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Screen.Effects.class},
                (proxy, method, arguments) -> {
                    if (method.getName().equals("loadModel")) {
                        loaded.addAll(Arrays.asList(arguments).subList(0, 2));
                    }
                    givenUp += method.getName().equals("giveUpModel") ? 1 : 0;
                    return null;
                });
    }

    private void start() {
        screen.start(false, false, false);
        screen.modelLoaded(1, true);
    }

    @Test
    public void aModelThatWasOpenedIsLoaded() {
        start();
        screen.modelsChanged(Arrays.asList("a", "b", "own"), 2);
        assertEquals(Arrays.asList(1, 0, 2, 2), loaded);
        assertFalse(screen.state().modelReady);
        screen.modelLoaded(2, true);
        assertTrue(screen.state().modelReady);
        assertEquals("own", screen.save().get("model"));
    }

    @Test
    public void whereTheModelInUseStaysNothingIsLoaded() {
        start();
        ScreenState before = screen.state();
        screen.modelReading();
        screen.modelOpened(Arrays.asList("x", "a"), 1);
        assertTrue(screen.state().modelReady);
        assertEquals(1, screen.state().model);
        assertEquals(Arrays.asList(1, 0), loaded);
        assertEquals(Arrays.asList("a", "b"), before.models);
        assertNull(screen.state().message);
    }

    @Test
    public void afterTheModelInUseTheFirstIsLoaded() {
        start();
        screen.chooseModel(1);
        screen.modelsChanged(Arrays.asList("a"), -1);
        screen.modelLoaded(2, true); // b, which is gone
        assertFalse(screen.state().modelReady);
        screen.modelLoaded(3, true);
        assertTrue(screen.state().modelReady);
        assertEquals(Arrays.asList(1, 0, 2, 1, 3, 0), loaded);
    }

    @Test
    public void withoutAnyModelThatIsToldUntilOneComes() {
        start();
        screen.modelsChanged(Collections.<String>emptyList(), -1);
        assertEquals(Message.NO_MODEL, screen.state().message);
        screen.modelLoaded(1, true);
        assertFalse(screen.state().modelReady);
        screen.modelsChanged(Arrays.asList("own"), 0);
        screen.modelLoaded(3, true);
        assertNull(screen.state().message);
        assertTrue(screen.state().modelReady);
    }

    @Test
    public void aFileThatIsNoModelIsToldAndTheModelStays() {
        start();
        screen.modelReading();
        assertEquals(Message.MODEL_READING, screen.state().message);
        assertFalse(screen.state().isTrouble());
        screen.modelRefused(Message.MODEL_DAMAGED, "why");
        assertEquals(Message.MODEL_DAMAGED, screen.state().message);
        assertTrue(screen.state().isTrouble());
        assertTrue(screen.state().modelReady);
        assertEquals(ScreenState.Action.NONE, screen.state().action());
    }

    private static Classifier.Result at(long nanos) {
        List<SqzModel.Answer> answers = Arrays.asList(new SqzModel.Answer(3, "crane", 0.5f));
        return new Classifier.Result(answers, 1, 2, new float[4], nanos);
    }

    private void startLive() {
        screen.start(true, true, false);
        screen.cameraRunning();
        screen.modelLoaded(1, true);
    }

    @Test
    public void aRefusalLeavesTheLiveScreenWhenItWasRead() {
        startLive();
        screen.modelRefused(Message.MODEL_DAMAGED, "why");
        for (long seconds : new long[] {100, 105, 109}) {
            screen.result(screen.frameTicket(), at(seconds * 1_000_000_000));
            assertEquals(Message.MODEL_DAMAGED, screen.state().message);
        }
        screen.result(screen.frameTicket(), at(100_000_000_000L + Screen.REFUSED_SHOWN));
        assertNull(screen.state().message);
        screen.modelRefused(Message.MODEL_DAMAGED, "why");
        screen.freeze();
        assertNull(screen.state().message);
        screen.freeze();
        screen.cameraRunning();
        screen.cameraStopped(ScreenState.Camera.IN_USE);
        screen.modelRefused(Message.MODEL_DAMAGED, "why");
        screen.act();
        assertNull(screen.state().message);
    }

    @Test
    public void whatIsNoRefusalStays() {
        startLive();
        screen.modelLoaded(1, false, "why");
        for (long seconds : new long[] {100, 200, 300}) {
            screen.result(screen.frameTicket(), at(seconds * 1_000_000_000));
        }
        assertEquals(Message.FAST_FAILED, screen.state().message);
    }

    @Test
    public void aModelSharedWithAnAppThatDidNotRunIsToldUntilItIsThere() {
        screen.modelReading();
        startLive();
        assertEquals(Message.MODEL_READING, screen.state().message);
        screen.modelOpened(Arrays.asList("a", "b", "own"), 2);
        assertNull(screen.state().message);
    }

    @Test
    public void aModelThatDoesNotComeIsToldAndMayBeGivenUp() {
        startLive();
        screen.modelSlow("Cloud"); // none is read
        assertNull(screen.state().message);
        screen.modelReading();
        screen.modelSlow("Cloud");
        assertEquals(Message.MODEL_WAITING, screen.state().message);
        assertFalse(screen.state().isTrouble());
        assertEquals(ScreenState.Action.GIVE_UP, screen.state().action());
        assertEquals(0, givenUp);
        screen.act();
        assertEquals(1, givenUp);
        assertNull(screen.state().message);
        screen.modelReading();
        screen.modelSlow("Cloud");
        screen.modelOpened(Arrays.asList("a", "b", "own"), 2); // it came after all
        assertNull(screen.state().message);
    }

    @Test
    public void anotherModelThatIsChosenEndsTheWaitForOne() {
        startLive();
        screen.modelReading();
        screen.chooseModel(0); // it is in use already
        assertEquals(0, givenUp);
        screen.chooseModel(1);
        assertEquals(1, givenUp);
        assertNull(screen.state().message);
        screen.chooseModel(0);
        assertEquals(1, givenUp); // nothing is opened any more
    }

    @Test
    public void nothingElseThatIsSaidHidesOrEndsTheWaitForAModel() {
        startLive();
        screen.modelReading();
        screen.modelSlow("Cloud");
        screen.modelsChanged(Arrays.asList("a"), 0); // another one was removed
        screen.modelNotRemoved("why");
        screen.chooseThreads(1);
        screen.modelLoaded(2, false, "why");
        assertEquals(Message.MODEL_WAITING, screen.state().message);
        assertEquals("Cloud", screen.state().detail);
        screen.modelAnswered();
        assertEquals(Message.MODEL_READING, screen.state().message);
        assertEquals("", screen.state().detail);
        screen.modelSlow("Cloud");
        assertEquals(ScreenState.Action.GIVE_UP, screen.state().action());
        screen.act();
        assertEquals(1, givenUp);
        assertEquals(Message.FAST_FAILED, screen.state().message); // it was said meanwhile
    }

    @Test
    public void aPhotoAndAModelAreWaitedForAndGivenUpEachByItself() {
        start();
        screen.photo("content://a");
        screen.modelReading();
        screen.photoSlow("Photos");
        screen.modelSlow("Cloud");
        assertEquals(Message.PHOTO_WAITING, screen.state().message);
        screen.act();
        assertEquals(Message.MODEL_WAITING, screen.state().message);
        assertEquals(0, givenUp);
        screen.photo("content://a"); // it is read again, which hides no button
        assertEquals(ScreenState.Action.GIVE_UP, screen.state().action());
        screen.act();
        assertEquals(1, givenUp);
        assertEquals(Message.PHOTO_READING, screen.state().message);
    }

    @Test
    public void aModelOpenedWhileAPhotoIsReadShowsNoPictureBeforeItIsThere() {
        start();
        screen.photo("content://a");
        screen.modelReading();
        assertEquals(Message.PHOTO_READING, screen.state().message);
        assertFalse(screen.state().hasPicture());
        screen.modelRefused(Message.MODEL_DAMAGED, "why");
        assertFalse(screen.state().hasPicture());
    }
}
