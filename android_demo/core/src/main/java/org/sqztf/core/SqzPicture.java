package org.sqztf.core;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;

/**
 * Turns decoded pixels into the bytes of a model's input, byte for byte as the kit does in Python and C.
 *
 * <p>Grey if the model has one channel, fit, resize by the kit's integer rule, cut, {@code pixel ^ 0x80}: the rules are in
 * docs/formats/preprocess.md. A picture is read once, row by row; nothing of its size is kept. All memory is reused,
 * so one object serves one thread.
 */
public final class SqzPicture {

    /** Pixels that can be read row by row. */
    public interface Pixels {
        /** Return the width in pixels. */
        int width();

        /** Return the height in pixels. */
        int height();

        /**
         * Read pixels of a row, from left to right. No row is asked for twice for one picture; they are asked for from the top
         * down or from the bottom up.
         *
         * @param x column of the first pixel
         * @param y the row
         * @param count how many
         * @param rgb takes one pixel an element, 0x..RRGGBB; what stands above is ignored
         */
        void read(int x, int y, int count, int[] rgb);
    }

    private static final int COEFFICIENT_BITS = 22;
    private static final int ROUND = 1 << (COEFFICIENT_BITS - 1);

    private final SqzModel model;
    private final int rowValues;
    private final int[] sums;
    private final int[] row;
    private final int[][] columns; // of a picture that lies on its side: those that are being summed
    private final ArrayDeque<int[]> spare = new ArrayDeque<>();
    private int spareValues;
    private int[] line = new int[0];
    private Taps across = new Taps(1, 1, 0, 1);
    private Taps down = new Taps(1, 1, 0, 1);

    /** Make room for the input of {@code model}. */
    public SqzPicture(SqzModel model) {
        this.model = model;
        rowValues = model.width * model.channels;
        row = new int[rowValues];
        sums = new int[model.height * rowValues];
        columns = new int[model.width][];
    }

    /**
     * Write the input of the model.
     *
     * @param pixels the decoded picture as it is stored
     * @param orientation how it must be turned, as in EXIF: 1 upright … 8; any other number is taken for 1
     * @param input takes height × width × channels bytes from its start; its position and limit do not change
     */
    public void write(Pixels pixels, int orientation, ByteBuffer input) {
        Lines lines = new Lines(pixels, orientation);
        int[] box = crop(lines.width, lines.height);
        prepare(box[2], box[3]);
        Arrays.fill(sums, 0);
        if (lines.lying) {
            addColumns(lines, box);
        } else {
            addRows(lines, box);
        }
        finish(input);
    }

    private void addRows(Lines rows, int[] box) {
        int first = 0;
        for (int y = down.begin(0); y < down.end(model.height - 1); y++) {
            rows.read(box[1] + y, box[0], box[2], line);
            if (model.channels == 1) {
                resizeGreyRow();
            } else {
                resizeColourRow();
            }
            first = addRow(y, first);
        }
    }

    /** Sum the columns of the input from stored rows, which are columns of the upright picture. */
    private void addColumns(Lines stored, int[] box) {
        Arrays.fill(columns, null);
        int first = 0;
        int next = 0;
        for (int x = across.begin(0); x < across.end(model.width - 1); x++) {
            stored.read(box[0] + x, box[1], box[3], line);
            if (model.channels == 1) {
                toGrey(down.begin(0), down.end(model.height - 1));
            }
            for (; next < model.width && across.begin(next) <= x; next++) {
                columns[next] = takeColumn(box[3] * model.channels);
            }
            for (int i = first; i < next; i += 2) {
                addColumns(x, i, Math.min(i + 1, next - 1));
            }
            for (; first < next && across.end(first) == x + 1; first++) {
                resizeColumn(first, columns[first]);
                spare.push(columns[first]);
            }
        }
    }

    private int[] takeColumn(int values) {
        if (values != spareValues) {
            spare.clear();
            spareValues = values;
        }
        int[] column = spare.isEmpty() ? new int[values] : spare.pop();
        Arrays.fill(column, ROUND);
        return column;
    }

    /** Add a line to two columns, or to one where they are the same; most lines count for two. */
    private void addColumns(int x, int i, int j) {
        int[] one = columns[i];
        int[] other = columns[j];
        int c = across.coefficients[across.start[i] + x - across.begin(i)];
        int d = i == j ? 0 : across.coefficients[across.start[j] + x - across.begin(j)];
        int from = down.begin(0);
        int to = down.end(model.height - 1);
        if (model.channels == 1) {
            for (int y = from; y < to; y++) {
                one[y] += c * line[y];
                other[y] += d * line[y];
            }
            return;
        }
        for (int y = from, at = 3 * from; y < to; y++, at += 3) {
            int p = line[y];
            int red = p >> 16 & 0xFF;
            int green = p >> 8 & 0xFF;
            int blue = p & 0xFF;
            one[at] += c * red;
            one[at + 1] += c * green;
            one[at + 2] += c * blue;
            other[at] += d * red;
            other[at + 1] += d * green;
            other[at + 2] += d * blue;
        }
    }

