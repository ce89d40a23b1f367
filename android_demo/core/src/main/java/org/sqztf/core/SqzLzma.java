package org.sqztf.core;

import java.util.Arrays;

/**
 * LZMA as packs have it (docs/formats/sqz.md, "LZMA"): a byte of properties and a raw LZMA1 stream.
 *
 * <p>The output is the dictionary, so nothing grows with what a stream asks for.
 */
final class SqzLzma {
    private static final int STATES = 12;
    private static final int POSITIONS = 16;
    private static final int LITERAL = 0x300; // probabilities for each context of literals
    private static final int SHORTEST = 2;
    private static final int SLOTS = 64;
    private static final int ALIGNED = 16;
    private static final int END = -1; // a distance

    /** The lengths of matches. */
    private static final class Lengths {
        final short[] choice = halves(2);
        final short[][] low = halves(POSITIONS, 8);
        final short[][] middle = halves(POSITIONS, 8);
        final short[] high = halves(256);
    }

    private final byte[] data;
    private final int end;
    private final byte[] out;
    private final int literalContext;
    private final int literalMask;
    private final int positionMask;

    private final short[] isMatch = halves(STATES * POSITIONS);
    private final short[] isRepeated = halves(STATES);
    private final short[] isSecond = halves(STATES); // not the first of the last four distances
    private final short[] isThird = halves(STATES);
    private final short[] isFourth = halves(STATES);
    private final short[] isLong = halves(STATES * POSITIONS);
    private final short[][] slots = halves(4, SLOTS);
    private final short[] special = halves(128);
    private final short[] aligned = halves(ALIGNED);
    private final short[] literals;
    private final Lengths lengths = new Lengths();
    private final Lengths repeatedLengths = new Lengths();

    private int at;
    private int written;
    private int range = -1;
    private int code;
    private boolean starved; // the stream has ended where more was needed
    private int state;
    private final int[] distances = new int[4];

    private static short[] halves(int count) {
        short[] probabilities = new short[count];
        Arrays.fill(probabilities, (short) 1024);
        return probabilities;
    }

    private static short[][] halves(int tables, int count) {
        short[][] probabilities = new short[tables][];
        for (int i = 0; i < tables; i++) {
            probabilities[i] = halves(count);
        }
        return probabilities;
    }

    private SqzLzma(byte[] data, int at, int end, byte[] out) throws SqzModel.ModelException {
        SqzPack.require(at < end, "an LZMA section is empty");
        int properties = data[at] & 0xFF;
        literalContext = properties % 9;
        int literalPosition = properties / 9 % 5;
        int position = properties / 45;
        SqzPack.require(position <= 4 && literalContext + literalPosition <= 4,
                "an LZMA section has impossible properties");
        literalMask = (1 << literalPosition) - 1;
        positionMask = (1 << position) - 1;
        literals = halves(LITERAL << literalContext + literalPosition);
        this.data = data;
        this.at = at + 1;
        this.end = end;
        this.out = out;
    }

    /**
     * Fill {@code out} from {@code data}, from {@code at} to {@code end}.
     *
     * @throws SqzModel.ModelException it stands for more or fewer bytes, or for none
     */
    static void decode(byte[] data, int at, int end, byte[] out) throws SqzModel.ModelException {
        SqzLzma decoder = new SqzLzma(data, at, end, out);
        decoder.run();
        SqzPack.require(decoder.written == out.length, "an LZMA section unpacks to fewer bytes than it says");
    }

    private void run() throws SqzModel.ModelException {
        SqzPack.require(next() == 0, "an LZMA section is damaged");
        for (int i = 0; i < 4; i++) {
            code = code << 8 | next();
        }
        boolean more = !starved;
        while (more) {
            int position = written & positionMask;
            if (bit(isMatch, state * POSITIONS + position) == 0) {
                literal();
                more = !starved;
            } else {
                more = match(position);
            }
        }
    }

    private int next() {
        starved |= at >= end;
        return at < end ? data[at++] & 0xFF : 0;
    }

    private void normalise() {
        if (range >>> 24 == 0) {
            range <<= 8;
            code = code << 8 | next();
        }
    }

    private int bit(short[] probabilities, int index) {
        normalise();
        int bound = (range >>> 11) * probabilities[index];
        if (code + Integer.MIN_VALUE < bound + Integer.MIN_VALUE) { // unsigned
            range = bound;
            probabilities[index] += (short) (2048 - probabilities[index] >> 5);
            return 0;
        }
        code -= bound;
        range -= bound;
        probabilities[index] -= (short) (probabilities[index] >> 5);
        return 1;
    }

