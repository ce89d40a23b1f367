package org.sqztf.demo;

import org.junit.runners.model.FrameworkMethod;
import org.junit.runners.model.InitializationError;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.internal.bytecode.InstrumentationConfiguration;

/** Robolectric, with the classes of native libraries left outside: these can be loaded once only. */
public final class Runner extends RobolectricTestRunner {
    public Runner(Class<?> tests) throws InitializationError {
        super(tests);
    }

    @Override
    protected InstrumentationConfiguration createClassLoaderConfig(FrameworkMethod method) {
        return new InstrumentationConfiguration.Builder(super.createClassLoaderConfig(method))
                .doNotAcquirePackage("org.bytedeco.").doNotAcquirePackage("org.sqztf.core.").build();
    }
}