    private void resizeColumn(int x, int[] column) {
        int channels = model.channels;
        for (int at = channels * down.begin(0); at < channels * down.end(model.height - 1); at++) {
            column[at] = Math.min(255, column[at] >> COEFFICIENT_BITS);
        }
        for (int i = 0; i < model.height; i++) {
            for (int j = down.begin(i), k = down.start[i]; j < down.end(i); j++, k++) {
                for (int channel = 0; channel < channels; channel++) {
                    sums[(i * model.width + x) * channels + channel] += down.coefficients[k] * column[j * channels + channel];
                }
            }
        }
    }

    /**
     * Return the part of a picture that is looked at: left, top, width, height.
     *
     * @param width width of the upright picture
     * @param height height of the upright picture
     */
    public int[] crop(int width, int height) {
        if (!model.centreCrop) {
            return new int[] {0, 0, width, height};
        }
        long a = model.resizeWidth;
        long b = model.resizeHeight;
        boolean wide = width * b > height * a;
        int w = wide ? (int) Math.max(1, height * a / b) : width;
        int h = wide ? height : (int) Math.max(1, width * b / a);
        return new int[] {(width - w) / 2, (height - h) / 2, w, h};
    }

    /**
     * Return the part of a picture that reaches the model: left, top, right, bottom as fractions of its sides.
     *
     * @param width width of the upright picture
     * @param height height of the upright picture
     */
    public float[] seen(int width, int height) {
        int[] box = crop(width, height);
        float x = (float) box[2] / model.resizeWidth;
        float y = (float) box[3] / model.resizeHeight;
        float left = box[0] + x * ((model.resizeWidth - model.width) / 2);
        float top = box[1] + y * ((model.resizeHeight - model.height) / 2);
        return new float[] {
            left / width, top / height, (left + x * model.width) / width, (top + y * model.height) / height
        };
    }

    /**
     * Return pixels 0xAARRGGBB in rows without gaps, as Android's {@code Bitmap.getPixels} gives them, laid on white.
     *
     * @param argb width × height pixels, not copied
     */
    public static Pixels of(final int[] argb, final int width, final int height) {
        if (width < 1 || height < 1 || argb.length != (long) width * height) {
            throw new IllegalArgumentException(argb.length + " pixels for " + width + " × " + height);
        }
        return new Pixels() {
            @Override
            public int width() {
                return width;
            }

            @Override
            public int height() {
                return height;
            }

            @Override
            public void read(int x, int y, int count, int[] rgb) {
                for (int i = 0, at = y * width + x; i < count; i++, at++) {
                    rgb[i] = onWhite(argb[at]);
                }
            }
        };
    }

    /** Tell whether a stored row is a column of the upright picture. */
    static boolean lies(int orientation) {
        return orientation >= 5 && orientation <= 8;
    }

    /** Lay a pixel 0xAARRGGBB (not premultiplied) on white: each channel is round((c · a + 255 · (255 − a)) / 255). */
    public static int onWhite(int argb) {
        int alpha = argb >>> 24;
        if (alpha == 255) {
            return argb;
        }
        int white = 255 * (255 - alpha);
        int red = ((argb >> 16 & 0xFF) * alpha + white + 127) / 255;
        int green = ((argb >> 8 & 0xFF) * alpha + white + 127) / 255;
        int blue = ((argb & 0xFF) * alpha + white + 127) / 255;
        return 0xFF000000 | red << 16 | green << 8 | blue;
    }

    private void prepare(int width, int height) {
        int longer = Math.max(width, height);
        if (line.length < longer) {
            line = new int[longer];
        }
        if (across.inputs != width || across.outputs != model.resizeWidth) {
            across = new Taps(width, model.resizeWidth, (model.resizeWidth - model.width) / 2, model.width);
        }
        if (down.inputs != height || down.outputs != model.resizeHeight) {
            down = new Taps(height, model.resizeHeight, (model.resizeHeight - model.height) / 2, model.height);
        }
    }

    private void toGrey(int from, int to) {
        for (int i = from; i < to; i++) {
            int p = line[i];
            line[i] = (77 * (p >> 16 & 0xFF) + 150 * (p >> 8 & 0xFF) + 29 * (p & 0xFF) + 128) >> 8;
        }
    }

