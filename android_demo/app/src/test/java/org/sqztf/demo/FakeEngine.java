package org.sqztf.demo;

import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import org.sqztf.core.Engine;

/** An engine that computes nothing. */
class FakeEngine implements Engine {
    private final boolean fast;

    FakeEngine(boolean fast) {
        this.fast = fast;
    }

    static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    @Override
    public boolean fast() {
        return fast;
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) {}

    @Override
    public void close() {}
}
