package org.sqztf.demo;

import android.content.res.Resources;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ProgressBar;
import android.widget.TextView;
import org.sqztf.core.Answers;
import org.sqztf.core.ScreenState;
import org.sqztf.core.SqzModel;

/** The answers, the best one large. */
final class AnswerRows {
    private static final int BAR_MAX = 1000;

    private final ViewGroup rows;
    private final Resources resources;

    AnswerRows(ViewGroup rows) {
        this.rows = rows;
        resources = rows.getResources();
    }

    void show(ScreenState state) {
        boolean still = state.source != ScreenState.Source.LIVE; // a live list would be read out without end
        rows.setAccessibilityLiveRegion(
                still ? View.ACCESSIBILITY_LIVE_REGION_POLITE : View.ACCESSIBILITY_LIVE_REGION_NONE);
        for (int i = 0; i < rows.getChildCount(); i++) {
            View row = rows.getChildAt(i);
            row.setVisibility(i < state.answers.size() ? View.VISIBLE : View.GONE);
            if (i < state.answers.size()) {
                showAnswer(row, state.answers.get(i), i == 0 ? R.string.best_spoken : R.string.answer_spoken);
            }
        }
    }

    private void showAnswer(View row, SqzModel.Answer answer, int spoken) {
        String percent = answer.probability < Answers.THRESHOLD ? resources.getString(R.string.percent_less)
                : resources.getString(R.string.percent, 100 * answer.probability);
        ScreenView.setText((TextView) row.findViewById(R.id.label), answer.label);
        ScreenView.setText((TextView) row.findViewById(R.id.percent), percent);
        ((ProgressBar) row.findViewById(R.id.bar)).setProgress(Math.round(BAR_MAX * answer.probability));
        row.setContentDescription(resources.getString(spoken, answer.label, percent));
    }
}
