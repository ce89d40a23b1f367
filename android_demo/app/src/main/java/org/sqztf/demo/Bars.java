package org.sqztf.demo;

import android.os.Build;
import android.view.View;
import android.view.WindowInsets;
import org.sqztf.demo.newer.Insets30;

/** The system's bars and cutouts, which lie over the window. */
final class Bars {
    private Bars() {}

    /** Keep what can be read and touched clear of them. */
    static void keepClear(View root) {
        root.setOnApplyWindowInsetsListener(new View.OnApplyWindowInsetsListener() {
            @Override
            public WindowInsets onApplyWindowInsets(View view, WindowInsets insets) {
                int[] covered = covered(insets);
                view.setPadding(covered[0], covered[1], covered[2], covered[3]);
                return insets;
            }
        });
    }

    @SuppressWarnings("deprecation")
    private static int[] covered(WindowInsets insets) {
        if (Build.VERSION.SDK_INT >= 30) {
            return Insets30.covered(insets);
        }
        return new int[] {
            insets.getSystemWindowInsetLeft(), insets.getSystemWindowInsetTop(),
            insets.getSystemWindowInsetRight(), insets.getSystemWindowInsetBottom()
        };
    }
}
