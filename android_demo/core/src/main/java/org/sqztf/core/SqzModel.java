package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * What one of the kit's {@code .tflite} files says of itself: sizes, quantization, labels, preprocessing.
 *
 * <p>Everything is read from the bytes of the file: the FlatBuffer (TensorFlow's public {@code schema.fbs}, version 3)
 * and the zip behind it with {@code labels.txt} and {@code preprocess.json}. Nothing but Java's own library is
 * needed: copy this file and {@code SqzPicture.java} into any app. The rules are in docs/formats/runtime.md.
 */
public final class SqzModel {

    /** Why a file cannot be used. */
    public enum Fault {
        NOT_TFLITE,
        DAMAGED,
        NOT_QUANTIZED,
        NO_LABELS,
        LABEL_COUNT,
        PREPROCESS,
        TOO_LARGE
    }

    /** A file that cannot be used; the message says what was received and what was expected. */
    public static final class ModelException extends Exception {
        private static final long serialVersionUID = 1L;
        public final Fault fault;

        public ModelException(Fault fault, String message) {
            super(message);
            this.fault = fault;
        }
    }

    /** One class of the answer. Two classes may have the same label (ImageNet has two cranes): key by index. */
    public static final class Answer {
        public final int index;
        public final String label;
        public final float probability;

        public Answer(int index, String label, float probability) {
            this.index = index;
            this.label = label;
            this.probability = probability;
        }

        @Override
        public String toString() {
            return index + " " + label + " " + probability;
        }
    }

    /** A quantized tensor: real = scale · (q − zeroPoint); {@code signed} tells int8 from uint8. */
    public static final class Port {
        public final int[] shape;
        public final boolean signed;
        public final float scale;
        public final int zeroPoint;

        Port(int[] shape, boolean signed, float scale, int zeroPoint) {
            this.shape = shape;
            this.signed = signed;
            this.scale = scale;
            this.zeroPoint = zeroPoint;
        }

        /** Return the number of bytes. */
        public int bytes() {
            int product = 1;
            for (int side : shape) {
                product = Math.multiplyExact(product, side);
            }
            return product;
        }
    }

    /** Bytes of each file that is read from the zip, at most: labels of a thousand classes take 40 KB. */
    public static final int LARGEST_ATTACHED = 1 << 20;
    private static final int LARGEST_SIDE = 4096;

    public final Port input;
    public final Port output;
    /** Size of the input in pixels; 1 channel is grey, 3 are R, G, B. */
    public final int width;
    public final int height;
    public final int channels;
    /** Size that pictures are resized to before the centred width × height is cut out. */
    public final int resizeWidth;
    public final int resizeHeight;
    /** True: cut the largest centred rectangle of the aspect ratio first; false: warp the whole picture. */
    public final boolean centreCrop;
    /** One name for each output. */
    public final List<String> labels;
    /** One WordNet id for each output, empty where there is none; or an empty list. */
    public final List<String> wnids;
    /** Which fraction of pictures held out was told right when it was exported, 0 to 1; NaN where it does not say. */
    public final double top1;

    /**
     * Read a model.
     *
     * @param file the whole {@code .tflite} file
     * @throws ModelException it is no whole int8 or uint8 classifier of this kit
     */
    public SqzModel(byte[] file) throws ModelException {
        FlatBuffer flat = new FlatBuffer(file);
        Map<String, byte[]> attached = Attached.read(file);
        try {
            flat.checkBuffers();
            input = flat.port(true);
            output = flat.port(false);
        } catch (IndexOutOfBoundsException | ArithmeticException error) {
            throw new ModelException(Fault.DAMAGED, "the file of " + file.length + " bytes is damaged: " + error);
        }
        checkShapes();
        height = input.shape[1];
        width = input.shape[2];
        channels = input.shape[3];
        labels = labels(attached);
        Map<String, Object> preprocess = preprocess(attached);
        centreCrop = fit(preprocess);
        resizeWidth = side(preprocess, "resize_width", width);
        resizeHeight = side(preprocess, "resize_height", height);
        wnids = wnids(preprocess);
        top1 = top1(attached);
        checkPixels(preprocess);
    }

    /** Return the number of classes. */
    public int classes() {
        return output.shape[1];
    }

    /** Return what turns a pixel 0…255 into the input byte by exclusive or: 0x80 for int8, 0 for uint8. */
    public int pixelMask() {
        return input.signed ? 0x80 : 0;
    }

    /** Return the probability that an output byte stands for. */
    public float probability(byte value) {
        int q = output.signed ? value : value & 0xFF;
        return output.scale * (q - output.zeroPoint);
    }

    /**
     * Return the best answers, best first; of equal ones the lower index comes first.
     *
     * @param scores the output's bytes, one for each class
     * @param count how many to return, at most; all if larger
     */
    public List<Answer> top(byte[] scores, int count) {
        if (scores.length != classes()) {
            throw new IllegalArgumentException("received " + scores.length + " scores, expected " + classes());
        }
        int kept = Math.min(count, scores.length);
        int[] best = new int[kept];
        int held = 0;
        for (int index = 0; index < scores.length; index++) {
            int at = held;
            while (at > 0 && level(scores[index]) > level(scores[best[at - 1]])) {
                at--;
            }
            if (at < kept) {
                held = Math.min(held + 1, kept);
                System.arraycopy(best, at, best, at + 1, held - at - 1);
                best[at] = index;
            }
        }
        List<Answer> answers = new ArrayList<>(kept);
        for (int index : best) {
            answers.add(new Answer(index, labels.get(index), probability(scores[index])));
        }
        return answers;
    }

    private int level(byte value) {
        return output.signed ? value : value & 0xFF;
    }

    private void checkShapes() throws ModelException {
        int[] in = input.shape;
        int[] out = output.shape;
        boolean good = in.length == 4 && in[0] == 1 && in[1] >= 1 && in[1] <= LARGEST_SIDE && in[2] >= 1
                && in[2] <= LARGEST_SIDE && (in[3] == 1 || in[3] == 3) && out.length == 2 && out[0] == 1 && out[1] >= 1;
        if (!good) {
            throw new ModelException(Fault.DAMAGED, "the model maps " + Arrays.toString(in) + " to "
                    + Arrays.toString(out) + "; expected [1, height, width, 1 or 3] to [1, classes]");
        }
    }

    private List<String> labels(Map<String, byte[]> attached) throws ModelException {
        byte[] data = attached.get("labels.txt");
        if (data == null) {
            throw new ModelException(Fault.NO_LABELS,
                    "the model carries no labels.txt; expected a whole file as the kit exports it");
        }
        List<String> names = lines(text(data, "labels.txt"));
        if (names.size() != classes()) {
            throw new ModelException(Fault.LABEL_COUNT,
                    "labels.txt has " + names.size() + " lines; the model has " + classes() + " outputs");
        }
        return Collections.unmodifiableList(names);
    }

    /** Split into lines; the last one may or may not end in a line feed. */
    public static List<String> lines(String text) {
        List<String> lines = new ArrayList<>(Arrays.asList(text.split("\r\n|\n|\r", -1)));
        if (lines.get(lines.size() - 1).isEmpty()) {
            lines.remove(lines.size() - 1);
        }
        return lines;
    }

    private static String text(byte[] data, String name) throws ModelException {
        try {
            CharBuffer text = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(data));
            return text.toString();
        } catch (CharacterCodingException error) {
            throw new ModelException(Fault.DAMAGED, name + " is not UTF-8");
        }
    }

    private static Map<String, Object> preprocess(Map<String, byte[]> attached) throws ModelException {
        byte[] data = attached.get("preprocess.json");
        if (data == null) {
            throw new ModelException(Fault.PREPROCESS, "the model carries no preprocess.json");
        }
        return json(data, "preprocess.json");
    }

    private static Map<String, Object> json(byte[] data, String name) throws ModelException {
        try {
            return Json.object(Json.parse(text(data, name)));
        } catch (IllegalArgumentException error) {
            throw new ModelException(Fault.PREPROCESS, name + ": " + error.getMessage());
        }
    }

    private static boolean fit(Map<String, Object> preprocess) throws ModelException {
        Object fit = preprocess.get("fit");
        if (!"warp".equals(fit) && !"centre-crop".equals(fit)) {
            throw new ModelException(Fault.PREPROCESS, "fit is " + fit + "; expected warp or centre-crop");
        }
        return "centre-crop".equals(fit);
    }

    private static int side(Map<String, Object> preprocess, String key, int least) throws ModelException {
        Object value = preprocess.get(key);
        double number = value instanceof Double ? (Double) value : Double.NaN;
        if (!(number >= least && number <= LARGEST_SIDE && number == Math.rint(number))) {
            throw new ModelException(Fault.PREPROCESS,
                    key + " is " + value + "; expected an integer from " + least + " to " + LARGEST_SIDE);
        }
        return (int) number;
    }

    private static double top1(Map<String, byte[]> attached) throws ModelException {
        byte[] data = attached.get("accuracy.json");
        Object value = data == null ? (Object) Double.NaN : json(data, "accuracy.json").get("top1");
        double number = value instanceof Double ? (Double) value : -1;
        if (number < 0 || number > 1) {
            throw new ModelException(Fault.DAMAGED, "top1 is " + value + "; expected a number from 0 to 1");
        }
        return number;
    }

    private List<String> wnids(Map<String, Object> preprocess) throws ModelException {
        Object value = preprocess.get("wnids");
        if (value == null) {
            return Collections.emptyList();
        }
        if (!(value instanceof List) || ((List<?>) value).size() != classes()) {
            throw new ModelException(Fault.PREPROCESS, "wnids is no list of " + classes() + " names");
        }
        List<String> names = new ArrayList<>();
        for (Object name : (List<?>) value) {
            names.add(String.valueOf(name));
        }
        return Collections.unmodifiableList(names);
    }

    /** Make sure that the size is the one described and that an input byte is the pixel itself, as pixels.py says. */
    private void checkPixels(Map<String, Object> preprocess) throws ModelException {
        if (side(preprocess, "width", 1) != width || side(preprocess, "height", 1) != height
                || side(preprocess, "channels", 1) != channels) {
            throw new ModelException(Fault.PREPROCESS, "preprocess.json describes " + preprocess.get("width") + " × "
                    + preprocess.get("height") + " × " + preprocess.get("channels") + " pixels; the model takes "
                    + width + " × " + height + " × " + channels);
        }
        Object step = preprocess.get("scale");
        double scale = step instanceof Double ? (Double) step : Double.NaN;
        int black = input.zeroPoint + (input.signed ? 128 : 0);
        boolean centred = black == 128;
        boolean scaled = black == 0 && Math.abs(255 * scale / input.scale - 255) < 0.5; // every pixel is whole
        if (!(input.scale > 0 && (centred || scaled))) {
            throw new ModelException(Fault.PREPROCESS, "the input has scale " + input.scale + " and zero point "
                    + input.zeroPoint + "; expected scale " + step + ", so that a pixel is a step");
        }
    }

    /** The parts of a {@code .tflite} FlatBuffer that are needed here; an offset out of bounds throws. */
    private static final class FlatBuffer {
        private static final int SUBGRAPHS = 2;
        private static final int BUFFERS = 4;
        private static final int TENSORS = 0;
        private static final int INPUTS = 1;
        private static final int OUTPUTS = 2;
        private static final byte UINT8 = 3;
        private static final byte INT8 = 9;

        private final ByteBuffer data;

        FlatBuffer(byte[] file) throws ModelException {
            data = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
            if (file.length < 8 || data.getInt(4) != 0x334C4654) { // "TFL3"
                throw new ModelException(Fault.NOT_TFLITE,
                        "the file of " + file.length + " bytes is no .tflite; expected the identifier TFL3");
            }
        }

        /** Make sure that the data of every buffer, nearly all of a model, is in the file. */
        void checkBuffers() {
            int buffers = vector(follow(0), BUFFERS);
            for (int i = 0; buffers != 0 && i < data.getInt(buffers); i++) {
                int bytes = vector(element(buffers, i), 0);
                if (bytes != 0) {
                    int length = data.getInt(bytes);
                    if (length < 0 || length > data.capacity() - 4 - bytes) {
                        throw new IndexOutOfBoundsException("buffer " + i + " ends behind the file");
                    }
                }
            }
        }

        Port port(boolean first) throws ModelException {
            int subgraphs = vector(follow(0), SUBGRAPHS);
            int graph = element(subgraphs, 0);
            int ends = vector(graph, first ? INPUTS : OUTPUTS);
            if (subgraphs == 0 || ends == 0 || data.getInt(ends) != 1) {
                throw new ModelException(Fault.DAMAGED, "expected one graph with one input and one output");
            }
            int tensor = element(vector(graph, TENSORS), data.getInt(ends + 4));
            int type = field(tensor, 1) == 0 ? 0 : data.get(field(tensor, 1));
            if (type != INT8 && type != UINT8) {
                throw new ModelException(Fault.NOT_QUANTIZED, "the " + (first ? "input" : "output") + " has type "
                        + type + "; expected int8 or uint8: bundle model_int8.tflite");
            }
            return quantized(tensor, type == INT8);
        }

        private Port quantized(int tensor, boolean signed) throws ModelException {
            int quantization = field(tensor, 4);
            int parameters = quantization == 0 ? 0 : follow(quantization);
            int scales = parameters == 0 ? 0 : vector(parameters, 2);
            int zeros = parameters == 0 ? 0 : vector(parameters, 3);
            if (scales == 0 || data.getInt(scales) != 1) {
                throw new ModelException(Fault.NOT_QUANTIZED, "a tensor at the edge has no single scale");
            }
            long zero = zeros == 0 || data.getInt(zeros) == 0 ? 0 : data.getLong(zeros + 4);
            return new Port(shape(tensor), signed, data.getFloat(scales + 4), Math.toIntExact(zero));
        }

        private int[] shape(int tensor) {
            int vector = vector(tensor, 0);
            int length = vector == 0 ? 0 : data.getInt(vector);
            if (length < 0 || length > 8) {
                throw new IndexOutOfBoundsException("a shape of " + length + " sides");
            }
            int[] shape = new int[length];
            for (int i = 0; i < shape.length; i++) {
                shape[i] = data.getInt(vector + 4 + 4 * i);
            }
            return shape;
        }

        private int follow(int at) {
            return Math.addExact(at, data.getInt(at));
        }

        private int element(int vector, int index) {
            if (vector == 0 || index < 0 || index >= data.getInt(vector)) {
                throw new IndexOutOfBoundsException("element " + index + " of a vector");
            }
            return follow(Math.addExact(vector, Math.addExact(4, Math.multiplyExact(4, index))));
        }

        /** Return where a field of a table is, 0 if it is absent. */
        private int field(int table, int position) {
            int vtable = Math.subtractExact(table, data.getInt(table));
            int slot = 4 + 2 * position;
            if (slot >= (data.getShort(vtable) & 0xFFFF)) {
                return 0;
            }
            int offset = data.getShort(vtable + slot) & 0xFFFF;
            return offset == 0 ? 0 : table + offset;
        }

        private int vector(int table, int position) {
            int at = field(table, position);
            return at == 0 ? 0 : follow(at);
        }
    }

    /** The files in the zip at the end of a {@code .tflite} that are read here; others stay packed. */
    private static final class Attached {
        private static final List<String> NEEDED = Arrays.asList("labels.txt", "preprocess.json", "accuracy.json");
        private static final int END_BYTES = 22;
        private static final int ENTRY_BYTES = 46;
        private static final int LOCAL_BYTES = 30;

        private Attached() {}

        static Map<String, byte[]> read(byte[] file) throws ModelException {
            ByteBuffer data = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
            int end = end(data);
            if (end < 0) {
                return Collections.emptyMap();
            }
            try {
                return entries(data, end);
            } catch (IndexOutOfBoundsException | DataFormatException error) {
                throw new ModelException(Fault.DAMAGED, "the attached files cannot be read: " + error);
            }
        }

        private static int end(ByteBuffer data) {
            int last = data.capacity() - END_BYTES;
            for (int at = last; at >= Math.max(0, last - 0xFFFF); at--) {
                if (data.getInt(at) == 0x06054B50) {
                    return at;
                }
            }
            return -1;
        }

        private static Map<String, byte[]> entries(ByteBuffer data, int end)
                throws ModelException, DataFormatException {
            Map<String, byte[]> files = new HashMap<>();
            int at = end - data.getInt(end + 12); // the directory lies right before the end, whatever is in front
            int base = at - data.getInt(end + 16);
            for (int left = data.getShort(end + 10) & 0xFFFF; left > 0; left--) {
                if (data.getInt(at) != 0x02014B50) {
                    throw new IndexOutOfBoundsException("no entry at " + at);
                }
                int length = data.getShort(at + 28) & 0xFFFF;
                String name = needed(data, at + ENTRY_BYTES, length);
                if (name != null && files.put(name, content(data, at, base)) != null) {
                    throw new ModelException(Fault.DAMAGED, "two attached files are called " + name);
                }
                at += ENTRY_BYTES + length + (data.getShort(at + 30) & 0xFFFF) + (data.getShort(at + 32) & 0xFFFF);
            }
            return files;
        }

        /** Return the name of an entry if its file is needed, else null. */
        private static String needed(ByteBuffer data, int at, int length) {
            for (String name : NEEDED) {
                boolean same = length == name.length();
                for (int i = 0; same && i < length; i++) {
                    same = data.get(at + i) == name.charAt(i);
                }
                if (same) {
                    return name;
                }
            }
            return null;
        }

        private static byte[] content(ByteBuffer data, int entry, int base)
                throws ModelException, DataFormatException {
            int packed = data.getInt(entry + 20);
            int size = data.getInt(entry + 24);
            int local = base + data.getInt(entry + 42);
            int start = local + LOCAL_BYTES + (data.getShort(local + 26) & 0xFFFF)
                    + (data.getShort(local + 28) & 0xFFFF);
            if (size < 0 || size > LARGEST_ATTACHED) {
                throw new ModelException(Fault.TOO_LARGE, "an attached file has " + (size & 0xFFFFFFFFL)
                        + " bytes; expected at most " + LARGEST_ATTACHED);
            }
            check(data, start, packed);
            byte[] content = data.getShort(entry + 10) != 0 ? inflated(data.array(), start, packed, size)
                    : Arrays.copyOfRange(data.array(), start, start + Math.min(packed, size));
            CRC32 sum = new CRC32();
            sum.update(content, 0, content.length);
            if (content.length != size || (int) sum.getValue() != data.getInt(entry + 16)) {
                throw new ModelException(Fault.DAMAGED, "an attached file has changed");
            }
            return content;
        }

        private static void check(ByteBuffer data, int start, int length) {
            if (start < 0 || length < 0 || length > data.capacity() - start) {
                throw new IndexOutOfBoundsException(length + " bytes at " + start);
            }
        }

        private static byte[] inflated(byte[] file, int start, int packed, int size) throws DataFormatException {
            Inflater inflater = new Inflater(true);
            try {
                inflater.setInput(file, start, packed);
                byte[] content = new byte[size];
                int got = inflater.inflate(content);
                return Arrays.copyOf(content, got);
            } finally {
                inflater.end();
            }
        }
    }

    /** JSON to Java's own types: objects are maps, arrays lists, numbers {@code Double}; the rest as it is. */
    static final class Json {
        private static final int DEEPEST = 64;
        private final String text;
        private int at;
        private int depth;

        private Json(String text) {
            this.text = text;
        }

        /**
         * Parse a whole text.
         *
         * @throws IllegalArgumentException it is no JSON
         */
        static Object parse(String text) {
            Json json = new Json(text);
            Object value = json.value();
            json.space();
            if (json.at != text.length()) {
                throw json.fault("the end");
            }
            return value;
        }

        /** Return the value as an object. */
        @SuppressWarnings("unchecked")
        static Map<String, Object> object(Object value) {
            if (!(value instanceof Map)) {
                throw new IllegalArgumentException("received " + value + ", expected an object");
            }
            return (Map<String, Object>) value;
        }

        private Object value() {
            space();
            switch (at < text.length() ? text.charAt(at) : 0) {
                case '{':
                    return object();
                case '[':
                    return array();
                case '"':
                    return string();
                case 't':
                    return word("true", Boolean.TRUE);
                case 'f':
                    return word("false", Boolean.FALSE);
                case 'n':
                    return word("null", null);
                default:
                    return number();
            }
        }

        private Map<String, Object> object() {
            Map<String, Object> map = new LinkedHashMap<>();
            open();
            while (!closes('}', map.isEmpty())) {
                space();
                String key = string();
                space();
                expect(':');
                map.put(key, value());
            }
            return map;
        }

        private List<Object> array() {
            List<Object> list = new ArrayList<>();
            open();
            while (!closes(']', list.isEmpty())) {
                list.add(value());
            }
            return list;
        }

        private void open() {
            at++;
            if (++depth > DEEPEST) {
                throw fault("at most " + DEEPEST + " levels");
            }
        }

        /** Tell whether the bracket closes here; otherwise pass the comma before another element. */
        private boolean closes(char bracket, boolean empty) {
            space();
            if (at < text.length() && text.charAt(at) == bracket) {
                at++;
                depth--;
                return true;
            }
            if (!empty) {
                expect(',');
            }
            return false;
        }

        private String string() {
            expect('"');
            StringBuilder result = new StringBuilder();
            while (at < text.length() && text.charAt(at) != '"') {
                char letter = text.charAt(at++);
                result.append(letter == '\\' ? escaped() : letter);
            }
            expect('"');
            return result.toString();
        }

        private char escaped() {
            char letter = at < text.length() ? text.charAt(at++) : 0;
            int which = "\"\\/bfnrt".indexOf(letter);
            if (letter == 'u' && at + 4 <= text.length()) {
                at += 4;
                return (char) Integer.parseInt(text.substring(at - 4, at), 16);
            }
            if (letter == 0 || which < 0) {
                throw fault("an escape");
            }
            return "\"\\/\b\f\n\r\t".charAt(which);
        }

        private Double number() {
            int start = at;
            while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            if (start == at) {
                throw fault("a value");
            }
            return Double.valueOf(text.substring(start, at));
        }

        private Object word(String word, Object value) {
            if (!text.startsWith(word, at)) {
                throw fault(word);
            }
            at += word.length();
            return value;
        }

        private void expect(char letter) {
            if (at >= text.length() || text.charAt(at) != letter) {
                throw fault("'" + letter + "'");
            }
            at++;
        }

        private void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private IllegalArgumentException fault(String expected) {
            return new IllegalArgumentException("no JSON at character " + at + ", expected " + expected);
        }
    }
}