    private void resizeGreyRow() {
        toGrey(across.begin(0), across.end(model.width - 1));
        for (int i = 0; i < model.width; i++) {
            int sum = ROUND;
            for (int j = across.begin(i), k = across.start[i]; j < across.end(i); j++, k++) {
                sum += across.coefficients[k] * line[j];
            }
            row[i] = Math.min(255, sum >> COEFFICIENT_BITS);
        }
    }

    private void resizeColourRow() {
        for (int i = 0; i < model.width; i++) {
            int red = ROUND;
            int green = ROUND;
            int blue = ROUND;
            for (int j = across.begin(i), k = across.start[i]; j < across.end(i); j++, k++) {
                int c = across.coefficients[k];
                int p = line[j];
                red += c * (p >> 16 & 0xFF);
                green += c * (p >> 8 & 0xFF);
                blue += c * (p & 0xFF);
            }
            row[3 * i] = Math.min(255, red >> COEFFICIENT_BITS);
            row[3 * i + 1] = Math.min(255, green >> COEFFICIENT_BITS);
            row[3 * i + 2] = Math.min(255, blue >> COEFFICIENT_BITS);
        }
    }

    /** Add the row to every output row it touches; return the first output row that later ones may touch. */
    private int addRow(int y, int first) {
        while (down.end(first) <= y) {
            first++;
        }
        for (int i = first; i < model.height && down.begin(i) <= y; i++) {
            int c = down.coefficients[down.start[i] + y - down.begin(i)];
            int at = i * rowValues;
            for (int x = 0; x < rowValues; x++) {
                sums[at + x] += c * row[x];
            }
        }
        return first;
    }

    private void finish(ByteBuffer input) {
        int mask = model.pixelMask();
        for (int i = 0; i < sums.length; i++) {
            input.put(i, (byte) (Math.min(255, (sums[i] + ROUND) >> COEFFICIENT_BITS) ^ mask));
        }
    }

    /** The coefficients of one pass from {@code inputs} to {@code outputs} values, of {@code count} outputs only. */
    private static final class Taps {
        final int inputs;
        final int outputs;
        final int[] start;
        final int[] coefficients;
        private final int[] begin;

        Taps(int inputs, int outputs, int first, int count) {
            this.inputs = inputs;
            this.outputs = outputs;
            start = new int[count + 1];
            begin = new int[count];
            long reach = 2L * Math.max(inputs, outputs);
            for (int i = 0; i < count; i++) {
                begin[i] = edge(i + first, -reach, true);
                start[i + 1] = start[i] + edge(i + first, reach, false) - begin[i];
            }
            coefficients = new int[start[count]];
            for (int i = 0; i < count; i++) {
                fill(i, i + first, reach);
            }
        }

        int begin(int i) {
            return begin[i];
        }

        int end(int i) {
            return begin[i] + start[i + 1] - start[i];
        }

        /** Return the first input of the window of output i, or the first behind it. */
        private int edge(int i, long reach, boolean low) {
            long centre = (2L * i + 1) * inputs - outputs + reach;
            long j = low ? Math.floorDiv(centre, 2L * outputs) + 1 : -Math.floorDiv(-centre, 2L * outputs);
            return (int) Math.max(0, Math.min(inputs, j));
        }

        private void fill(int row, int i, long reach) {
            long total = 0;
            for (int j = begin(row); j < end(row); j++) {
                total += weight(i, j, reach);
            }
            for (int j = begin(row), k = start[row]; j < end(row); j++, k++) {
                coefficients[k] = (int) (((weight(i, j, reach) << 23) + total) / (2 * total));
            }
        }

        private long weight(int i, int j, long reach) {
            return reach - Math.abs((2L * j + 1) * outputs - (2L * i + 1) * inputs);
        }
    }

    /** Stored rows as rows of the upright picture or, where it lies on its side, as its columns. */
    private static final class Lines {
        final int width;
        final int height;
        /** Whether a line is a column of the upright picture. */
        final boolean lying;
        private final Pixels pixels;
        private final boolean lastFirst;
        private final boolean backwards;

        Lines(Pixels pixels, int orientation) {
            this.pixels = pixels;
            lying = lies(orientation);
            width = lying ? pixels.height() : pixels.width();
            height = lying ? pixels.width() : pixels.height();
            lastFirst = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
            backwards = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
        }

        /** Read a line from {@code start} on, both counted in the upright picture. */
        void read(int number, int start, int count, int[] rgb) {
            int stored = lastFirst ? pixels.height() - 1 - number : number;
            pixels.read(backwards ? pixels.width() - start - count : start, stored, count, rgb);
            for (int i = 0, j = count - 1; backwards && i < j; i++, j--) {
                int held = rgb[i];
                rgb[i] = rgb[j];
                rgb[j] = held;
            }
        }
    }
}
