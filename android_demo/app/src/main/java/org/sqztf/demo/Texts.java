package org.sqztf.demo;

import android.content.Context;
import android.content.res.Resources;
import android.text.format.DateFormat;
import android.text.format.Formatter;
import java.util.Date;
import org.sqztf.core.Latency;
import org.sqztf.core.ModelStore;
import org.sqztf.core.ScreenState;

/** Words for what the screen says. */
final class Texts {
    private Texts() {}

    /** Return what to say: of the model or photo if there is something, else of the camera; may be empty. */
    static String message(Resources resources, ScreenState state) {
        int camera = state.source == ScreenState.Source.LIVE ? camera(state.camera) : 0;
        if (state.message != null && !(state.isNote() && camera != 0)) {
            String text = resources.getString(message(state.message));
            return state.detail.isEmpty() ? text : text + " (" + state.detail + ")";
        }
        if (camera != 0) {
            return resources.getString(camera);
        }
        return state.modelReady ? "" : resources.getString(R.string.loading);
    }

    /** Return what stands in place of answers, or before them where they are a guess; may be empty. */
    static String hint(Resources resources, ScreenState state) {
        if (state.modelFailed() || (state.isTrouble() && !state.hasPicture())) {
            return ""; // there is nothing to wait for
        }
        if (state.foundNothing()) {
            return resources.getString(R.string.nothing);
        }
        if (!state.answers.isEmpty()) {
            return state.isGuess() ? resources.getString(R.string.guess) : "";
        }
        boolean live = state.source == ScreenState.Source.LIVE && state.camera == ScreenState.Camera.RUNNING;
        return resources.getString(live ? R.string.hint_live : R.string.hint_empty);
    }

    /** Return what a picture took; empty before the first run. */
    static String latency(Resources resources, Latency.Summary[] times) {
        if (times == null) {
            return "";
        }
        Latency.Summary all = times[Latency.TOTAL];
        int text = all.runs == 0 ? R.string.latency_one
                : all.p90 == Latency.NONE ? R.string.latency : R.string.latency_p90;
        return resources.getString(text, all.median / 1e6, times[Latency.PREPROCESS].median / 1e6,
                times[Latency.INFERENCE].median / 1e6, all.p90 / 1e6);
    }

    /** Return the picture that stands where there is none. */
    static int icon(ScreenState state) {
        if (state.source != ScreenState.Source.LIVE) {
            return state.isTrouble() ? R.drawable.ic_broken : R.drawable.ic_photo;
        }
        switch (state.camera) {
            case DENIED:
            case NONE:
            case IN_USE:
            case FAILED:
                return R.drawable.ic_camera_off;
            default:
                return R.drawable.ic_camera;
        }
    }

    /** Return the label of the largest button. */
    static int primary(ScreenState.Primary primary) {
        switch (primary) {
            case FREEZE:
                return R.string.freeze;
            case LIVE:
                return R.string.live;
            default:
                return R.string.photo;
        }
    }

    /** Return the picture on it. */
    static int primaryIcon(ScreenState.Primary primary) {
        switch (primary) {
            case FREEZE:
                return R.drawable.ic_freeze;
            case LIVE:
                return R.drawable.ic_camera;
            default:
                return R.drawable.ic_photo;
        }
    }

    /** Return what a list says of one of the user's own models: size, accuracy, kernels. */
    static String of(Context context, ModelStore.Own model) {
        Resources resources = context.getResources();
        String right = Double.isNaN(model.top1) ? resources.getString(R.string.own_top1_unknown)
                : resources.getString(R.string.own_top1, 100 * model.top1);
        String added = model.added == 0 ? "" : "\n" + resources.getString(R.string.own_added,
                DateFormat.getDateFormat(context).format(new Date(model.added)), model.labels);
        return resources.getString(R.string.own_model, Formatter.formatShortFileSize(context, model.bytes),
                model.classes, right) + updated(resources, model) + added;
    }

    private static String updated(Resources resources, ModelStore.Own model) {
        return model.product.isEmpty() ? "" : "\n" + resources.getString(R.string.own_version, model.version, model.product);
    }

    private static int message(ScreenState.Message message) {
        switch (message) {
            case NO_MODEL:
                return R.string.message_no_model;
            case MODEL_NOT_TFLITE:
                return R.string.message_not_tflite;
            case MODEL_DAMAGED:
                return R.string.message_damaged;
            case MODEL_NOT_QUANTIZED:
                return R.string.message_not_quantized;
            case MODEL_LABELS:
                return R.string.message_labels;
            case MODEL_PREPROCESS:
                return R.string.message_preprocess;
            case MODEL_TOO_LARGE:
                return R.string.message_too_large;
            case MODELS_FULL:
                return R.string.message_models_full;
            case UPDATE_NO_KEY:
                return R.string.message_update_no_key;
            case UPDATE_FORMAT:
                return R.string.message_update_format;
            case UPDATE_KEY:
                return R.string.message_update_key;
            case UPDATE_SIGNATURE:
                return R.string.message_update_signature;
            case UPDATE_MODEL:
                return R.string.message_update_model;
            case UPDATE_NETWORK:
                return R.string.message_update_network;
            case UPDATE_VERSION:
                return R.string.message_update_version;
            case UPDATE_DAMAGED:
                return R.string.message_update_damaged;
            case NO_UPDATE:
                return R.string.message_no_update;
            case MODEL_UNREADABLE:
                return R.string.message_unreadable;
            case ENGINE_FAILED:
                return R.string.message_engine;
            case PHOTO_TOO_LARGE:
                return R.string.message_photo_too_large;
            case PHOTO_REDUCED:
                return R.string.message_photo_reduced;
            case PHOTO_READING:
                return R.string.message_photo_reading;
            case MODEL_READING:
                return R.string.message_model_reading;
            case PHOTO_WAITING:
                return R.string.message_photo_waiting;
            case MODEL_WAITING:
                return R.string.message_model_waiting;
            case NOT_ANSWERED:
                return R.string.message_not_answered;
            case FAST_ONLY:
                return R.string.message_fast_only;
            case EXACT_ONLY:
                return R.string.message_exact_only;
            case FAST_FAILED:
                return R.string.message_fast_failed;
            default:
                return R.string.message_photo_unreadable;
        }
    }

    private static int camera(ScreenState.Camera camera) {
        switch (camera) {
            case ASKING:
                return R.string.camera_asking;
            case RATIONALE:
                return R.string.camera_rationale;
            case DENIED:
                return R.string.camera_denied;
            case OPENING:
                return R.string.camera_opening;
            case IN_USE:
                return R.string.camera_in_use;
            case NONE:
                return R.string.camera_none;
            case FAILED:
                return R.string.camera_failed;
            default:
                return 0;
        }
    }

    /** Return the label of the button for trouble; 0 for no button. */
    static int action(ScreenState.Action action) {
        switch (action) {
            case ALLOW_CAMERA:
                return R.string.action_allow;
            case OPEN_SETTINGS:
                return R.string.action_settings;
            case RETRY_CAMERA:
            case RETRY_MODEL:
                return R.string.action_retry;
            case GIVE_UP:
                return R.string.action_give_up;
            default:
                return 0;
        }
    }
}
