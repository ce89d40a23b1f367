package org.sqztf.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.sqztf.core.ScreenState.Camera;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.ScreenState.Source;

/**
 * What the screen does on every event: the whole behaviour of the app without Android.
 *
 * <p>The shell tells what happened and carries out the {@link Effects}. All calls come from one thread. Work that takes
 * time is started with a ticket; what comes back with an old ticket is ignored, so that a model chosen or a photo shown
 * meanwhile is never mixed up with an earlier one.
 */
public final class Screen {

    /** What the shell can be asked to do. */
    public interface Effects {
        /** Ask the user for the camera permission; answered by {@link Screen#permission}. */
        void askPermission();

        /** Open the app's page in the system's settings. */
        void openSettings();

        /** Open the camera; answered by {@link Screen#cameraRunning} or {@link Screen#cameraStopped}. */
        void openCamera();

        /** Close the camera if it is open. */
        void closeCamera();

        /** Load a model; answered by {@link Screen#modelLoaded} or {@link Screen#modelFailed}. */
        void loadModel(int ticket, int model, int threads, boolean fast);

        /** Decode and classify a photo; answered by {@link Screen#result} or {@link Screen#photoFailed}. */
        void classifyPhoto(int ticket, String uri);

        /** Wait no longer for a model from another app. */
        void giveUpModel();

        /** Keep the frame that was classified last on the screen. */
        void keepFrame();

        /** Show no frame or photo of before any more, and wait for none that is being read. */
        void dropPicture();

        /** Show this. */
        void show(ScreenState state);
    }

    /** How long what is said of a file that is no model stays over live answers, in nanoseconds. */
    public static final long REFUSED_SHOWN = 10_000_000_000L;

    private final Effects effects;
    private List<String> models;
    private final int maxThreads;
    private final ShownLatency latency = new ShownLatency();

    private Source source = Source.LIVE;
    private Camera camera = Camera.OFF;
    private boolean started;
    private boolean permitted;
    private boolean asked;
    private boolean dismissed;
    private int model;
    private boolean modelReady;
    private int threads;
    private boolean fast; // wanted
    private boolean runsFast;
    private String photo = "";
    private int modelTicket;
    private int pictureTicket;
    private List<SqzModel.Answer> answers = Collections.emptyList();
    private Classifier.Result last;
    private final Smoother smoother = new Smoother();
    private boolean pictured; // a frame or photo stands still on the screen
    private final Wait photoWait = new Wait(Message.PHOTO_READING, Message.PHOTO_WAITING);
    private final Wait modelWait = new Wait(Message.MODEL_READING, Message.MODEL_WAITING);
    private Message message; // besides what is waited for
    private String detail = "";
    private boolean refused; // the message is of a file that is no model
    private long refusedSince; // by the live answers' clock; 0 before the first

    /**
     * Begin with a live camera and the first model.
     *
     * @param models names of the models that there are
     * @param maxThreads the most threads that can be chosen, at least 1
     * @param saved what {@link #save} returned before the app was ended, or an empty map
     */
    public Screen(Effects effects, List<String> models, int maxThreads, Map<String, String> saved) {
        this.effects = effects;
        this.models = new ArrayList<>(models);
        this.maxThreads = Math.max(1, maxThreads);
        model = Math.max(0, this.models.indexOf(saved.get("model")));
        threads = limited(number(saved.get("threads"), Math.min(4, this.maxThreads)));
        fast = !"false".equals(saved.get("fast"));
        runsFast = fast;
        asked = "true".equals(saved.get("asked"));
        dismissed = "true".equals(saved.get("dismissed"));
        if (saved.get("photo") != null) {
            photo = saved.get("photo");
            source = Source.PHOTO;
        }
    }

    private static int number(String text, int otherwise) {
        try {
            return text == null ? otherwise : Integer.parseInt(text);
        } catch (NumberFormatException error) {
            return otherwise;
        }
    }

    private int limited(int count) {
        return Math.max(1, Math.min(maxThreads, count));
    }

    /** Return what must outlive the process; a frozen frame does not, it becomes a live camera. */
    public Map<String, String> save() {
        Map<String, String> saved = new HashMap<>();
        if (!models.isEmpty()) {
            saved.put("model", models.get(model));
        }
        saved.put("threads", String.valueOf(threads));
        saved.put("fast", String.valueOf(fast));
        saved.put("asked", String.valueOf(asked));
        saved.put("dismissed", String.valueOf(dismissed));
        if (source == Source.PHOTO) {
            saved.put("photo", photo);
        }
        return saved;
    }

