package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;

/**
 * Packs ({@code .sqz}): the {@code .tflite} that one stands for, byte for byte as Python's {@code unpack} gives it.
 *
 * <p>The rules are in docs/formats/sqz.md. A pack may come from anyone: every length is compared with the file's before
 * memory is taken for it, and whatever is wrong ends in {@link SqzModel.ModelException}. Beside the pack and the model
 * a section is in memory at most, and ten bytes for each weight of one layer.
 */
public final class SqzPack {
    /** The most bytes of a {@code .tflite} that the format allows. */
    public static final int LARGEST = 1 << 27;

    private static final byte[] MAGIC = {(byte) 0x89, 'S', 'Q', 'Z', '\r', '\n', 0x1A, '\n'};
    private static final int VERSION = 1;
    private static final int HEADER = 48;
    private static final int ENTRY = 16;
    private static final int DIGEST = 32;
    private static final int MOST_SECTIONS = 4096;

    private static final int GRAPH = 1;
    private static final int TABLE = 2;
    private static final int WEIGHTS = 3;
    private static final int SCALES = 4;
    private static final int BIASES = 5;
    private static final int PREPROCESSING = 7;
    private static final int[] PART_KINDS = {SCALES, WEIGHTS, BIASES, 6, PREPROCESSING}; // biases follow from scales

    private static final int RAW = 0;
    private static final int LZMA = 1;
    private static final int BLOCK = 16;
    private static final int NUMBERS = 17;

    private static final int ROWS_LAST = 0x80;
    private static final int MOST_PARTS = 1 << 14;
    private static final int LONGEST_PART = 30; // bytes in the table
    private static final int LONGEST_INTEGER = 5; // bytes
    private static final int MOST_WEIGHTS = 1 << 22;
    private static final int MOST_PLACES = 1 << 14;
    private static final int MOST_NUMBERS = 1 << 20; // bytes of scales, and of biases

    /** Stored bytes: {@code parts} of a kind, {@code size} bytes when decoded. */
    private static final class Section {
        int kind;
        int coding;
        int parts;
        int at;
        int stored;
        int size;
    }

    /** An array of the {@code .tflite}: where it begins, and its form; of vectors the other sides are 1. */
    static final class Part {
        final int kind;
        final int start;
        final int rows;
        final int height;
        final int width;
        final int inner;
        final boolean rowsLast;

        Part(int kind, int start, int[] form, boolean rowsLast) {
            this.kind = kind;
            this.start = start;
            rows = form[0];
            height = form[1];
            width = form[2];
            inner = form[3];
            this.rowsLast = rowsLast;
        }

        int count() {
            return rows * height * width * inner;
        }

        int size() {
            return count() * itemBytes(kind);
        }
    }

    private final byte[] data;
    private final ByteBuffer numbers;
    private final int size;
    private final List<Section> sections = new ArrayList<>();

    private SqzPack(byte[] pack, int most) throws SqzModel.ModelException {
        data = pack;
        numbers = ByteBuffer.wrap(pack).order(ByteOrder.LITTLE_ENDIAN);
        require(is(pack), "it does not begin as a pack does");
        require(pack.length >= HEADER + DIGEST, "it ends after " + pack.length + " bytes");
        int version = numbers.getShort(8) & 0xFFFF;
        if (version != VERSION) {
            throw new SqzModel.ModelException(SqzModel.Fault.DAMAGED,
                    "the pack is of version " + version + "; expected " + VERSION + ": a newer app may read it");
        }
        size = numbers.getInt(12);
        if (size < 0 || size > Math.min(most, LARGEST)) {
            throw new SqzModel.ModelException(SqzModel.Fault.TOO_LARGE, "the pack stands for " + (size & 0xFFFFFFFFL)
                    + " bytes; expected at most " + Math.min(most, LARGEST));
        }
        require(same(sha256(pack, 0, pack.length - DIGEST), pack.length - DIGEST), "its sha256 is another");
        readSections(numbers.getShort(10) & 0xFFFF);
    }

    /** Tell whether a file begins as a pack does. */
    public static boolean is(byte[] file) {
        return file.length >= MAGIC.length && Arrays.equals(Arrays.copyOf(file, MAGIC.length), MAGIC);
    }

    /**
     * Restore the {@code .tflite} that a pack stands for.
     *
     * @param pack the whole file
     * @param most the most bytes that it may stand for; beyond {@link #LARGEST} none does
     * @throws SqzModel.ModelException it is damaged, of another version or too large
     */
    public static byte[] unpack(byte[] pack, int most) throws SqzModel.ModelException {
        return new SqzPack(pack, most).model();
    }

