package org.sqztf.demo.newer;

import android.graphics.Insets;
import android.view.WindowInsets;

/** What needs API 30; call it behind a look at {@code SDK_INT} only. */
public final class Insets30 {
    private Insets30() {}

    /** Return what the system's bars and cutouts cover: left, top, right, bottom in pixels. */
    public static int[] covered(WindowInsets insets) {
        Insets covered = insets.getInsets(WindowInsets.Type.systemBars() | WindowInsets.Type.displayCutout());
        return new int[] {covered.left, covered.top, covered.right, covered.bottom};
    }
}
