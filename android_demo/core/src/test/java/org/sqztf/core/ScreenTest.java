package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.Before;
import org.junit.Test;
import org.sqztf.core.ScreenState.Action;
import org.sqztf.core.ScreenState.Camera;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.ScreenState.Primary;
import org.sqztf.core.ScreenState.Source;

/** The whole behaviour of the app: permission, camera, models, photos, coming and going. */
public class ScreenTest {
    private static final List<String> MODELS = Arrays.asList("imagenet", "digits");
    private static final List<SqzModel.Answer> ANSWERS =
            Collections.singletonList(new SqzModel.Answer(3, "crane", 0.5f));
    private static final Classifier.Result RESULT = result(ANSWERS, 0);

    private static Classifier.Result result(List<SqzModel.Answer> answers, long nanos) {
        return new Classifier.Result(answers, 1_000_000, 2_000_000, new float[] {0.1f, 0, 0.9f, 1}, nanos);
    }

    private final List<String> asked = new ArrayList<>();
    private ScreenState shown;
    private int modelTicket;
    private boolean fastAsked;
    private int photoTicket;
    private Screen screen;
    private String picture = "";

    private final Screen.Effects effects = new Screen.Effects() {
        @Override
        public void askPermission() {
            asked.add("permission");
        }

        @Override
        public void openSettings() {
            asked.add("settings");
        }

        @Override
        public void openCamera() {
            asked.add("open");
        }

        @Override
        public void closeCamera() {
            asked.add("close");
        }

        @Override
        public void loadModel(int ticket, int model, int threads, boolean fast) {
            modelTicket = ticket;
            fastAsked = fast;
            asked.add("load " + model + " " + threads + " " + fast);
        }

        @Override
        public void classifyPhoto(int ticket, String uri) {
            photoTicket = ticket;
            asked.add("photo " + uri);
        }

        @Override
        public void giveUpModel() {
            asked.add("give up");
        }

        @Override
        public void keepFrame() {
            asked.add("keep");
            picture = "frame";
        }

        @Override
        public void dropPicture() {
            picture = "";
        }

        @Override
        public void show(ScreenState state) {
            shown = state;
        }
    };

    @Before
    public void begin() {
        screen = new Screen(effects, MODELS, 8, Collections.<String, String>emptyMap());
    }

    private List<String> taken() {
        List<String> taken = new ArrayList<>(asked);
        asked.clear();
        return taken;
    }

    private void runLive() {
        screen.start(true, true, false);
        screen.cameraRunning();
        screen.modelLoaded(modelTicket, fastAsked);
        taken();
    }

    // Permission ---------------------------------------------------------------------------------------------

    @Test
    public void theFirstStartAsksForTheCameraAndLoadsTheModel() {
        screen.start(true, false, false);
        assertEquals(Arrays.asList("load 0 4 true", "permission"), taken());
        assertEquals(Camera.ASKING, shown.camera);
        assertFalse(shown.modelReady);
    }

    @Test
    public void aGrantOpensTheCamera() {
        screen.start(true, false, false);
        taken();
        screen.permission(true, false);
        assertEquals(Collections.singletonList("open"), taken());
        screen.cameraRunning();
        assertEquals(Camera.RUNNING, shown.camera);
        assertEquals(Action.NONE, shown.action());
    }

    @Test
    public void aDenialExplainsAndMayAskAgain() {
        screen.start(true, false, false);
        screen.permission(false, true);
        assertEquals(Camera.RATIONALE, shown.camera);
        assertEquals(Action.ALLOW_CAMERA, shown.action());
        taken();
        screen.act();
        assertEquals(Collections.singletonList("permission"), taken());
        assertEquals(Camera.ASKING, shown.camera);
    }

    @Test
    public void aDenialForGoodLeadsToTheSettingsAndBack() {
        screen.start(true, false, false);
        screen.permission(false, false);
        screen.act();
        screen.permission(false, false);
        assertEquals(Camera.DENIED, shown.camera);
        taken();
        screen.act();
        assertEquals(Collections.singletonList("settings"), taken());
        screen.stop();
        screen.start(true, true, false); // allowed there
        assertTrue(taken().contains("open"));
    }

