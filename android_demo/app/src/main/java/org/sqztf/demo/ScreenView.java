package org.sqztf.demo;

import android.app.Activity;
import android.content.res.ColorStateList;
import android.content.res.Resources;
import android.graphics.Bitmap;
import android.graphics.drawable.Drawable;
import android.view.View;
import android.view.ViewGroup;
import android.view.accessibility.AccessibilityNodeInfo;
import android.widget.Button;
import android.widget.ImageView;
import android.widget.TextView;
import org.sqztf.core.ScreenState;

/** Shows a state in the views of res/layout/main.xml. */
final class ScreenView {
    private final Activity activity;
    private final Resources resources;
    private final View empty;
    private final ImageView emptyIcon;
    private final TextView message;
    private final TextView note;
    private final TextView hint;
    private final TextView latency;
    private final TextView model;
    private final Button action;
    private final Button primary;
    private final View photo;
    private final ImageView still;
    private final View preview;
    private final View cover;
    private final AspectLayout box;
    private final Overlay overlay;
    private final AnswerRows answers;
    private int primaryLabel;
    private int emptyPicture;
    private Bitmap stillPicture;

    ScreenView(Activity activity) {
        this.activity = activity;
        resources = activity.getResources();
        empty = find(activity, R.id.empty);
        emptyIcon = find(activity, R.id.empty_icon);
        message = find(activity, R.id.message);
        note = find(activity, R.id.note);
        hint = find(activity, R.id.hint);
        latency = find(activity, R.id.latency);
        model = find(activity, R.id.model);
        action = find(activity, R.id.action);
        primary = find(activity, R.id.primary);
        photo = find(activity, R.id.photo);
        still = find(activity, R.id.still);
        preview = find(activity, R.id.preview);
        cover = find(activity, R.id.cover);
        box = find(activity, R.id.preview_box);
        overlay = find(activity, R.id.overlay);
        answers = new AnswerRows(ScreenView.<ViewGroup>find(activity, R.id.answers));
        speakAsButton(model);
    }

    /** Return a view; before API 26 {@code findViewById} does not know its type. */
    @SuppressWarnings("unchecked")
    static <T extends View> T find(Activity activity, int id) {
        return (T) activity.findViewById(id);
    }

    /** Let a text that can be touched be read out as what it is. */
    static void speakAsButton(View view) {
        view.setAccessibilityDelegate(new View.AccessibilityDelegate() {
            @Override
            public void onInitializeAccessibilityNodeInfo(View host, AccessibilityNodeInfo info) {
                super.onInitializeAccessibilityNodeInfo(host, info);
                info.setClassName(Button.class.getName());
            }
        });
    }

    /** Show a text, or nothing where it is empty. */
    static void showText(TextView view, String text) {
        setText(view, text);
        view.setVisibility(text.isEmpty() ? View.GONE : View.VISIBLE);
    }

    /** Set a text, unless it is there: what is set again is laid out and read out again. */
    static void setText(TextView view, String text) {
        if (!text.contentEquals(view.getText())) {
            view.setText(text);
        }
    }

    /** Show a state; {@code picture} stands still in front of the camera's, null where that is shown. */
    void show(ScreenState state, Bitmap picture) {
        showMessage(state);
        showPrimary(state);
        String name = state.models.isEmpty() ? "" : state.models.get(state.model);
        showText(model, name);
        model.setContentDescription(resources.getString(R.string.model_spoken, name));
        preview.setKeepScreenOn(state.camera == ScreenState.Camera.RUNNING);
        answers.show(state);
        showText(hint, Texts.hint(resources, state));
        showText(latency, Texts.latency(resources, state.latency));
        showPicture(state, state.source == ScreenState.Source.LIVE ? null : picture);
    }

    private void showMessage(ScreenState state) {
        String said = Texts.message(resources, state);
        boolean beside = state.hasPicture();
        showText(message, beside ? "" : said);
        message.setTextColor(activity.getColor(state.isTrouble() ? R.color.stage_trouble : R.color.on_stage));
        showText(note, beside ? said : "");
        note.setTextColor(activity.getColor(state.isTrouble() ? R.color.trouble : R.color.quiet));
        int icon = Texts.icon(state);
        if (icon != emptyPicture) {
            emptyIcon.setImageResource(icon);
            emptyPicture = icon;
        }
        int label = Texts.action(state.action());
        showText(action, label == 0 ? "" : resources.getString(label));
        empty.setVisibility(beside && label == 0 ? View.GONE : View.VISIBLE); // a model may fail while there is a picture
        emptyIcon.setVisibility(beside ? View.GONE : View.VISIBLE);
    }

    private void showPrimary(ScreenState state) {
        ScreenState.Primary does = state.primary();
        int label = Texts.primary(does);
        if (label != primaryLabel) { // frames come often, and icons cost
            Drawable icon = activity.getDrawable(Texts.primaryIcon(does));
            primary.setText(label);
            primary.setCompoundDrawablesRelativeWithIntrinsicBounds(icon, null, null, null);
            primaryLabel = label;
        }
        primary.setEnabled(does != ScreenState.Primary.FREEZE || state.latency != null);
        showRank(state.action() == ScreenState.Action.NONE);
        primary.setAlpha(primary.isEnabled() ? 1 : 0.6f);
        photo.setVisibility(does == ScreenState.Primary.PHOTO ? View.INVISIBLE : View.VISIBLE);
    }

    /** Let the largest button stand back where another is what is wanted first. */
    private void showRank(boolean first) {
        if (primary.isActivated() == first) {
            return;
        }
        primary.setActivated(first);
        int colour = activity.getColor(first ? R.color.on_accent : R.color.on_tonal);
        primary.setBackgroundResource(first ? R.drawable.button_main : R.drawable.button_tonal);
        primary.setTextColor(colour);
        primary.setCompoundDrawableTintList(ColorStateList.valueOf(colour));
    }

    private void showPicture(ScreenState state, Bitmap picture) {
        boolean live = state.source == ScreenState.Source.LIVE;
        if (picture != stillPicture) {
            still.setImageBitmap(picture);
            stillPicture = picture;
        }
        still.setVisibility(live ? View.GONE : View.VISIBLE);
        boolean seen = state.hasPicture();
        cover.setVisibility(live && !seen ? View.VISIBLE : View.GONE); // a surface keeps its last frame
        if (live) {
            overlay.show(box.ratioWidth(), box.ratioHeight(), seen ? state.seen : null);
        } else {
            overlay.show(picture == null ? 0 : picture.getWidth(), picture == null ? 0 : picture.getHeight(), state.seen);
        }
        overlay.setContentDescription(resources.getString(live ? R.string.preview : R.string.still));
        overlay.setImportantForAccessibility(
                seen ? View.IMPORTANT_FOR_ACCESSIBILITY_YES : View.IMPORTANT_FOR_ACCESSIBILITY_NO);
    }
}