    /** Return a number of so many bits, the highest first. */
    private int tree(short[] probabilities, int bits) {
        int found = 1;
        for (int i = 0; i < bits; i++) {
            found = found << 1 | bit(probabilities, found);
        }
        return found - (1 << bits);
    }

    /** Return a number of so many bits, the lowest first; {@code from} is where its probabilities begin. */
    private int reversed(short[] probabilities, int from, int bits) {
        int node = 1;
        int found = 0;
        for (int i = 0; i < bits; i++) {
            int bit = bit(probabilities, from + node);
            node = node << 1 | bit;
            found |= bit << i;
        }
        return found;
    }

    private int plain(int bits) {
        int found = 0;
        for (int i = 0; i < bits; i++) {
            normalise();
            range >>>= 1;
            boolean one = code + Integer.MIN_VALUE >= range + Integer.MIN_VALUE;
            code -= one ? range : 0;
            found = found << 1 | (one ? 1 : 0);
        }
        return found;
    }

    private void literal() throws SqzModel.ModelException {
        int before = written == 0 ? 0 : out[written - 1] & 0xFF;
        int context = (written & literalMask) << literalContext | before >> 8 - literalContext;
        int from = LITERAL * context;
        int symbol = 1;
        if (state >= 7) { // after a match: with an eye on the byte that would have gone on with it
            int matched = out[written - 1 - distances[0]] & 0xFF;
            int alike = 0x100;
            while (symbol < 0x100 && alike != 0) {
                matched <<= 1;
                int bit = bit(literals, from + alike + (matched & alike) + symbol);
                symbol = symbol << 1 | bit;
                alike &= bit == 0 ? ~matched : matched;
            }
        }
        while (symbol < 0x100) {
            symbol = symbol << 1 | bit(literals, from + symbol);
        }
        state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
        if (!starved) {
            SqzPack.require(written < out.length, "an LZMA section unpacks to more bytes than it says");
            out[written++] = (byte) symbol;
        }
    }

    /** Copy what was there before; tell whether the stream goes on. */
    private boolean match(int position) throws SqzModel.ModelException {
        int length;
        if (bit(isRepeated, state) == 0) {
            length = length(lengths, position);
            System.arraycopy(distances, 0, distances, 1, 3);
            distances[0] = distance(length);
            state = state < 7 ? 7 : 10;
            if (distances[0] == END && !starved) {
                normalise();
                SqzPack.require(starved || code == 0, "an LZMA section is damaged");
                return false;
            }
        } else {
            length = repeated(position);
        }
        if (!starved) {
            copy(length);
        }
        return !starved;
    }

    /** Choose one of the last four distances; return the length. */
    private int repeated(int position) {
        int chosen = 0;
        if (bit(isSecond, state) == 0) {
            if (bit(isLong, state * POSITIONS + position) == 0) {
                state = state < 7 ? 9 : 11;
                return 1;
            }
        } else {
            chosen = bit(isThird, state) == 0 ? 1 : 2 + bit(isFourth, state);
        }
        int distance = distances[chosen];
        System.arraycopy(distances, 0, distances, 1, chosen);
        distances[0] = distance;
        state = state < 7 ? 8 : 11;
        return length(repeatedLengths, position);
    }

    private int length(Lengths coder, int position) {
        if (bit(coder.choice, 0) == 0) {
            return SHORTEST + tree(coder.low[position], 3);
        }
        return SHORTEST + 8 + (bit(coder.choice, 1) == 0 ? tree(coder.middle[position], 3) : 8 + tree(coder.high, 8));
    }

    private int distance(int length) {
        int slot = tree(slots[Math.min(length - SHORTEST, 3)], 6);
        if (slot < 4) {
            return slot;
        }
        int bits = (slot >> 1) - 1;
        int high = (2 | slot & 1) << bits;
        if (slot < 14) {
            return high + reversed(special, high - slot, bits);
        }
        return high + (plain(bits - 4) << 4) + reversed(aligned, 0, 4);
    }

    private void copy(int length) throws SqzModel.ModelException {
        int from = written - 1 - distances[0];
        SqzPack.require(distances[0] >= 0 && from >= 0, "an LZMA section is damaged");
        SqzPack.require(length <= out.length - written, "an LZMA section unpacks to more bytes than it says");
        for (int i = 0; i < length; i++) {
            out[written++] = out[from++];
        }
    }
}