    // The app comes and goes ---------------------------------------------------------------------------------

    /**
     * The app is in front.
     *
     * @param hasCamera whether the device has any
     * @param permitted whether the camera may be used
     * @param explain whether the system advises to explain why it is asked for
     */
    public void start(boolean hasCamera, boolean permitted, boolean explain) {
        started = true;
        this.permitted = permitted;
        if (models.isEmpty()) {
            say(Message.NO_MODEL, detail);
        } else if (!modelReady && modelTicket == 0) {
            load();
        }
        if (camera == Camera.ASKING && !permitted) {
            show(); // the system's question is still open
            return;
        }
        camera = Camera.OFF;
        if (!hasCamera) {
            camera = Camera.NONE;
        } else if (!permitted && (explain || (dismissed && !asked))) {
            camera = Camera.RATIONALE;
        } else if (!permitted && asked) {
            camera = Camera.DENIED;
        } else {
            wake();
        }
        show();
    }

    /** The app is no longer in front: whatever is open is closed. */
    public void stop() {
        started = false;
        closeCamera();
        forgetLive();
        show();
    }

    /** The list of models cannot be read. */
    public void noModels(String why) {
        say(Message.NO_MODEL, why);
        show();
    }

    // Permission and camera ----------------------------------------------------------------------------------

    /**
     * The user has answered. A question that was only dismissed looks like one that may never be asked again: the first
     * time that is not believed, and the user may ask once more.
     *
     * @param mayAskAgain whether the system says that it would ask again
     */
    public void permission(boolean granted, boolean mayAskAgain) {
        permitted = granted;
        boolean silent = !granted && !mayAskAgain;
        asked = silent && dismissed; // one that was granted once may be gone next time, and be asked for again
        dismissed = silent;
        camera = granted ? Camera.OFF : asked ? Camera.DENIED : Camera.RATIONALE;
        if (granted) {
            wake();
        }
        show();
    }

    /** The user has pressed the button for trouble. */
    public void act() {
        ScreenState.Action action = state().action();
        if (refused) {
            say(null, "");
        }
        switch (action) {
            case RETRY_MODEL:
                load();
                break;
            case ALLOW_CAMERA:
                ask();
                break;
            case OPEN_SETTINGS:
                effects.openSettings();
                break;
            case RETRY_CAMERA:
                camera = Camera.OFF;
                wake();
                break;
            case GIVE_UP:
                giveUp();
                break;
            default:
        }
        show();
    }

    /** Wait no longer for what is said to be waited for. */
    private void giveUp() {
        if (photoWait.isSlow()) {
            live();
        } else {
            giveUpModel();
        }
    }

    private void giveUpModel() {
        if (modelWait.isOn()) {
            effects.giveUpModel();
            modelWait.end();
        }
    }

    /** The camera delivers frames. */
    public void cameraRunning() {
        if (camera == Camera.OPENING) {
            camera = Camera.RUNNING;
            show();
        }
    }

    /** The camera was lost or did not open; {@code why} is IN_USE, NONE or FAILED. */
    public void cameraStopped(Camera why) {
        if (camera == Camera.OPENING || camera == Camera.RUNNING) {
            effects.closeCamera();
            camera = why;
            forgetLive();
            show();
        }
    }

    /** Another app has let go of a camera. */
    public void cameraFree() {
        if (camera == Camera.IN_USE) {
            camera = Camera.OFF;
            wake();
            show();
        }
    }

    private void ask() {
        asked = true;
        camera = Camera.ASKING;
        effects.askPermission();
    }

    /** Open the camera if it is wanted; ask first if it may not be. */
    private void wake() {
        if (!started || source != Source.LIVE || camera != Camera.OFF) {
            return;
        }
        if (!permitted) {
            ask();
        } else {
            camera = Camera.OPENING;
            effects.openCamera();
        }
    }

    /** Close the camera if it is open; why it is not stays. */
    private void closeCamera() {
        effects.closeCamera();
        if (camera == Camera.OPENING || camera == Camera.RUNNING) {
            camera = Camera.OFF;
        }
    }

    // Model and settings -------------------------------------------------------------------------------------

