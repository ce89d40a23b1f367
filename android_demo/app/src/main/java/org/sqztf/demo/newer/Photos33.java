package org.sqztf.demo.newer;

import android.content.Intent;
import android.provider.MediaStore;

/** What needs API 33; call it behind a look at {@code SDK_INT} only. */
public final class Photos33 {
    private Photos33() {}

    /** Return what opens the system's photo picker, which needs no permission. */
    public static Intent picker() {
        return new Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*");
    }
}
