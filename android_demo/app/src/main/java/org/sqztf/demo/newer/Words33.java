package org.sqztf.demo.newer;

import android.graphics.text.LineBreakConfig;
import android.widget.TextView;

/** Since API 33. */
public final class Words33 {
    private Words33() {}

    /** Let lines end where words do, in Korean too, which may otherwise break after any syllable. */
    public static void keepWhole(TextView view) {
        view.setLineBreakWordStyle(LineBreakConfig.LINE_BREAK_WORD_STYLE_PHRASE);
    }
}
