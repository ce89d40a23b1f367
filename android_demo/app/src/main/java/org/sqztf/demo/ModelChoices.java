package org.sqztf.demo;

import android.view.View;
import android.view.ViewGroup;
import android.widget.RadioButton;
import org.sqztf.core.Screen;
import org.sqztf.core.ScreenState;

/** The models that can be chosen, one row each, in the place that the sheet of controls has for them. */
final class ModelChoices {
    private final Screen screen;

    ModelChoices(Screen screen) {
        this.screen = screen;
    }

    /**
     * Show them.
     *
     * @param place takes one view for each, from top to bottom; empty at first, and the same until the sheet is closed
     * @param state called again whenever it has changed
     */
    void show(ViewGroup place, ScreenState state) {
        while (place.getChildCount() < state.models.size()) {
            addRow(place, place.getChildCount());
        }
        int left = state.models.size();
        place.removeViews(left, place.getChildCount() - left);
        for (int i = 0; i < state.models.size(); i++) {
            RadioButton row = (RadioButton) place.getChildAt(i);
            ScreenView.showText(row, state.models.get(i));
            row.setChecked(i == state.model);
        }
    }

    private void addRow(ViewGroup place, final int index) {
        View.inflate(place.getContext(), R.layout.choice, place);
        View row = place.getChildAt(index);
        row.setSaveEnabled(false);
        row.setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                screen.chooseModel(index);
            }
        });
    }
}