    /** Make sure that a pack is as it should be. */
    static void require(boolean holds, String otherwise) throws SqzModel.ModelException {
        if (!holds) {
            throw damaged(otherwise);
        }
    }

    /** Return what to throw for a damaged pack. */
    static SqzModel.ModelException damaged(String how) {
        return new SqzModel.ModelException(SqzModel.Fault.DAMAGED, "the pack is damaged: " + how);
    }

    private static int itemBytes(int kind) {
        return kind == SCALES || kind == BIASES ? 4 : 1;
    }

    private static byte[] sha256(byte[] data, int at, int length) {
        MessageDigest digest = Catalog.sha256();
        digest.update(data, at, length);
        return digest.digest();
    }

    private boolean same(byte[] digest, int at) {
        return Arrays.equals(digest, Arrays.copyOfRange(data, at, at + DIGEST));
    }

    // The container -----------------------------------------------------------------------------------------

    private void readSections(int count) throws SqzModel.ModelException {
        long at = HEADER + (long) count * ENTRY;
        if (count > MOST_SECTIONS || at + DIGEST > data.length) {
            throw damaged("its " + count + " sections do not fit in it");
        }
        for (int number = 0; number < count; number++) {
            int entry = HEADER + number * ENTRY;
            long stored = numbers.getInt(entry + 4) & 0xFFFFFFFFL;
            if (at + stored > data.length - DIGEST) {
                throw damaged("section " + number + " ends behind it");
            }
            sections.add(section(number, entry, (int) at, (int) stored));
            at += stored;
        }
        require(at == data.length - DIGEST, "it is longer than its sections");
    }

    private Section section(int number, int entry, int at, int stored) throws SqzModel.ModelException {
        Section found = new Section();
        found.kind = data[entry] & 0xFF;
        found.coding = data[entry + 1] & 0xFF;
        found.parts = numbers.getShort(entry + 2) & 0xFFFF;
        found.at = at;
        found.stored = stored;
        found.size = numbers.getInt(entry + 8);
        CRC32 sum = new CRC32();
        sum.update(data, at, stored);
        if (found.kind < GRAPH || found.kind > PREPROCESSING) {
            throw damaged("section " + number + " is of the unknown kind " + found.kind);
        }
        if ((int) sum.getValue() != numbers.getInt(entry + 12)) {
            throw damaged("section " + number + " has another CRC-32");
        }
        if (found.size < 0 || found.size > size) {
            throw damaged("section " + number + " stands for more than the whole");
        }
        return found;
    }

    private List<Section> of(int kind) {
        List<Section> found = new ArrayList<>();
        for (Section section : sections) {
            if (section.kind == kind) {
                found.add(section);
            }
        }
        return found;
    }

    private byte[] only(int kind) throws SqzModel.ModelException {
        List<Section> found = of(kind);
        if (found.size() != 1) {
            throw damaged("it has " + found.size() + " sections of kind " + kind + ", expected 1");
        }
        return general(found.get(0));
    }

    /** Return the bytes of a section that is stored as it is or by LZMA. */
    private byte[] general(Section section) throws SqzModel.ModelException {
        if (section.coding == RAW) {
            require(section.stored == section.size, "a section holds more or fewer bytes than it says");
            return Arrays.copyOfRange(data, section.at, section.at + section.stored);
        }
        if (section.coding != LZMA) {
            throw damaged("a section is in coding " + section.coding + ", which this version does not know");
        }
        byte[] content = new byte[section.size];
        SqzLzma.decode(data, section.at, section.at + section.stored, content);
        return content;
    }

    // The table of parts ------------------------------------------------------------------------------------

    private List<Part> parts(byte[] table) throws SqzModel.ModelException {
        require(table.length <= MOST_PARTS * LONGEST_PART, "the table of parts is too long");
        List<Part> parts = new ArrayList<>();
        int[] at = {0};
        long end = 0;
        while (at[0] < table.length) {
            long first = integer(table, at);
            long kind = first & ~(long) ROWS_LAST;
            require(kind >= WEIGHTS && kind <= PREPROCESSING, "a part is of an unknown kind");
            long start = end + integer(table, at);
            int[] form = {1, 1, 1, 1};
            long bytes = itemBytes((int) kind);
            for (int side = 0; side < (kind == WEIGHTS ? form.length : 1); side++) {
                long length = integer(table, at);
                require(length > 0 && length <= size && bytes * length <= size, "a part ends behind the file");
                form[side] = (int) length;
                bytes *= length;
            }
            end = start + bytes;
            require(end <= size, "a part ends behind the file");
            require(parts.size() < MOST_PARTS, "it has too many parts");
            parts.add(new Part((int) kind, (int) start, form, (first & ROWS_LAST) != 0));
        }
        return parts;
    }

