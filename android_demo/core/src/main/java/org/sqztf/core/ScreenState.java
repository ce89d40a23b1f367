package org.sqztf.core;

import java.util.Collections;
import java.util.List;

/** Everything the screen shows at one moment. Immutable. */
public final class ScreenState {

    /** Where the picture comes from. */
    public enum Source {
        LIVE,
        FROZEN,
        PHOTO
    }

    /** What the camera is doing, or why it is not. */
    public enum Camera {
        OFF,
        ASKING,
        RATIONALE,
        DENIED,
        OPENING,
        RUNNING,
        IN_USE,
        NONE,
        FAILED
    }

    /** What the one button for trouble does. */
    public enum Action {
        NONE,
        ALLOW_CAMERA,
        OPEN_SETTINGS,
        RETRY_CAMERA,
        RETRY_MODEL,
        /** Wait no longer for another app. */
        GIVE_UP
    }

    /** What the largest button does. */
    public enum Primary {
        /** Keep the camera's picture. */
        FREEZE,
        /** Return to the camera. */
        LIVE,
        /** Choose a photo. */
        PHOTO
    }

    /** What is wrong or worth saying, besides the camera. */
    public enum Message {
        NO_MODEL,
        MODEL_NOT_TFLITE,
        MODEL_DAMAGED,
        MODEL_NOT_QUANTIZED,
        MODEL_LABELS,
        MODEL_PREPROCESS,
        MODEL_TOO_LARGE,
        MODEL_UNREADABLE,
        MODELS_FULL,
        /** Updates that are refused, as {@link SqzUpdate.Status} says; one that is too large is a model that is. */
        UPDATE_NO_KEY,
        UPDATE_FORMAT,
        UPDATE_KEY,
        UPDATE_SIGNATURE,
        UPDATE_MODEL,
        UPDATE_NETWORK,
        UPDATE_VERSION,
        UPDATE_DAMAGED,
        NO_UPDATE,
        ENGINE_FAILED,
        PHOTO_UNREADABLE,
        PHOTO_TOO_LARGE,
        PHOTO_REDUCED,
        PHOTO_READING,
        MODEL_READING,
        /** An app that has a photo or a model has not answered for some time. */
        PHOTO_WAITING,
        MODEL_WAITING,
        /** An app, or too many of them, have not answered before. */
        NOT_ANSWERED,
        FAST_ONLY,
        EXACT_ONLY,
        FAST_FAILED;

        /** Return what to say of a model that cannot be used. */
        public static Message of(SqzModel.Fault fault) {
            switch (fault) {
                case NOT_TFLITE:
                    return MODEL_NOT_TFLITE;
                case NOT_QUANTIZED:
                    return MODEL_NOT_QUANTIZED;
                case NO_LABELS:
                case LABEL_COUNT:
                    return MODEL_LABELS;
                case PREPROCESS:
                    return MODEL_PREPROCESS;
                case TOO_LARGE:
                    return MODEL_TOO_LARGE;
                default:
                    return MODEL_DAMAGED;
            }
        }

        /** Return what to say of an update that is refused. */
        public static Message of(SqzUpdate.Status status) {
            switch (status) {
                case ERROR_CONFIG:
                    return UPDATE_NO_KEY;
                case ERROR_FORMAT:
                    return UPDATE_FORMAT;
                case ERROR_KEY:
                    return UPDATE_KEY;
                case ERROR_SIGNATURE:
                    return UPDATE_SIGNATURE;
                case ERROR_MODEL:
                    return UPDATE_MODEL;
                case ERROR_NETWORK:
                    return UPDATE_NETWORK;
                case ERROR_VERSION:
                    return UPDATE_VERSION;
                case ERROR_SPACE:
                    return MODEL_TOO_LARGE;
                default:
                    return UPDATE_DAMAGED;
            }
        }
    }

