package org.sqztf.demo;

import android.os.Build;
import android.view.View;
import android.view.ViewGroup;
import android.widget.TextView;
import org.sqztf.demo.newer.Words33;

/** How lines of text end. */
final class Words {
    private Words() {}

    /** Break no word of the texts in a view where the system can help it. */
    static void keepWhole(View view) {
        if (Build.VERSION.SDK_INT < 33) {
            return;
        }
        if (view instanceof TextView) {
            Words33.keepWhole((TextView) view);
        } else if (view instanceof ViewGroup) {
            ViewGroup group = (ViewGroup) view;
            for (int i = 0; i < group.getChildCount(); i++) {
                keepWhole(group.getChildAt(i));
            }
        }
    }
}