    @Test
    public void aDismissedQuestionMayBeAskedOnceMore() {
        screen.start(true, false, false);
        screen.permission(false, false); // the system does not tell it from a denial for good
        taken();
        screen = new Screen(effects, MODELS, 8, screen.save());
        screen.start(true, false, false); // by itself it does not ask
        assertEquals(Camera.RATIONALE, shown.camera);
        assertEquals(Collections.singletonList("load 0 4 true"), taken());
        screen.act();
        assertEquals(Collections.singletonList("permission"), taken());
        screen.permission(false, false);
        assertEquals(Camera.DENIED, shown.camera);
        screen.stop();
        screen.start(true, false, false);
        assertEquals(Camera.DENIED, shown.camera);
    }

    @Test
    public void aRevokedPermissionIsNotTakenForGranted() {
        runLive();
        screen.stop();
        screen.start(true, false, true);
        assertEquals(Camera.RATIONALE, shown.camera);
        assertFalse(taken().contains("open"));
    }

    @Test
    public void anInterruptedQuestionIsAskedAgain() {
        screen.start(true, false, false);
        screen.permission(false, true);
        screen.stop();
        taken();
        screen.start(true, false, false);
        assertTrue(taken().contains("permission"));
    }

    @Test
    public void aPermissionGrantedOnlyOnceIsAskedForAgain() {
        screen.start(true, false, false);
        screen.permission(true, false);
        Map<String, String> saved = screen.save();
        taken();
        screen = new Screen(effects, MODELS, 8, saved);
        screen.start(true, false, false);
        assertTrue(taken().contains("permission"));
        assertEquals(Camera.ASKING, shown.camera);
    }

    @Test
    public void theQuestionIsNotAskedTwiceWhenTheDeviceIsTurnedMeanwhile() {
        screen.start(true, false, false);
        taken();
        screen.stop();
        screen.start(true, false, false);
        assertEquals(Camera.ASKING, shown.camera);
        assertFalse(taken().contains("permission"));
    }

    @Test
    public void aPhotoNeedsNoPermissionButTheCameraBehindItDoes() {
        screen.photo("content://photo");
        screen.start(true, false, false);
        assertFalse(taken().contains("permission"));
        screen.modelLoaded(modelTicket, fastAsked);
        screen.freeze(); // back to the camera
        assertEquals(Arrays.asList("photo content://photo", "permission"), taken());
        assertEquals(Source.LIVE, shown.source);
        assertEquals(Camera.ASKING, shown.camera);
    }

    // Camera -------------------------------------------------------------------------------------------------

    @Test
    public void aDeviceWithoutCameraSaysSoAndTakesPhotos() {
        screen.start(false, false, false);
        assertEquals(Camera.NONE, shown.camera);
        assertEquals(Action.NONE, shown.action());
        screen.modelLoaded(modelTicket, fastAsked);
        screen.photo("content://photo");
        screen.result(photoTicket, RESULT);
        assertEquals("[3 crane 0.5]", shown.answers.toString());
        assertFalse(taken().contains("permission"));
    }

    @Test
    public void aCameraInUseIsOpenedWhenItIsFree() {
        screen.start(true, true, false);
        screen.cameraStopped(Camera.IN_USE);
        assertEquals(Camera.IN_USE, shown.camera);
        assertEquals(Action.RETRY_CAMERA, shown.action());
        taken();
        screen.cameraFree();
        assertEquals(Collections.singletonList("open"), taken());
        screen.cameraFree(); // it is told of every camera
        assertEquals(Collections.emptyList(), taken());
    }

    @Test
    public void aCameraLostWhileItRanCanBeTriedAgain() {
        runLive();
        screen.cameraStopped(Camera.FAILED);
        assertEquals(Arrays.asList("close"), taken());
        assertEquals(0, screen.frameTicket());
        screen.act();
        assertEquals(Arrays.asList("open"), taken());
        assertEquals(Camera.OPENING, shown.camera);
    }

    @Test
    public void whatACameraTellsAfterItWasClosedIsIgnored() {
        runLive();
        screen.stop();
        screen.cameraRunning();
        assertEquals(Camera.OFF, shown.camera);
        screen.cameraStopped(Camera.FAILED);
        assertEquals(Camera.OFF, shown.camera);
    }

