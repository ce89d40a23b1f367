package org.sqztf.demo;

import android.app.Activity;
import android.content.res.Resources;
import android.graphics.Bitmap;
import android.view.View;
import android.view.ViewGroup;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Button;
import android.widget.CompoundButton;
import android.widget.ImageView;
import android.widget.ProgressBar;
import android.widget.Spinner;
import android.widget.Switch;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import org.sqztf.core.Latency;
import org.sqztf.core.Screen;
import org.sqztf.core.ScreenState;
import org.sqztf.core.SqzModel;

/** Shows a state in the views of res/layout/main.xml, and tells the screen what is touched. */
final class ScreenView {
    private static final int BAR_MAX = 1000;

    private final Resources resources;
    private final TextView message;
    private final Button action;
    private final Button freeze;
    private final ViewGroup answers;
    private final TextView latency;
    private final Spinner models;
    private final Spinner threads;
    private final Switch fast;
    private final ImageView still;
    private final View preview;
    private ScreenState shown;

    ScreenView(Activity activity, final Screen screen) {
        resources = activity.getResources();
        message = find(activity, R.id.message);
        action = find(activity, R.id.action);
        freeze = find(activity, R.id.freeze);
        answers = find(activity, R.id.answers);
        latency = find(activity, R.id.latency);
        models = find(activity, R.id.model);
        threads = find(activity, R.id.threads);
        fast = find(activity, R.id.fast);
        still = find(activity, R.id.still);
        preview = find(activity, R.id.preview);
        fill(models, screen.state().models);
        fill(threads, numbers(screen.state().maxThreads));
        show(screen.state(), null);
        listen(screen);
    }

    /** Return a view; before API 26 {@code findViewById} does not know its type. */
    @SuppressWarnings("unchecked")
    static <T extends View> T find(Activity activity, int id) {
        return (T) activity.findViewById(id);
    }

    private static List<String> numbers(int last) {
        List<String> numbers = new ArrayList<>();
        for (int i = 1; i <= last; i++) {
            numbers.add(String.valueOf(i));
        }
        return numbers;
    }

    private static void fill(Spinner spinner, List<String> names) {
        ArrayAdapter<String> adapter =
                new ArrayAdapter<>(spinner.getContext(), android.R.layout.simple_spinner_item, names);
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
        spinner.setAdapter(adapter);
        spinner.setEnabled(names.size() > 1);
    }

    private void listen(final Screen screen) {
        action.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                screen.act();
            }
        });
        freeze.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                screen.freeze();
            }
        });
        models.setOnItemSelectedListener(new Chosen() {
            @Override
            void chosen(int position) {
                screen.chooseModel(position);
            }
        });
        threads.setOnItemSelectedListener(new Chosen() {
            @Override
            void chosen(int position) {
                screen.chooseThreads(position + 1);
            }
        });
        fast.setOnCheckedChangeListener(new CompoundButton.OnCheckedChangeListener() {
            @Override
            public void onCheckedChanged(CompoundButton button, boolean on) {
                screen.chooseFast(on);
            }
        });
    }

    private abstract static class Chosen implements AdapterView.OnItemSelectedListener {
        abstract void chosen(int position);

        @Override
        public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
            chosen(position);
        }

        @Override
        public void onNothingSelected(AdapterView<?> parent) {}
    }

    /** Show a state; {@code picture} stands still in front of the camera's, null where that is shown. */
    void show(ScreenState state, Bitmap picture) {
        showText(message, Texts.message(resources, state));
        int label = Texts.action(state.action());
        showText(action, label == 0 ? "" : resources.getString(label));
        freeze.setText(state.source == ScreenState.Source.LIVE ? R.string.freeze : R.string.live);
        freeze.setEnabled(state.source != ScreenState.Source.LIVE
                || (state.camera == ScreenState.Camera.RUNNING && !state.answers.isEmpty()));
        select(state);
        preview.setKeepScreenOn(state.camera == ScreenState.Camera.RUNNING);
        fast.setChecked(state.fast);
        showAnswers(state);
        showLatency(state.latency);
        showStill(state.source == ScreenState.Source.LIVE ? null : picture, state.source);
        shown = state;
    }

    /** Select what has changed only: a spinner tells of a choice later, and frames shown meanwhile must not undo it. */
    private void select(ScreenState state) {
        boolean others = shown != null && !shown.models.equals(state.models);
        if (others) {
            fill(models, state.models);
        }
        if (others || shown == null || shown.model != state.model) {
            models.setSelection(state.model);
        }
        if (shown == null || shown.threads != state.threads) {
            threads.setSelection(state.threads - 1);
        }
    }

    private static void showText(TextView view, String text) {
        if (!text.contentEquals(view.getText())) { // what is set again is read out again
            view.setText(text);
        }
        view.setVisibility(text.isEmpty() ? View.GONE : View.VISIBLE);
    }

    private void showAnswers(ScreenState state) {
        boolean still = state.source != ScreenState.Source.LIVE; // a live list would be read out without end
        answers.setAccessibilityLiveRegion(
                still ? View.ACCESSIBILITY_LIVE_REGION_POLITE : View.ACCESSIBILITY_LIVE_REGION_NONE);
        for (int i = 0; i < answers.getChildCount(); i++) {
            View row = answers.getChildAt(i);
            row.setVisibility(i < state.answers.size() ? View.VISIBLE : View.INVISIBLE);
            if (i < state.answers.size()) {
                showAnswer(row, state.answers.get(i));
            }
        }
    }

    private void showAnswer(View row, SqzModel.Answer answer) {
        float percent = 100 * answer.probability;
        ((TextView) row.findViewById(R.id.label)).setText(answer.label);
        ((TextView) row.findViewById(R.id.percent)).setText(resources.getString(R.string.percent, percent));
        ((ProgressBar) row.findViewById(R.id.bar)).setProgress(Math.round(BAR_MAX * answer.probability));
        row.setContentDescription(resources.getString(R.string.answer_spoken, answer.label, percent));
    }

    private void showLatency(Latency.Summary[] times) {
        if (times == null) {
            latency.setText("");
            return;
        }
        Object[] numbers = new Object[2 * times.length];
        for (int i = 0; i < times.length; i++) {
            numbers[2 * i] = times[i].median / 1e6;
            numbers[2 * i + 1] = times[i].p90 / 1e6;
        }
        latency.setText(resources.getString(R.string.latency, numbers));
    }

    private void showStill(Bitmap picture, ScreenState.Source source) {
        still.setImageBitmap(picture);
        still.setVisibility(source == ScreenState.Source.LIVE ? View.GONE : View.VISIBLE);
    }
}
