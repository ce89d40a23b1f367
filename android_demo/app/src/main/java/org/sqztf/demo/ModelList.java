package org.sqztf.demo;

import android.view.ViewGroup;
import org.sqztf.core.ScreenState;

/** Shows the models that can be chosen, in the place that the sheet of controls has for them. */
interface ModelList {
    /**
     * Show them.
     *
     * @param place takes one view for each, from top to bottom; empty at first, and the same until the sheet is closed
     * @param state called again whenever it has changed
     */
    void show(ViewGroup place, ScreenState state);
}
