package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.Before;
import org.junit.Test;

/** The benchmark: both kinds of kernels, one that is not there, one that fails, and a person who has seen enough. */
public class BenchTest {
    private final List<BenchState> seen = new ArrayList<>();
    private SqzModel model;
    private int closed;

    @Before
    public void aModelIsThere() throws Exception {
        assumeNotNull(System.getProperty(SqzModelTest.FOLDER));
        model = new SqzModel(SqzModelTest.file("GOOD-int8.tflite"));
    }

    private Engine engine(boolean fast, RuntimeException fault) {
        return new Engine() {
            @Override
            public void run(ByteBuffer input, ByteBuffer output) {
                if (fault != null) {
                    throw fault;
                }
            }

            @Override
            public boolean fast() {
                return fast;
            }

            @Override
            public void close() {
                closed++;
            }
        };
    }

    /** Makes engines. */
    private interface Opener {
        Engine open(boolean fast);
    }

    private BenchJob job(Opener opener, BenchJob.Watcher watcher) {
        return new BenchJob(new BenchJob.Loaded() {
            @Override
            public SqzModel model() {
                return model;
            }

            @Override
            public String name() {
                return "birds";
            }

            @Override
            public Engine open(boolean fast) {
                return opener.open(fast);
            }
        }, watcher);
    }

    private BenchState last() {
        return seen.get(seen.size() - 1);
    }

    @Test
    public void bothKindsAreTimed() {
        job(fast -> engine(fast, null), seen::add).run();
        assertNotNull(last().times(BenchState.FAST));
        assertEquals(Bench.RUNS, last().times(BenchState.EXACT)[Latency.TOTAL].runs);
        assertTrue(last().ratio() > 0);
        assertEquals("birds", last().model);
        assertFalse(last().isRunning());
        assertTrue(last().hasResult());
        assertEquals(2, closed);
        assertTrue(seen.get(0).isRunning());
    }

    @Test
    public void aKindThatIsNotThereIsTold() {
        job(fast -> engine(true, null), seen::add).run();
        assertTrue(last().absent(BenchState.EXACT));
        assertNull(last().times(BenchState.EXACT));
        assertFalse(last().absent(BenchState.FAST));
        assertEquals(0, last().ratio(), 0);
        assertEquals(2, closed);
    }

    @Test
    public void anEngineThatFailsIsToldAndClosed() {
        job(fast -> engine(fast, new IllegalStateException("no memory")), seen::add).run();
        assertEquals("no memory", last().fault);
        assertFalse(last().hasResult());
        assertEquals(1, closed);
    }

    @Test
    public void anErrorThatSaysNothingIsAFaultAllTheSame() {
        for (String said : new String[] {null, ""}) {
            job(fast -> engine(fast, new IllegalStateException(said)), seen::add).run();
            assertEquals("IllegalStateException", last().fault);
        }
    }

    @Test
    public void withoutAModelNothingIsTimed() {
        model = null;
        job(fast -> engine(fast, null), seen::add).run();
        assertFalse(last().hasResult());
        assertEquals("", last().fault);
    }

    @Test
    public void stoppingKeepsWhatWasMeasured() {
        BenchJob[] job = new BenchJob[1];
        job[0] = job(fast -> engine(fast, null), state -> {
            seen.add(state);
            if (state.running == BenchState.EXACT && state.done == 3) {
                job[0].stop();
            }
        });
        job[0].run();
        assertNotNull(last().times(BenchState.FAST));
        assertNull(last().times(BenchState.EXACT));
        assertFalse(last().isRunning());
    }
}
