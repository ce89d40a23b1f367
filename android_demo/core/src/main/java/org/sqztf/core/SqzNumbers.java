package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** Scales and biases of packs in their own coding (docs/formats/sqz.md, "Scales" and "Biases"). */
final class SqzNumbers {
    private static final int PLAIN = 0;
    private static final int GRID = 1;
    private static final int PRODUCT = 2;

    // Contexts of numbers.
    private static final int MODE = 0;
    private static final int REFERENCE = 1;
    private static final int FIRST = 2;
    private static final int EXPONENT = 3;
    private static final int DIFFERENCE = 4;
    private static final int FIELD = 5;
    private static final int SHIFT = 6;
    private static final int SIZE = 7;

    private static final double[] ROOTS = {
        1, 0x1.306fe0a31b715p+0, 0x1.6a09e667f3bcdp+0, 0x1.ae89f995ad3adp+0
    };
    private static final int MOST_EXPONENT = 1023;

    /** Scales that follow from others: known once those are. */
    private static final class Product {
        int reference;
        double factor;
        long[] differences;
    }

    private SqzNumbers() {}

    /** Restore vectors of scales into the model. */
    static void scales(List<SqzPack.Part> parts, SqzBits coder, byte[] model) throws SqzModel.ModelException {
        ByteBuffer out = ByteBuffer.wrap(model).order(ByteOrder.LITTLE_ENDIAN);
        Product[] products = new Product[parts.size()];
        for (int number = 0; number < products.length; number++) {
            long mode = coder.integer(MODE);
            SqzPack.require(mode == PLAIN || mode == GRID || mode == PRODUCT, "scales are made by an unknown rule");
            if (mode == PLAIN) {
                plain(parts.get(number), coder, out);
            } else if (mode == GRID) {
                grid(parts.get(number), coder, out);
            } else {
                products[number] = product(number, parts, coder);
            }
        }
        coder.finish();
        for (int number = 0; number < products.length; number++) {
            if (products[number] != null) {
                SqzPack.require(products[products[number].reference] == null, "scales follow from some that follow");
                multiply(products[number], parts.get(products[number].reference), parts.get(number), out);
            }
        }
    }

    private static void plain(SqzPack.Part part, SqzBits coder, ByteBuffer out) throws SqzModel.ModelException {
        long before = 0;
        for (int i = 0; i < part.rows; i++) {
            before += coder.integer(FIELD);
            SqzPack.require(before >= 0 && before < 512, "a scale has an impossible exponent");
            out.putInt(part.start + 4 * i, (int) (before << 23 | coder.plain(23)));
        }
    }

    private static void grid(SqzPack.Part part, SqzBits coder, ByteBuffer out) throws SqzModel.ModelException {
        double base = Float.intBitsToFloat((int) coder.plain(32));
        long middle = coder.integer(FIRST);
        for (int i = 0; i < part.rows; i++) {
            long exponent = middle + coder.integer(EXPONENT);
            SqzPack.require(Math.abs(exponent) <= MOST_EXPONENT, "a scale has an impossible exponent");
            float scale = (float) Math.scalb(base * ROOTS[(int) exponent & 3], (int) exponent >> 2);
            out.putInt(part.start + 4 * i, Float.floatToRawIntBits(scale));
        }
    }

    private static Product product(int number, List<SqzPack.Part> parts, SqzBits coder)
            throws SqzModel.ModelException {
        Product found = new Product();
        long reference = number + coder.integer(REFERENCE);
        SqzPack.require(reference >= 0 && reference < parts.size()
                && parts.get((int) reference).rows == parts.get(number).rows, "scales follow from no others");
        found.reference = (int) reference;
        found.factor = Float.intBitsToFloat((int) coder.plain(32));
        found.differences = new long[parts.get(number).rows];
        for (int i = 0; i < found.differences.length; i++) {
            found.differences[i] = coder.integer(DIFFERENCE);
        }
        return found;
    }

    private static void multiply(Product product, SqzPack.Part from, SqzPack.Part to, ByteBuffer out) {
        for (int i = 0; i < product.differences.length; i++) {
            double scale = Float.intBitsToFloat(out.getInt(from.start + 4 * i));
            int pattern = Float.floatToRawIntBits((float) (scale * product.factor));
            out.putInt(to.start + 4 * i, (int) (pattern + product.differences[i]));
        }
    }

    /**
     * Restore vectors of biases into the model.
     *
     * @param scales all scales of the pack, which are there already
     */
    static void biases(List<SqzPack.Part> parts, List<SqzPack.Part> scales, SqzBits coder, byte[] model)
            throws SqzModel.ModelException {
        ByteBuffer out = ByteBuffer.wrap(model).order(ByteOrder.LITTLE_ENDIAN);
        for (SqzPack.Part part : parts) {
            long link = coder.integer(REFERENCE);
            SqzPack.require(link == -1 || link >= 0 && link < scales.size()
                    && scales.get((int) link).rows == part.rows, "biases have no such scales");
            biases(part, link < 0 ? null : scales.get((int) link), coder, out);
        }
        coder.finish();
    }

    private static void biases(SqzPack.Part part, SqzPack.Part scales, SqzBits coder, ByteBuffer out)
            throws SqzModel.ModelException {
        long coarse = coder.integer(SHIFT);
        int average = 16 * (8 + field(scales, 0, out));
        for (int i = 0; i < part.rows; i++) {
            int field = field(scales, i, out);
            int shift = (int) Math.min(Math.max(0, coarse - field), 31);
            long value = coder.sized(SIZE, Math.max(0, (average >> 4) - field - shift));
            int digits = 64 - Long.numberOfLeadingZeros(Math.abs(value));
            average += 16 * (digits + shift + field) - average >> 3;
            long bias = value << shift; // below 2^63
            SqzPack.require(bias == (int) bias, "a bias does not fit 32 bits");
            out.putInt(part.start + 4 * i, (int) bias);
        }
    }

    /** Return the bits of a scale's exponent. */
    private static int field(SqzPack.Part scales, int place, ByteBuffer model) {
        return scales == null ? 0 : model.getInt(scales.start + 4 * place) >> 23 & 0xFF;
    }
}
