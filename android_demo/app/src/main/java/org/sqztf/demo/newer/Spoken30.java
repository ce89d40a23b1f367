package org.sqztf.demo.newer;

import android.view.View;

/** What needs API 30; call it behind a look at {@code SDK_INT} only. */
public final class Spoken30 {
    private Spoken30() {}

    /** Let this be read out as what a view is set to. */
    public static void state(View view, CharSequence said) {
        view.setStateDescription(said);
    }
}