    public final Source source;
    public final Camera camera;
    /** Names of the models, and which of them is chosen. */
    public final List<String> models;
    public final int model;
    public final boolean modelReady;
    public final int threads;
    /** The most threads that can be chosen. */
    public final int maxThreads;
    /** Whether the fast kernels run (XNNPACK), which round as it does; otherwise those of a microcontroller. */
    public final boolean fast;
    /** Whether a frame or photo stands still on the screen. */
    public final boolean pictured;
    /** Those worth showing, best first; empty while nothing has been classified and where nothing was recognised. */
    public final List<SqzModel.Answer> answers;
    /** By stage of {@link Latency}; null before the first run. */
    public final Latency.Summary[] latency;
    /** What reaches the model: left, top, right, bottom as fractions of the picture; null before the first run. */
    public final float[] seen;
    /** Null where there is nothing to say. */
    public final Message message;
    /** What exactly was received and expected; may be empty. */
    public final String detail;

    ScreenState(Source source, Camera camera, List<String> models, int model, boolean modelReady, int threads,
            int maxThreads, boolean fast, boolean pictured, List<SqzModel.Answer> answers, Latency.Summary[] latency, float[] seen,
            Message message, String detail) {
        this.source = source;
        this.camera = camera;
        this.models = Collections.unmodifiableList(models);
        this.model = model;
        this.modelReady = modelReady;
        this.threads = threads;
        this.maxThreads = maxThreads;
        this.fast = fast;
        this.pictured = pictured;
        this.answers = Collections.unmodifiableList(answers);
        this.latency = latency;
        this.seen = seen;
        this.message = message;
        this.detail = detail;
    }

    /** Tell whether the model that was asked for did not load or run. */
    public boolean modelFailed() {
        return !modelReady && message != null && message.compareTo(Message.ENGINE_FAILED) <= 0;
    }

    /** Tell whether the message is about nothing that went wrong and may give way to another. */
    public boolean isNote() {
        return message == Message.FAST_ONLY || message == Message.EXACT_ONLY;
    }

    /** Tell whether what is said went wrong; all else is said in a neutral colour. */
    public boolean isTrouble() {
        if (message == null || isNote()) { // a note gives way to what the camera has to say
            return source == Source.LIVE && camera == Camera.FAILED;
        }
        return !isReading() && message != Message.PHOTO_REDUCED;
    }

    private boolean isReading() {
        return message == Message.MODEL_READING || message == Message.PHOTO_READING || isWaiting();
    }

    /** Tell whether another app has not answered for some time. */
    boolean isWaiting() {
        return message == Message.PHOTO_WAITING || message == Message.MODEL_WAITING;
    }

    /** Tell whether there is a picture to look at: the camera's or one that stands still. */
    public boolean hasPicture() {
        return source == Source.LIVE ? camera == Camera.RUNNING : pictured;
    }

    /** Tell whether a picture was classified and no class was found in it. */
    public boolean foundNothing() {
        return latency != null && answers.isEmpty();
    }

    /** Tell whether the best answer is a guess. */
    public boolean isGuess() {
        return !answers.isEmpty() && answers.get(0).probability < Answers.SURE;
    }

    /** Return what the largest button does now. */
    public Primary primary() {
        if (source == Source.LIVE) {
            return camera == Camera.RUNNING ? Primary.FREEZE : Primary.PHOTO;
        }
        return camera == Camera.NONE ? Primary.PHOTO : Primary.LIVE;
    }

    /** Return what the button for trouble does now. */
    public Action action() {
        if (modelFailed() && message != Message.NO_MODEL) {
            return Action.RETRY_MODEL;
        }
        if (isWaiting()) {
            return Action.GIVE_UP;
        }
        if (source != Source.LIVE) {
            return Action.NONE;
        }
        switch (camera) {
            case RATIONALE:
                return Action.ALLOW_CAMERA;
            case DENIED:
                return Action.OPEN_SETTINGS;
            case IN_USE:
            case FAILED:
                return Action.RETRY_CAMERA;
            default:
                return Action.NONE;
        }
    }
}
