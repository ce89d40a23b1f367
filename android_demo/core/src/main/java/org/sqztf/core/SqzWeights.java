package org.sqztf.core;

import java.util.Arrays;
import java.util.List;

/** Blocks of weights of packs in their own coding (docs/formats/sqz.md, "Weights"). */
final class SqzWeights {
    private static final int LARGEST_KERNEL = 256; // places; a larger one has one place and more inputs
    private static final int FEWEST_AT_A_PLACE = 64; // so has one with fewer weights at each
    private static final int LARGEST_CLASS = 32;
    private static final int KEPT = 800; // counts in a context that outlive a layer
    private static final int OWN = 20; // weight of a weight's level against that of its neighbours
    private static final int LEVELS = 32;
    private static final int[] MEANS = {
        64, 81, 102, 128, 161, 203, 256, 323, 406, 512, 645, 813, 1024, 1290, 1625, 2048, 2580, 3251, 4096, 5161, 6502,
        8192, 10321, 13004, 16384, 20643, 26008, 32768, 41285, 52016, 65536, 82570
    };
    private static final int[] BOUNDS = {
        72, 91, 114, 144, 181, 228, 287, 362, 456, 575, 724, 912, 1149, 1448, 1825, 2299, 2896, 3649, 4598, 5793, 7298,
        9195, 11585, 14596, 18390, 23170, 29193, 36781, 46341, 58386, 73562
    };
    /** Places before a place, and what they count: rows up, columns left, weight. */
    private static final int[][] NEIGHBOURS = {
        {0, 1, 3}, {1, 0, 3}, {1, 1, 2}, {1, -1, 2}, {0, 2, 1}, {2, 0, 1}, {1, 2, 1}, {1, -2, 1}
    };
    private static final int SIGNS = 9; // contexts of a sign
    private static final byte NONE = -1; // where a weight has no sign
    private static final int TOKENS = 32;
    /** The first magnitude of each token, and how many digits are added; the last three are not used. */
    private static final int[] FIRST = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 0, 0, 0
    };
    private static final int[] DIGITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 0, 0, 0, 0
    };
    private static final int USED = 29;
    private static final int LARGEST = 128;
    private static final int PRIOR = 512;

    private final SqzBits side;
    private final SqzLanes coder;
    private final SqzLanes.Table magnitudes = new SqzLanes.Table(prior(), TOKENS, 1024, true);
    private final SqzLanes.Table signs;

    // The layer that is decoded: its form, classes and weights, and of one place the level, token and lean of each.
    private int rows;
    private int height;
    private int width;
    private int inner;
    private int level;
    private int[] rowClasses;
    private int[] placeClasses;
    private int[] innerClasses;
    private short[] layer;
    private byte[] levels;
    private byte[] tokens;
    private byte[] leans;

    private SqzWeights(SqzBits side, SqzLanes coder) {
        this.side = side;
        this.coder = coder;
        int[] equal = new int[2 * SIGNS];
        Arrays.fill(equal, 1);
        signs = new SqzLanes.Table(equal, 2, 128, false);
    }

    /** Return counts of tokens that fall geometrically with the mean of each level. */
    private static int[] prior() {
        int[] counts = new int[LEVELS * TOKENS];
        Arrays.fill(counts, 1);
        for (int level = 0; level < LEVELS; level++) {
            long[] shares = new long[USED];
            long total = 0;
            long weight = 1 << 30;
            int token = 0;
            for (int magnitude = 0; magnitude <= LARGEST; magnitude++) {
                token += token + 1 < USED && magnitude == FIRST[token + 1] ? 1 : 0;
                shares[token] += weight;
                total += weight;
                weight = weight * MEANS[level] / (MEANS[level] + 1024);
            }
            for (int i = 0; i < USED; i++) {
                counts[level * TOKENS + i] += (int) (PRIOR * shares[i] / total);
            }
        }
        return counts;
    }

    /** Tell whether all weights of a part are coded as if its kernel had one place. */
    private static boolean flat(SqzPack.Part part) {
        return (long) part.height * part.width > LARGEST_KERNEL || (long) part.rows * part.inner < FEWEST_AT_A_PLACE;
    }

    /** Return how many places the kernel of a part has, as it is coded. */
    static int places(SqzPack.Part part) {
        return flat(part) ? 1 : part.height * part.width;
    }

    /** Restore the layers of the block that is in {@code data} from {@code at} to {@code end} into the model. */
    static void decode(List<SqzPack.Part> parts, byte[] data, int at, int end, byte[] model)
            throws SqzModel.ModelException {
        long length = 0;
        int start = at;
        do {
            SqzPack.require(start < end && start < at + 5, "a block of weights is cut off");
            length |= (data[start] & 0x7FL) << 7 * (start - at);
        } while (data[start++] < 0);
        SqzPack.require(length < end - start, "a block of weights is cut off");
        int lanes = start + (int) length;
        SqzWeights block = new SqzWeights(new SqzBits(data, start, lanes), new SqzLanes(data, lanes, end));
        int count = 0;
        for (SqzPack.Part part : parts) {
            count += part.count();
        }
        int fewest = 1 << Math.min(7, 32 - Integer.numberOfLeadingZeros(count >> 12));
        SqzPack.require(block.coder.lanes >= fewest, "a block of weights has too few lanes");
        for (SqzPack.Part part : parts) {
            block.decode(part);
            block.put(part, model);
        }
        block.side.finish();
        block.coder.finish();
    }

    private void decode(SqzPack.Part part) throws SqzModel.ModelException {
        rows = part.rows;
        height = flat(part) ? 1 : part.height;
        width = flat(part) ? 1 : part.width;
        inner = flat(part) ? part.height * part.width * part.inner : part.inner;
        level = classes(0, 1)[0];
        rowClasses = classes(1, rows);
        placeClasses = classes(2, height * width);
        innerClasses = classes(3, inner);
        layer = new short[part.count()];
        levels = new byte[rows * inner];
        tokens = new byte[rows * inner];
        leans = new byte[rows * inner];
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                expect(y, x);
                readTokens();
                readDigits(y, x);
                readSigns(y, x);
            }
        }
        magnitudes.age(KEPT);
        signs.clear();
    }

    private int[] classes(int context, int count) throws SqzModel.ModelException {
        int[] found = new int[count];
        for (int i = 0; i < count; i++) {
            long value = side.integer(context);
            SqzPack.require(Math.abs(value) <= LARGEST_CLASS, "a class of weights is out of range");
            found[i] = (int) value;
        }
        return found;
    }

    /** Return where a weight is in {@code layer}. */
    private int at(int row, int y, int x, int input) {
        return ((row * height + y) * width + x) * inner + input;
    }

    /** Find the level of each weight of a place, and which sign its neighbours lean to. */
    private void expect(int y, int x) {
        for (int row = 0; row < rows; row++) {
            int known = level + 2 * (rowClasses[row] + placeClasses[y * width + x]);
            for (int input = 0; input < inner; input++) {
                int own = Math.max(0, Math.min(LEVELS - 1, known + 2 * innerClasses[input]));
                pull(row, y, x, input, own);
            }
        }
    }

    /** Pull a weight's own level towards the magnitudes of its neighbours. */
    private void pull(int row, int y, int x, int input, int own) {
        int sum = 0;
        int near = 0;
        int lean = 0;
        for (int[] each : NEIGHBOURS) {
            int column = x - each[1];
            if (y >= each[0] && column >= 0 && column < width) {
                int weight = layer[at(row, y - each[0], column, input)];
                sum += each[2];
                near += each[2] * Math.abs(weight);
                lean += each[2] * Integer.signum(weight);
            }
        }
        int place = row * inner + input;
        levels[place] = (byte) (sum == 0 ? own : levelOf((OWN * MEANS[own] + 1024 * near) / (OWN + sum)));
        leans[place] = (byte) lean;
    }

    private static int levelOf(int mean) {
        int found = Arrays.binarySearch(BOUNDS, mean);
        return found >= 0 ? found + 1 : -found - 1;
    }

    private void readTokens() throws SqzModel.ModelException {
        int end = 0;
        for (int start = 0; start < tokens.length; start = end) {
            end = Math.min(tokens.length, start + magnitudes.run(coder.lanes));
            coder.begin();
            for (int place = start; place < end; place++) {
                tokens[place] = (byte) coder.symbol(magnitudes, levels[place]);
            }
            for (int place = start; place < end; place++) {
                magnitudes.learn(levels[place], tokens[place]);
            }
        }
    }

    private void readDigits(int y, int x) throws SqzModel.ModelException {
        for (int digits = 2; digits <= 4; digits++) {
            coder.begin();
            for (int place = 0; place < tokens.length; place++) {
                int token = tokens[place];
                if (DIGITS[token] == digits) {
                    layer[at(place / inner, y, x, place % inner)] = (short) (FIRST[token] + coder.digits(digits));
                } else if (DIGITS[token] == 0) {
                    layer[at(place / inner, y, x, place % inner)] = (short) FIRST[token];
                }
            }
        }
    }

    private void readSigns(int y, int x) throws SqzModel.ModelException {
        int end = 0;
        for (int start = 0; start < tokens.length; start = end) {
            int left = signs.run(coder.lanes);
            coder.begin();
            for (end = start; end < tokens.length && left > 0; end++) {
                int at = at(end / inner, y, x, end % inner);
                tokens[end] = NONE;
                if (layer[at] != 0) {
                    left--;
                    tokens[end] = (byte) coder.symbol(signs, signContext(end));
                    layer[at] *= (short) ((tokens[end] != 0) != (leans[end] < 0) ? -1 : 1);
                }
            }
            for (int place = start; place < end; place++) {
                if (tokens[place] != NONE) {
                    signs.learn(signContext(place), tokens[place]);
                }
            }
        }
    }

    private int signContext(int place) {
        return Math.min(Math.abs(leans[place]), SIGNS - 1);
    }

    private void put(SqzPack.Part part, byte[] model) {
        if (!part.rowsLast) {
            for (int i = 0; i < layer.length; i++) {
                model[part.start + i] = (byte) layer[i];
            }
            return;
        }
        int to = part.start;
        for (int input = 0; input < inner; input++) {
            for (int place = 0; place < height * width; place++) {
                for (int row = 0; row < rows; row++) {
                    model[to++] = (byte) layer[at(row, place / width, place % width, input)];
                }
            }
        }
    }
}
