package org.sqztf.demo;

import org.sqztf.core.Engine;
import org.sqztf.core.JvmEngine;
import org.sqztf.core.Kernels;
import org.sqztf.core.SqzModel;

/** Lets the app run models here: the package's libraries need more than a JVM has. */
final class Engines {
    private Engines() {}

    /** Run models with the package's own libraries. */
    static void useThePackages() {
        Session.engines = new Session.Engines() {
            @Override
            public Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
                return Kernels.open(file, model, threads, fast);
            }
        };
    }

    /** Run models with a runtime of the JVM. */
    static void use() {
        Session.engines = new Session.Engines() {
            @Override
            public Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
                return new JvmEngine(file, fast);
            }
        };
    }
}