    /** The user has chosen a model; one that is being opened is wanted no longer. */
    public void chooseModel(int index) {
        if (index != model && index >= 0 && index < models.size()) {
            giveUpModel();
            model = index;
            load();
            show();
        }
    }

    /**
     * A file was opened as a model.
     *
     * @param names of all models, no two alike
     * @param chosen which is used from now on
     */
    public void modelOpened(List<String> names, int chosen) {
        modelWait.end();
        modelsChanged(names, chosen);
    }

    /**
     * There are other models than before: one was removed, or opened for nobody.
     *
     * @param names all of them, no two alike
     * @param chosen which is used from now on
     */
    public void modelsChanged(List<String> names, int chosen) {
        String before = models.isEmpty() ? "" : models.get(model);
        models = new ArrayList<>(names);
        model = Math.max(0, Math.min(chosen, models.size() - 1));
        if (models.isEmpty()) {
            modelReady = false;
            modelTicket++;
            forget();
            say(Message.NO_MODEL, "");
        } else if (!models.get(model).equals(before) || !modelReady) {
            load();
        }
        show();
    }

    /** A file is being opened as a model; followed by {@link #modelOpened} or {@link #modelRefused}. */
    public void modelReading() {
        modelWait.begin();
        if (refused) {
            say(null, "");
        }
        show();
    }

    /** The app that has the model has not answered for some time. */
    public void modelSlow(String app) {
        modelWait.slow(app);
        show();
    }

    /** The app that was told to be slow has answered; the model is still being opened. */
    public void modelAnswered() {
        modelWait.answered();
        show();
    }

    /** A file was opened that is no model to keep; the model of before stays. */
    public void modelRefused(Message why, String what) {
        modelWait.end();
        refuse(why, what);
    }

    /** A model cannot be removed. */
    public void modelNotRemoved(String what) {
        refuse(Message.MODEL_UNREADABLE, what);
    }

    private void refuse(Message why, String what) {
        say(why, what);
        refused = true;
        refusedSince = 0;
        show();
    }

    /** The user has chosen how many threads run the model. */
    public void chooseThreads(int count) {
        if (limited(count) != threads) {
            threads = limited(count);
            load();
            show();
        }
    }

    /**
     * The user has chosen between fast kernels and those that give a microcontroller's bytes. The choice stays for models
     * that have both, whichever run this one.
     */
    public void chooseFast(boolean on) {
        if (on != runsFast) {
            fast = on;
            load();
            show();
        }
    }

    private void load() {
        if (models.isEmpty()) {
            return;
        }
        modelReady = false;
        forgetAnswers();
        latency.clear();
        runsFast = fast;
        say(null, "");
        modelTicket++;
        pictureTicket++;
        effects.loadModel(modelTicket, model, threads, fast);
    }

    /**
     * The model can be used.
     *
     * @param runsFast whether the fast kernels run it, which need not be those that were asked for
     */
    public void modelLoaded(int ticket, boolean runsFast) {
        modelLoaded(ticket, runsFast, Kernels.fault());
    }

    /** As the other one; {@code fault} says why the fast kernels did not load where they should have. */
    void modelLoaded(int ticket, boolean runsFast, String fault) {
        if (ticket == modelTicket) {
            modelReady = true;
            if (source == Source.PHOTO) {
                read();
            } else if (source == Source.FROZEN) {
                live(); // the frame was classified by another model
            }
            this.runsFast = runsFast;
            if (!runsFast && fast && !fault.isEmpty()) {
                say(Message.FAST_FAILED, fault);
            } else if (runsFast != fast) {
                say(runsFast ? Message.FAST_ONLY : Message.EXACT_ONLY, "");
            }
            show();
        }
    }

    /** The model cannot be used. */
    public void modelFailed(int ticket, Message why, String what) {
        if (ticket == modelTicket) {
            modelReady = false;
            photoWait.end(); // there is nothing to classify it
            say(why, what);
            show();
        }
    }

    // Pictures -----------------------------------------------------------------------------------------------

    /** Return the ticket of the frames that are wanted now; 0 if none are. */
    public int frameTicket() {
        return source == Source.LIVE && camera == Camera.RUNNING && modelReady ? pictureTicket : 0;
    }

    /** Tell whether the camera's picture is the one to show. */
    public boolean isLive() {
        return source == Source.LIVE;
    }

    /** Tell whether a photo with this ticket is still the one to show. */
    public boolean wants(int ticket) {
        return ticket == pictureTicket && source == Source.PHOTO;
    }