    @Test
    public void whatACameraSawIsForgottenWhenItStops() {
        for (boolean lost : new boolean[] {true, false}) {
            begin();
            runLive();
            int old = screen.frameTicket();
            picture = "frame";
            screen.result(old, RESULT);
            if (lost) {
                screen.cameraStopped(Camera.IN_USE);
            } else {
                screen.stop();
            }
            assertTrue(shown.answers.isEmpty());
            assertEquals(null, shown.latency);
            assertEquals("", picture);
            screen.result(old, RESULT); // was on its way
            assertTrue(shown.answers.isEmpty());
            screen.start(true, true, false);
            screen.cameraRunning();
            taken();
            screen.freeze(); // there is nothing yet
            assertEquals(Source.LIVE, shown.source);
            assertEquals(Collections.emptyList(), taken());
        }
    }

    @Test
    public void whatStandsStillStaysWhileTheAppIsAway() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        screen.freeze();
        screen.stop();
        screen.start(true, true, false);
        assertEquals("[3 crane 0.5]", shown.answers.toString());
        assertEquals("frame", picture);
        assertTrue(shown.hasPicture());
    }

    @Test
    public void leavingClosesTheCameraAndReturningOpensItWithoutLoadingAgain() {
        runLive();
        screen.stop();
        assertEquals(Arrays.asList("close"), taken());
        screen.start(true, true, false);
        assertEquals(Arrays.asList("open"), taken());
        assertTrue(shown.modelReady);
    }

    // Model and settings -------------------------------------------------------------------------------------

    @Test
    public void framesAreWantedOnlyWhenCameraAndModelAreReady() {
        screen.start(true, true, false);
        assertEquals(0, screen.frameTicket());
        screen.cameraRunning();
        assertEquals(0, screen.frameTicket());
        screen.modelLoaded(modelTicket, fastAsked);
        assertNotEquals(0, screen.frameTicket());
    }

    @Test
    public void answersOfAnEarlierModelAreIgnored() {
        runLive();
        int old = screen.frameTicket();
        screen.result(old, RESULT);
        assertEquals("[3 crane 0.5]", shown.answers.toString());
        screen.chooseModel(1);
        assertEquals(Arrays.asList("load 1 4 true"), taken());
        assertTrue(shown.answers.isEmpty());
        screen.result(old, RESULT);
        screen.modelLoaded(modelTicket, fastAsked);
        screen.result(old, RESULT);
        assertTrue(shown.answers.isEmpty());
        screen.result(screen.frameTicket(), RESULT);
        assertEquals("[3 crane 0.5]", shown.answers.toString());
    }

    @Test
    public void ofTwoModelsChosenQuicklyTheLastCounts() {
        runLive();
        screen.chooseModel(1);
        int first = modelTicket;
        screen.chooseModel(0);
        screen.modelFailed(first, Message.MODEL_DAMAGED, "");
        screen.modelLoaded(first, fastAsked);
        assertFalse(shown.modelReady);
        assertEquals(null, shown.message);
        screen.modelLoaded(modelTicket, fastAsked);
        assertTrue(shown.modelReady);
        assertEquals(0, shown.model);
    }

    @Test
    public void settingsLoadAnewOnlyWhenTheyChange() {
        runLive();
        screen.chooseThreads(4);
        screen.chooseModel(0);
        screen.chooseFast(true);
        screen.chooseModel(7);
        assertEquals(Collections.emptyList(), taken());
        screen.chooseThreads(99);
        screen.chooseFast(false);
        assertEquals(Arrays.asList("load 0 8 true", "load 0 8 false"), taken());
    }

    @Test
    public void kernelsThatAreNotThereAreToldAndNotShownAsRunning() {
        runLive();
        screen.chooseFast(false);
        screen.modelLoaded(modelTicket, true);
        assertTrue(shown.modelReady);
        assertTrue(shown.fast);
        assertEquals(Message.FAST_ONLY, shown.message);
        assertTrue(shown.isNote());
        assertFalse(shown.modelFailed());
        screen.chooseFast(true); // as the list does that shows what runs
        assertEquals(Arrays.asList("load 0 4 false"), taken());
        assertEquals("false", screen.save().get("fast"));
        screen.chooseModel(1);
        assertEquals(Arrays.asList("load 1 4 false"), taken()); // the choice stays
        screen.modelLoaded(modelTicket, false);
        assertFalse(shown.fast);
        assertEquals(null, shown.message);
        screen.chooseFast(true);
        screen.modelLoaded(modelTicket, false, "");
        assertFalse(shown.fast);
        assertEquals(Message.EXACT_ONLY, shown.message);
        assertEquals("true", screen.save().get("fast"));
    }

    @Test
    public void fastKernelsThatDidNotLoadAreAFaultAndNotTheProcessors() {
        screen.start(true, true, false);
        screen.modelLoaded(modelTicket, false, "sqz_fast cannot be loaded");
        assertEquals(Message.FAST_FAILED, shown.message);
        assertEquals("sqz_fast cannot be loaded", shown.detail);
        assertTrue(shown.isTrouble());
        assertFalse(shown.isNote());
        assertFalse(shown.modelFailed());
        screen.chooseFast(true);
        screen.modelLoaded(modelTicket, true, "");
        screen.chooseFast(false);
        screen.modelLoaded(modelTicket, false, "sqz_fast cannot be loaded"); // which nobody asked for
        assertEquals(null, shown.message);
    }

    @Test
    public void everyFaultOfAModelHasItsMessageAndCanBeRetried() {
        for (SqzModel.Fault fault : SqzModel.Fault.values()) {
            begin();
            screen.start(true, true, false);
            screen.modelFailed(modelTicket, Message.of(fault), "what was received");
            assertEquals("what was received", shown.detail);
            assertTrue(shown.modelFailed());
            assertEquals(Action.RETRY_MODEL, shown.action());
            taken();
            screen.act();
            assertEquals(Arrays.asList("load 0 4 true"), taken());
            assertEquals(null, shown.message);
        }
        assertEquals(Message.MODEL_LABELS, Message.of(SqzModel.Fault.LABEL_COUNT));
        assertEquals(Message.MODEL_DAMAGED, Message.of(SqzModel.Fault.DAMAGED));
    }

    @Test
    public void anEngineThatFailsStopsTheFrames() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        screen.engineFailed(screen.frameTicket(), "out of memory");
        assertEquals(0, screen.frameTicket());
        assertEquals(Message.ENGINE_FAILED, shown.message);
        assertTrue(shown.answers.isEmpty());
        assertFalse(shown.foundNothing());
    }

    @Test
    public void withoutModelsTheAppSaysWhyAndLoadsNothing() {
        screen = new Screen(effects, Collections.<String>emptyList(), 1, new HashMap<String, String>());
        screen.noModels("models.json: no JSON");
        screen.start(true, true, false);
        assertEquals(Message.NO_MODEL, shown.message);
        assertEquals("models.json: no JSON", shown.detail);
        assertEquals(Action.NONE, shown.action());
        assertEquals(Arrays.asList("open"), taken());
        screen.save();
    }

    @Test
    public void latencyIsOfTheModelThatRuns() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        assertEquals(3_000_000, shown.latency[Latency.TOTAL].median);
        screen.chooseThreads(1);
        assertEquals(null, shown.latency);
    }

    @Test
    public void classesThatWereNotFoundAreNotListed() {
        runLive();
        List<SqzModel.Answer> sure = Arrays.asList(new SqzModel.Answer(7, "cat", 0.99f),
                new SqzModel.Answer(0, "tench", 0), new SqzModel.Answer(1, "goldfish", 0));
        screen.result(screen.frameTicket(), result(sure, 0));
        assertEquals("[7 cat 0.99]", shown.answers.toString());
        assertFalse(shown.isGuess());
        screen.photo("content://a");
        screen.result(photoTicket, result(sure, 0));
        assertEquals("[7 cat 0.99]", shown.answers.toString());
        assertFalse(shown.foundNothing());
        screen.photo("content://b");
        screen.result(photoTicket, result(sure.subList(1, 3), 0));
        assertTrue(shown.answers.isEmpty());
        assertTrue(shown.foundNothing());
        screen.photo("content://c");
        assertFalse(shown.foundNothing());
    }

    @Test
    public void whatReachesTheModelIsShown() {
        runLive();
        assertEquals(null, shown.seen);
        screen.result(screen.frameTicket(), RESULT);
        assertEquals(0.9f, shown.seen[2], 0);
        screen.chooseModel(1);
        assertEquals(null, shown.seen);
    }

    @Test
    public void onlyWhatWentWrongIsToldAsTrouble() {
        screen.start(true, true, false);
        assertFalse(shown.isTrouble());
        for (Camera why : new Camera[] {Camera.IN_USE, Camera.NONE}) {
            screen.cameraStopped(why);
            assertFalse(shown.isTrouble());
            screen.act();
        }
        begin();
        screen.start(true, true, false);
        screen.cameraStopped(Camera.FAILED);
        assertTrue(shown.isTrouble());
        begin();
        runLive();
        screen.photo("content://a");
        assertFalse(shown.isTrouble()); // it is being read
        screen.photoReduced(photoTicket, "1 × 1");
        assertFalse(shown.isTrouble());
        screen.photoFailed(photoTicket, Message.PHOTO_UNREADABLE, "");
        assertTrue(shown.isTrouble());
        screen.chooseFast(false);
        screen.modelLoaded(modelTicket, true);
        screen.freeze(); // back to the camera
        assertFalse(shown.isTrouble());
        screen.cameraRunning();
        screen.chooseFast(false);
        screen.modelLoaded(modelTicket, true);
        assertTrue(shown.isNote());
        assertFalse(shown.isTrouble());
        screen.cameraStopped(Camera.FAILED);
        assertTrue(shown.isTrouble());
        screen.chooseThreads(2);
        screen.modelFailed(modelTicket, Message.MODEL_DAMAGED, "");
        assertTrue(shown.isTrouble());
    }

    @Test
    public void theLargestButtonDoesWhatIsLikelyWanted() {
        screen.start(true, false, false);
        assertEquals(Primary.PHOTO, shown.primary());
        screen.permission(true, false);
        screen.cameraRunning();
        assertEquals(Primary.FREEZE, shown.primary());
        screen.photo("content://a");
        assertEquals(Primary.LIVE, shown.primary());
        begin();
        screen.start(false, false, false);
        assertEquals(Primary.PHOTO, shown.primary());
        screen.photo("content://a");
        assertEquals(Primary.PHOTO, shown.primary());
    }

    @Test
    public void thereIsAPictureWhereTheCameraRunsOrAPhotoWasRead() {
        screen.start(true, true, false);
        assertFalse(shown.hasPicture());
        screen.modelLoaded(modelTicket, fastAsked);
        screen.cameraRunning();
        assertTrue(shown.hasPicture());
        screen.photo("content://a");
        assertFalse(shown.hasPicture());
        screen.result(photoTicket, RESULT);
        assertTrue(shown.hasPicture());
        screen.photoFailed(photoTicket, Message.PHOTO_TOO_LARGE, "");
        assertFalse(shown.hasPicture());
    }

    @Test
    public void liveAnswersAreSteadyAndAFrozenFramesItsOwn() {
        runLive();
        screen.result(screen.frameTicket(), result(ANSWERS, 0));
        List<SqzModel.Answer> other = Collections.singletonList(new SqzModel.Answer(4, "heron", 0.51f));
        screen.result(screen.frameTicket(), result(other, 30_000_000));
        assertEquals("crane", shown.answers.get(0).label);
        screen.freeze();
        assertEquals("[4 heron 0.51]", shown.answers.toString());
    }

    @Test
    public void liveNumbersStayForHalfASecond() {
        runLive();
        screen.result(screen.frameTicket(), result(ANSWERS, 1)); // cold
        for (int i = 1; i <= 30; i++) {
            screen.result(screen.frameTicket(), result(ANSWERS, 1 + i * ShownLatency.STAYS / 31));
            assertEquals(0, shown.latency[Latency.TOTAL].runs);
        }
        screen.result(screen.frameTicket(), result(ANSWERS, 1 + ShownLatency.STAYS));
        assertEquals(31, shown.latency[Latency.TOTAL].runs);
    }

    @Test
    public void latencyIsOfTheSourceThatIsShown() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        screen.photo("content://a");
        assertEquals(null, shown.latency);
        screen.result(photoTicket, RESULT);
        assertEquals(3_000_000, shown.latency[Latency.TOTAL].median);
        screen.freeze(); // back to the camera
        assertEquals(null, shown.latency);
    }

    @Test
    public void theMostThreadsAreShown() {
        assertEquals(8, screen.state().maxThreads);
        assertEquals(1, new Screen(effects, MODELS, 0, new HashMap<String, String>()).state().maxThreads);
    }

    // Pictures -----------------------------------------------------------------------------------------------

    @Test
    public void freezingKeepsTheFrameAndItsAnswers() {
        runLive();
        int ticket = screen.frameTicket();
        screen.result(ticket, RESULT);
        screen.freeze();
        assertEquals(Arrays.asList("keep", "close"), taken());
        assertEquals(Source.FROZEN, shown.source);
        screen.result(ticket, result(Collections.<SqzModel.Answer>emptyList(), 1));
        assertEquals("[3 crane 0.5]", shown.answers.toString());
        screen.freeze();
        assertEquals(Arrays.asList("open"), taken());
        assertEquals(Source.LIVE, shown.source);
        assertTrue(shown.answers.isEmpty());
    }

    @Test
    public void thereIsNothingToFreezeBeforeTheFirstAnswer() {
        runLive();
        screen.freeze();
        assertEquals(Source.LIVE, shown.source);
        assertEquals(Collections.emptyList(), taken());
    }

    @Test
    public void anotherModelEndsAFreeze() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        screen.freeze();
        screen.chooseModel(1);
        screen.modelLoaded(modelTicket, fastAsked);
        assertEquals(Source.LIVE, shown.source);
    }

    @Test
    public void aPhotoTakesThePlaceOfTheCamera() {
        runLive();
        screen.photo("content://a");
        assertEquals(Arrays.asList("close", "photo content://a"), taken());
        assertEquals(0, screen.frameTicket());
        int first = photoTicket;
        screen.photo("content://b");
        screen.result(first, RESULT);
        assertTrue(shown.answers.isEmpty());
        assertFalse(screen.wants(first));
        assertTrue(screen.wants(photoTicket));
        screen.result(photoTicket, RESULT);
        assertEquals("[3 crane 0.5]", shown.answers.toString());
    }

    @Test
    public void aPhotoThatIsReadIsTold() {
        runLive();
        screen.photo("content://a");
        assertEquals(Message.PHOTO_READING, shown.message);
        assertFalse(shown.modelFailed());
        screen.result(photoTicket, RESULT);
        assertEquals(null, shown.message);
        screen.chooseModel(1);
        assertEquals(null, shown.message); // it is the model that is waited for
        screen.modelLoaded(modelTicket, fastAsked);
        assertEquals(Message.PHOTO_READING, shown.message);
    }

    @Test
    public void aPhotoThatDoesNotComeIsToldAndMayBeGivenUp() {
        runLive();
        screen.photo("content://a");
        screen.photoSlow("Cloud");
        assertEquals(Message.PHOTO_WAITING, shown.message);
        assertEquals("Cloud", shown.detail);
        assertFalse(shown.isTrouble());
        assertEquals(Action.GIVE_UP, shown.action());
        taken();
        screen.act();
        assertEquals(Collections.singletonList("open"), taken());
        assertEquals(Source.LIVE, shown.source);
        assertEquals(null, shown.message);
        screen.photoSlow("Cloud"); // too late
        assertEquals(null, shown.message);
        screen.photo("content://b");
        screen.photoSlow("Cloud");
        screen.result(photoTicket, RESULT); // it came after all
        assertEquals(null, shown.message);
    }

    @Test
    public void whichKernelsRunDoesNotHideThatAPhotoIsWaitedFor() {
        runLive();
        screen.photo("content://a");
        screen.chooseThreads(1);
        assertEquals(Message.PHOTO_READING, shown.message); // it is read all the same
        screen.modelLoaded(modelTicket, false, "");
        assertEquals(Message.PHOTO_READING, shown.message);
        screen.photoSlow("Cloud");
        assertEquals(Action.GIVE_UP, shown.action());
        screen.photoAnswered();
        assertEquals(Action.NONE, shown.action());
        screen.result(photoTicket, RESULT);
        assertEquals(Message.EXACT_ONLY, shown.message);
    }

    @Test
    public void whatFailedWhileAPhotoIsReadIsToldInItsPlace() {
        runLive();
        screen.photo("content://a");
        screen.chooseThreads(1);
        screen.modelFailed(modelTicket, Message.MODEL_DAMAGED, "");
        assertEquals(Message.MODEL_DAMAGED, shown.message);
        screen.act();
        screen.modelLoaded(modelTicket, true);
        screen.engineFailed(photoTicket, "why");
        assertEquals(Message.ENGINE_FAILED, shown.message);
    }

    @Test
    public void thePictureOfBeforeIsNotShownForAnother() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        screen.freeze();
        assertEquals("frame", picture);
        screen.photo("content://unreadable");
        assertEquals("", picture);
        picture = "photo";
        screen.modelFailed(modelTicket, Message.ENGINE_FAILED, "");
        screen.photo("content://another"); // not read before there is a model
        assertEquals("", picture);
        assertEquals(Message.ENGINE_FAILED, shown.message);
        picture = "photo";
        screen.freeze();
        assertEquals("", picture);
    }

    @Test
    public void aPhotoIsClassifiedAgainByAnotherModel() {
        runLive();
        screen.photo("content://a");
        taken();
        screen.chooseModel(1);
        screen.modelLoaded(modelTicket, fastAsked);
        assertEquals(Arrays.asList("load 1 4 true", "photo content://a"), taken());
    }

    @Test
    public void badPhotosAreTold() {
        for (Message why : new Message[] {Message.PHOTO_UNREADABLE, Message.PHOTO_TOO_LARGE}) {
            begin();
            runLive();
            screen.photo("content://bad");
            screen.photoFailed(photoTicket, why, "image/x");
            assertEquals(why, shown.message);
            assertTrue(shown.modelReady);
            assertEquals(Action.NONE, shown.action());
            screen.freeze();
            assertEquals(null, shown.message);
            assertEquals(Source.LIVE, shown.source);
        }
    }

    @Test
    public void aReducedPhotoIsToldWithItsAnswers() {
        runLive();
        screen.photo("content://200-megapixels");
        screen.photoReduced(photoTicket, "16320 × 12240");
        screen.result(photoTicket, RESULT);
        assertEquals(Message.PHOTO_REDUCED, shown.message);
        assertEquals("[3 crane 0.5]", shown.answers.toString());
    }

    // The end of the process ---------------------------------------------------------------------------------

    @Test
    public void theProcessMayEndAtAnyTime() {
        runLive();
        screen.chooseModel(1);
        screen.chooseThreads(2);
        screen.chooseFast(false);
        screen.photo("content://a");
        Map<String, String> saved = screen.save();
        taken();
        screen = new Screen(effects, MODELS, 8, saved);
        screen.start(true, true, false);
        assertEquals(Arrays.asList("load 1 2 false"), taken());
        screen.modelLoaded(modelTicket, fastAsked);
        assertEquals(Arrays.asList("photo content://a"), taken());
        assertEquals(Source.PHOTO, shown.source);
    }

    @Test
    public void aFrozenFrameBecomesALiveCamera() {
        runLive();
        screen.result(screen.frameTicket(), RESULT);
        screen.freeze();
        screen = new Screen(effects, MODELS, 8, screen.save());
        assertEquals(Source.LIVE, screen.state().source);
    }

    @Test
    public void whatWasSavedMayNotFitThisApp() {
        Map<String, String> saved = new HashMap<>();
        saved.put("model", "a model of an older version");
        saved.put("threads", "many");
        screen = new Screen(effects, MODELS, 2, saved);
        assertEquals(0, screen.state().model);
        assertEquals(2, screen.state().threads);
        saved.put("threads", "64");
        assertEquals(2, new Screen(effects, MODELS, 2, saved).state().threads);
    }
}
