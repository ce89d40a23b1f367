package org.sqztf.demo;

import org.sqztf.core.Engine;
import org.sqztf.core.JvmEngine;
import org.sqztf.core.SqzModel;

/** Lets the app run models here: the phone's TFLite is a library for Android. */
final class Engines {
    private Engines() {}

    static void use() {
        Session.engines = new Session.Engines() {
            @Override
            public Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
                return new JvmEngine(file, fast);
            }
        };
    }
}
