package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** The interleaved rANS decoders of packs (docs/formats/sqz.md, "Symbols" and "Tables"). */
final class SqzLanes {
    private static final int BITS = 14;
    private static final int WHOLE = 1 << BITS;
    private static final int LOWEST = 1 << 16; // of a state; where a decoder ends
    private static final int MOST_LANES_LOG2 = 10;

    final int lanes;
    private final ByteBuffer data;
    private final int end;
    private final long[] states;
    private int next;
    private int lane;

    /** Read {@code data} from {@code at} to {@code end}: a byte that tells how many lanes, states and words. */
    SqzLanes(byte[] data, int at, int end) throws SqzModel.ModelException {
        SqzPack.require(at < end, "a block of weights is cut off");
        SqzPack.require(data[at] >= 0 && data[at] <= MOST_LANES_LOG2, "a block of weights has too many lanes");
        this.data = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        this.end = end;
        lanes = 1 << data[at];
        states = new long[lanes];
        next = at + 1 + 4 * lanes;
        SqzPack.require(next <= end && (end - next) % 2 == 0, "a block of weights holds no whole states and words");
        for (int i = 0; i < lanes; i++) {
            states[i] = this.data.getInt(at + 1 + 4 * i) & 0xFFFFFFFFL;
            SqzPack.require(states[i] >= LOWEST, "a state of the coder is too small");
        }
    }

    /** Begin a run of symbols. */
    void begin() {
        lane = 0;
    }

    /** Return the next symbol of a context, by the table's shares. */
    int symbol(Table table, int context) throws SqzModel.ModelException {
        table.share(context);
        int slot = (int) states[lane] & WHOLE - 1;
        int low = context * (table.symbols + 1);
        int first = low;
        int last = low + table.symbols - 1;
        while (first < last) { // the last symbol whose share begins at the slot or before
            int middle = first + last + 1 >> 1;
            if (table.edges[middle] <= slot) {
                first = middle;
            } else {
                last = middle - 1;
            }
        }
        take(table.edges[first], table.edges[first + 1], slot);
        return first - low;
    }

    /** Return the next symbol of 2^{@code count} equal shares. */
    int digits(int count) throws SqzModel.ModelException {
        int slot = (int) states[lane] & WHOLE - 1;
        int symbol = slot >> BITS - count;
        take(symbol << BITS - count, symbol + 1 << BITS - count, slot);
        return symbol;
    }

    private void take(int low, int high, int slot) throws SqzModel.ModelException {
        long state = (high - low) * (states[lane] >> BITS) + slot - low;
        if (state < LOWEST) {
            SqzPack.require(next < end, "the coded weights end too early");
            state = state << 16 | data.getShort(next) & 0xFFFF;
            next += 2;
        }
        states[lane] = state;
        lane = lane + 1 == lanes ? 0 : lane + 1;
    }

    /** Make sure that the end is where an encoder begins. */
    void finish() throws SqzModel.ModelException {
        SqzPack.require(next == end, "the coded weights are longer than the weights");
        for (long state : states) {
            SqzPack.require(state == LOWEST, "the coded weights end in another state");
        }
    }

    /** The symbols' shares in each context, which follow what was decoded, run by run. */
    static final class Table {
        private static final int STEP = 20; // what a symbol counts
        private static final int LONGEST_RUN = 4096;

        final int symbols;
        final int[] edges;
        private final int[] prior;
        private final int[] counts;
        private final int belief;
        private final boolean ordered;
        private final long[] near; // of the context that is shared out
        private final int[] shared; // the run that a context's shares are of
        private int runs;
        private int seen;

        /**
         * Begin with nothing seen.
         *
         * @param prior in proportion to the shares of symbols, context by context
         * @param belief what the counts that are believed beforehand sum up to
         * @param ordered whether neighbouring contexts are alike
         */
        Table(int[] prior, int symbols, int belief, boolean ordered) {
            this.prior = prior;
            this.symbols = symbols;
            this.belief = belief;
            this.ordered = ordered;
            counts = new int[prior.length];
            near = new long[symbols];
            shared = new int[prior.length / symbols];
            edges = new int[prior.length / symbols * (symbols + 1)];
        }

        /** Begin a run, whose shares follow from what was learned; return how many symbols it has, if there are so many. */
        int run(int lanes) {
            runs++;
            return lanes * Math.max(1, Math.min(seen >> 4, LONGEST_RUN) / lanes);
        }

        /** Make the shares of a context, unless it has them in this run. */
        private void share(int context) {
            if (shared[context] == runs) {
                return;
            }
            shared[context] = runs;
            long sum = 0;
            for (int s = 0; s < symbols; s++) {
                int at = context * symbols + s;
                near[s] = prior[at];
                near[s] += ordered && at >= symbols ? counts[at - symbols] : 0;
                near[s] += ordered && at + symbols < counts.length ? counts[at + symbols] : 0;
                sum += near[s];
            }
            long total = 0;
            for (int s = 0; s < symbols; s++) {
                near[s] = counts[context * symbols + s] + near[s] * belief / sum + 1;
                total += near[s];
            }
            long reached = 0;
            for (int s = 0; s < symbols; s++) {
                reached += near[s];
                edges[context * (symbols + 1) + s + 1] = (int) (reached * (WHOLE - symbols) / total) + s + 1;
            }
        }

        /** Count a symbol of a run that has ended. */
        void learn(int context, int symbol) {
            counts[context * symbols + symbol] += STEP;
            seen++;
        }

        /** Let what was learned count for at most so much in each context. */
        void age(int most) {
            for (int from = 0; from < counts.length; from += symbols) {
                long total = 0;
                for (int at = from; at < from + symbols; at++) {
                    total += counts[at];
                }
                for (int at = from; total > most && at < from + symbols; at++) {
                    counts[at] = (int) ((long) counts[at] * most / total);
                }
            }
            seen = 0;
        }

        /** Forget what was seen. */
        void clear() {
            Arrays.fill(counts, 0);
            seen = 0;
        }
    }
}
