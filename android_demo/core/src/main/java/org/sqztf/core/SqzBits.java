package org.sqztf.core;

import java.util.Arrays;

/** The adaptive binary range decoder of packs (docs/formats/sqz.md, "Binary coder"). Beyond the end it reads zeros. */
final class SqzBits {
    private static final int ONE = 1 << 16; // a probability of 1
    private static final int LEAST = 64; // of either decision
    private static final int SLOWEST = 5;
    private static final long SMALLEST_RANGE = 1 << 24;
    private static final int LONGEST = 32; // binary digits of an integer
    private static final int MODELLED = 2; // digits after the first that have contexts

    // Where the contexts of an integer's parts lie among those of its number.
    private static final int SIGN = LONGEST + 1;
    private static final int SIZED_SIGN = SIGN + 1;
    private static final int SIZED_SECOND = SIGN + 2;
    private static final int DIGITS = SIGN + 3;
    private static final int PER_NUMBER = DIGITS + 4 * (LONGEST + 1);
    private static final int NUMBERS = 8;

    private final byte[] data;
    private final int end;
    private final int[] zero = new int[NUMBERS * PER_NUMBER];
    private final byte[] seen = new byte[NUMBERS * PER_NUMBER];
    private int at;
    private long range = 0xFFFFFFFFL;
    private long code;

    /** Read {@code data} from {@code at} to {@code end}. */
    SqzBits(byte[] data, int at, int end) {
        this.data = data;
        this.at = at;
        this.end = end;
        Arrays.fill(zero, ONE / 2);
        for (int i = 0; i < 4; i++) {
            code = code << 8 | next();
        }
    }

    private int next() {
        return at < end ? data[at++] & 0xFF : 0;
    }

    private boolean decision(int context) {
        int probability = zero[context];
        long bound = (range >> 16) * Math.min(Math.max(probability, LEAST), ONE - LEAST);
        boolean one = code >= bound;
        seen[context] = (byte) Math.min(seen[context] + 1, SLOWEST);
        if (one) {
            code -= bound;
            range -= bound;
            zero[context] = probability - (probability >> seen[context]);
        } else {
            range = bound;
            zero[context] = probability + (ONE - probability >> seen[context]);
        }
        normalise();
        return one;
    }

    private void normalise() {
        while (range < SMALLEST_RANGE) {
            code = (code << 8 | next()) & 0xFFFFFFFFL;
            range = range << 8 & 0xFFFFFFFFL;
        }
    }

    /** Return the next {@code count} binary digits, at most 32, as a number. */
    long plain(int count) {
        long value = 0;
        for (int i = 0; i < count; i++) {
            range >>= 1;
            boolean one = code >= range;
            code -= one ? range : 0;
            value = value << 1 | (one ? 1 : 0);
            normalise();
        }
        return value;
    }

    /** Return the next integer in a context, of 32 binary digits and a sign at most. */
    long integer(int context) throws SqzModel.ModelException {
        int base = context * PER_NUMBER;
        int length = 0;
        while (decision(base + length)) {
            length++;
            SqzPack.require(length <= LONGEST, "a number has over 32 binary digits");
        }
        if (length == 0) {
            return 0;
        }
        boolean negative = decision(base + SIGN);
        int first = 1;
        int rest = length - 1;
        for (int i = Math.min(MODELLED, rest); i > 0; i--) {
            first = first << 1 | (decision(base + DIGITS + 4 * length + first) ? 1 : 0);
            rest--;
        }
        long magnitude = (long) first << rest | plain(rest);
        return negative ? -magnitude : magnitude;
    }

    /** Return the next integer of about {@code expected} binary digits in a context, of 32 and a sign at most. */
    long sized(int context, int expected) throws SqzModel.ModelException {
        int base = context * PER_NUMBER;
        long length = expected + integer(context);
        SqzPack.require(length >= 0 && length <= LONGEST, "a number has over 32 binary digits, or fewer than 0");
        if (length == 0) {
            return 0;
        }
        boolean negative = decision(base + SIZED_SIGN);
        long first = 1;
        if (length > 1) {
            first = decision(base + SIZED_SECOND) ? 3 : 2;
        }
        int rest = (int) Math.max(0, length - 2);
        long magnitude = first << rest | plain(rest);
        return negative ? -magnitude : magnitude;
    }

    /** Make sure that nothing is left. */
    void finish() throws SqzModel.ModelException {
        SqzPack.require(at >= end, "a section of numbers is longer than what it holds");
    }
}