    /** Return the integer at {@code at[0]} and move on; behind the end 0, which no part's side is. */
    private static long integer(byte[] table, int[] at) throws SqzModel.ModelException {
        if (at[0] == table.length) {
            return 0;
        }
        long value = 0;
        for (int i = 0; i < LONGEST_INTEGER; i++) {
            require(at[0] < table.length, "the table of parts ends within a number");
            byte next = table[at[0]++];
            value |= (next & 0x7FL) << 7 * i;
            if (next >= 0) {
                return value;
            }
        }
        throw damaged("a number in the table of parts is too long");
    }

    // The model ---------------------------------------------------------------------------------------------

    private byte[] model() throws SqzModel.ModelException {
        List<Part> parts = parts(only(TABLE));
        byte[] graph = only(GRAPH);
        long total = graph.length;
        for (Part part : parts) {
            total += part.size();
        }
        if (total != size) {
            throw damaged("its parts make " + total + " bytes, expected " + size);
        }
        checkWork(parts);
        byte[] model = new byte[size];
        putGraph(graph, parts, model);
        for (int kind : PART_KINDS) {
            restore(kind, parts, model);
        }
        require(same(sha256(model, 0, size), 16), "the .tflite it unpacks to has another sha256");
        return model;
    }

    private static void putGraph(byte[] graph, List<Part> parts, byte[] model) {
        int taken = 0;
        int end = 0;
        for (Part part : parts) {
            System.arraycopy(graph, taken, model, end, part.start - end);
            taken += part.start - end;
            end = part.start + part.size();
        }
        System.arraycopy(graph, taken, model, end, graph.length - taken);
    }

    /** Refuse what would take long to decode. */
    private void checkWork(List<Part> parts) throws SqzModel.ModelException {
        long places = 0;
        for (Part part : parts) {
            places += part.kind == WEIGHTS ? SqzWeights.places(part) : 0;
        }
        long weights = coded(WEIGHTS, BLOCK);
        require(weights < 0 || places <= MOST_PLACES, "its kernels have too many places");
        require(weights <= MOST_WEIGHTS, "it codes too many weights");
        require(coded(SCALES, NUMBERS) <= MOST_NUMBERS, "it codes too many scales");
        require(coded(BIASES, NUMBERS) <= MOST_NUMBERS, "it codes too many biases");
    }

    /** Return how many bytes of a kind are in a coding; -1 if no section is. */
    private long coded(int kind, int coding) {
        long bytes = -1;
        for (Section section : of(kind)) {
            if (section.coding == coding) {
                bytes = Math.max(0, bytes) + section.size;
            }
        }
        return bytes;
    }

    private void restore(int kind, List<Part> all, byte[] model) throws SqzModel.ModelException {
        List<Part> parts = ofKind(kind, all);
        int at = 0;
        for (Section section : of(kind)) {
            require(at + section.parts <= parts.size(), "its sections hold more parts than there are");
            List<Part> own = parts.subList(at, at + section.parts);
            long bytes = 0;
            for (Part part : own) {
                bytes += part.size();
            }
            if (section.size != bytes) {
                throw damaged("a section stands for " + section.size + " bytes, expected " + bytes);
            }
            decode(section, own, kind == BIASES ? ofKind(SCALES, all) : null, model);
            at += section.parts;
        }
        require(at == parts.size(), "its sections hold fewer parts than there are");
    }

    private static List<Part> ofKind(int kind, List<Part> all) {
        List<Part> parts = new ArrayList<>();
        for (Part part : all) {
            if (part.kind == kind) {
                parts.add(part);
            }
        }
        return parts;
    }

    private void decode(Section section, List<Part> parts, List<Part> scales, byte[] model)
            throws SqzModel.ModelException {
        int end = section.at + section.stored;
        if (section.kind == WEIGHTS && section.coding == BLOCK) {
            SqzWeights.decode(parts, data, section.at, end, model);
        } else if (section.kind == SCALES && section.coding == NUMBERS) {
            SqzNumbers.scales(parts, new SqzBits(data, section.at, end), model);
        } else if (section.kind == BIASES && section.coding == NUMBERS) {
            SqzNumbers.biases(parts, scales, new SqzBits(data, section.at, end), model);
        } else {
            byte[] content = general(section);
            int at = 0;
            for (Part part : parts) {
                System.arraycopy(content, at, model, part.start, part.size());
                at += part.size();
            }
        }
    }
}