    /** A frame or photo was classified. */
    public void result(int ticket, Classifier.Result result) {
        if (ticket == pictureTicket && modelReady && source != Source.FROZEN) {
            last = result;
            answers = source == Source.LIVE ? smoother.add(result.answers, result.doneNanos) : result.answers;
            latency.add(result, source == Source.LIVE);
            pictured = source == Source.PHOTO;
            photoWait.end();
            if (refusedLongAgo(result.doneNanos)) {
                say(null, "");
            }
            show();
        }
    }

    /** Tell whether a refusal has been read by now: it was said over live answers for some time. */
    private boolean refusedLongAgo(long nanos) {
        if (!refused || source != Source.LIVE) {
            return false;
        }
        if (refusedSince == 0) {
            refusedSince = nanos;
        }
        return nanos - refusedSince >= REFUSED_SHOWN;
    }

    /** The engine failed while it ran. */
    public void engineFailed(int ticket, String what) {
        if (ticket == pictureTicket) {
            modelReady = false;
            photoWait.end();
            forgetAnswers();
            latency.clear();
            say(Message.ENGINE_FAILED, what);
            show();
        }
    }

    /** Freeze the live picture, or go back to it. */
    public void freeze() {
        if (source == Source.LIVE && camera == Camera.RUNNING && last != null) {
            source = Source.FROZEN;
            answers = last.answers; // of the frame that is shown, not of those before
            effects.keepFrame();
            pictured = true;
            if (refused) {
                say(null, "");
            }
            closeCamera();
            show();
        } else if (source != Source.LIVE) {
            live();
            show();
        }
    }

    /** The user has chosen or shared a photo. */
    public void photo(String uri) {
        source = Source.PHOTO;
        photo = uri;
        closeCamera();
        forget();
        if (modelReady) {
            read();
        }
        show();
    }

    private void read() {
        say(null, "");
        photoWait.begin();
        effects.classifyPhoto(++pictureTicket, photo);
    }

    /** Forget what belongs to the picture of before. */
    private void forget() {
        effects.dropPicture();
        photoWait.end();
        pictured = false;
        forgetAnswers();
        latency.clear(); // a photo of another size takes another time
        pictureTicket++;
    }

    /** Forget the camera's answers: when it runs again it looks at something else. */
    private void forgetLive() {
        if (source == Source.LIVE) {
            forget();
        }
    }

    private void forgetAnswers() {
        answers = Collections.emptyList();
        last = null;
        smoother.clear();
    }

    /** The app that has the photo has not answered for some time. */
    public void photoSlow(String app) {
        photoWait.slow(app);
        show();
    }

    /** The app that was told to be slow has answered; the photo is still being decoded. */
    public void photoAnswered() {
        photoWait.answered();
        show();
    }

    /** The photo was decoded at a fraction of its size. */
    public void photoReduced(int ticket, String size) {
        if (ticket == pictureTicket && source == Source.PHOTO) {
            photoWait.end();
            say(Message.PHOTO_REDUCED, size);
            pictured = true;
            show();
        }
    }

    /** The photo cannot be shown. */
    public void photoFailed(int ticket, Message why, String what) {
        if (ticket == pictureTicket && source == Source.PHOTO) {
            pictured = false;
            photoWait.end();
            say(why, what);
            show();
        }
    }

    /** Return to the live camera. */
    private void live() {
        source = Source.LIVE;
        photo = "";
        forget();
        if (modelReady) {
            say(null, "");
        }
        wake();
    }

    private void say(Message what, String details) {
        message = what;
        detail = details;
        refused = false;
    }

    /** Return what is shown now. */
    public ScreenState state() {
        Wait wait = told();
        Message said = wait.isOn() ? wait.message() : message;
        String about = wait.isOn() ? wait.app() : detail;
        return new ScreenState(source, camera, models, model, modelReady, threads, maxThreads, runsFast, pictured,
                Answers.shown(answers), latency.shown(), last == null ? null : last.seen, said, about);
    }

    /** Return which wait is told, since there is one line: one that may be ended by hand comes first. */
    private Wait told() {
        boolean photoFirst = photoWait.isOn() && (photoWait.isSlow() || !modelWait.isSlow());
        return photoFirst ? photoWait : modelWait;
    }

    private void show() {
        effects.show(state());
    }
}
