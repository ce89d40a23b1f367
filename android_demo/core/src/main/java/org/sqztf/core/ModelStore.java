package org.sqztf.core;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * The user's own models, kept in a folder of the app's files.
 *
 * <p>The folder has a {@code .tflite} for each model, named by its hash, and {@code models.json}, which lists them. A
 * file gets its name only when all of it is written, and the list is written last: whatever ends in between leaves a
 * model whole or not there. All methods may be called from any thread.
 */
public final class ModelStore {

    /** Bytes of a file at most, and of the {@code .tflite} that a pack stands for. */
    public static final int LARGEST = 32 << 20;

    /** One model that is kept. */
    public static final class Own {
        /** What it is listed as; no two are listed alike. */
        public final String name;
        /** Bytes of its {@code .tflite}. */
        public final long bytes;
        public final int classes;
        /** Which fraction of pictures held out was told right when it was exported; NaN where it does not say. */
        public final double top1;
        public final String sha256;
        /** When it was kept, in milliseconds since 1970; 0 where that is not known. */
        public final long added;
        /** Its first labels, by which models of the same name are told apart; empty where they are not known. */
        public final String labels;

        Own(String name, long bytes, int classes, double top1, String sha256, long added, String labels) {
            this.name = name;
            this.bytes = bytes;
            this.classes = classes;
            this.top1 = top1;
            this.sha256 = sha256;
            this.added = added;
            this.labels = labels;
        }

        private Own(Map<String, Object> values) {
            this(Catalog.Entry.text(values, "name"), (long) number(values, "bytes"), (int) number(values, "classes"),
                    values.get("top1") == null ? Double.NaN : number(values, "top1"),
                    Catalog.Entry.text(values, "sha256"),
                    values.get("added") == null ? 0 : (long) number(values, "added"), // older lists have neither
                    values.get("labels") instanceof String ? (String) values.get("labels") : "");
            if (!sha256.matches("[0-9a-f]{64}")) {
                throw new IllegalArgumentException("sha256 is " + sha256);
            }
        }

        private static double number(Map<String, Object> values, String key) {
            Object value = values.get(key);
            if (!(value instanceof Double)) {
                throw new IllegalArgumentException(key + " is " + value + ", expected a number");
            }
            return (Double) value;
        }

        private String file() {
            return sha256 + ".tflite";
        }
    }

    /** A model that was read and not kept yet. */
    public static final class Candidate {
        public final SqzModel model;
        /** Its {@code .tflite}. */
        public final byte[] file;
        public final String sha256;
        private final String name;

        private Candidate(String name, byte[] file) throws SqzModel.ModelException {
            this.name = name;
            this.file = SqzPack.is(file) ? SqzPack.unpack(file, LARGEST) : file;
            model = new SqzModel(this.file);
            sha256 = Catalog.sha256(this.file);
        }
    }

    private static final String LIST = "models.json";
    private static final String PART = ".part";
    private static final int LONGEST_NAME = 60; // characters
    private static final int FIRST_LABELS = 3;
    private static final int BLOCK = 1 << 16;

    private final File folder;
    private List<Own> models;

    /** Take the models in a folder, which need not exist yet. */
    public ModelStore(File folder) {
        this.folder = folder;
        models = listed();
        clear();
    }

    private List<Own> listed() {
        List<Own> found = new ArrayList<>();
        try {
            String text = new String(contents(new File(folder, LIST)), StandardCharsets.UTF_8);
            Object entries = SqzModel.Json.object(SqzModel.Json.parse(text)).get("models");
            for (Object entry : entries instanceof List ? (List<?>) entries : Collections.emptyList()) {
                Own own = new Own(SqzModel.Json.object(entry));
                if (new File(folder, own.file()).isFile()) {
                    found.add(own);
                }
            }
        } catch (IOException | IllegalArgumentException error) {
            return found; // there is none yet; it is replaced whole, so there is no half of one
        }
        return found;
    }

    /** Remove what is not listed: what was being written when the app ended. */
    private void clear() {
        List<String> kept = new ArrayList<>();
        kept.add(LIST);
        for (Own own : models) {
            kept.add(own.file());
        }
        String[] names = folder.list();
        for (String name : names == null ? new String[0] : names) {
            if (!kept.contains(name)) {
                new File(folder, name).delete();
            }
        }
    }

    /** Tell whether the models are those of a folder. */
    public boolean isIn(File folder) {
        return this.folder.equals(folder);
    }

    /** Return the models that are kept, in the order in which they came. */
    public synchronized List<Own> list() {
        return Collections.unmodifiableList(new ArrayList<>(models));
    }

    /**
     * Read a file that may be a model.
     *
     * @param stream its bytes; read to the end, not closed
     * @throws SqzModel.ModelException it is too large for one
     * @throws IOException the stream cannot be read
     */
    public static byte[] bytes(InputStream stream) throws SqzModel.ModelException, IOException {
        byte[] file = upTo(stream, LARGEST);
        if (file == null) {
            throw new SqzModel.ModelException(SqzModel.Fault.TOO_LARGE,
                    "the file has more than " + LARGEST + " bytes");
        }
        return file;
    }

    /**
     * Take a {@code .tflite} or a pack, and make sure that it is a model of the kit.
     *
     * @param name of its file; what it is listed as follows from it
     * @param file what {@link #bytes} returned
     * @throws SqzModel.ModelException it is none, or too large
     */
    public static Candidate candidate(String name, byte[] file) throws SqzModel.ModelException {
        return new Candidate(tidy(name), file);
    }

    /**
     * Keep a model. One that is kept already stays as it is.
     *
     * @param taken names that it must not be listed as
     * @throws IOException it cannot be written; then nothing has changed
     */
    public synchronized Own keep(Candidate candidate, Collection<String> taken) throws IOException {
        List<String> names = new ArrayList<>(taken);
        for (Own own : models) {
            if (own.sha256.equals(candidate.sha256)) {
                return own;
            }
            names.add(own.name);
        }
        Own own = new Own(unlike(candidate.name, names), candidate.file.length, candidate.model.classes(),
                candidate.model.top1, candidate.sha256, System.currentTimeMillis(), first(candidate.model.labels));
        write(own.file(), candidate.file);
        List<Own> next = new ArrayList<>(models);
        next.add(own);
        try {
            replace(next);
        } catch (IOException error) {
            new File(folder, own.file()).delete();
            throw error;
        }
        return own;
    }

    /**
     * Remove a model.
     *
     * @throws IOException the list cannot be written; then nothing has changed
     */
    public synchronized void remove(Own own) throws IOException {
        List<Own> next = new ArrayList<>();
        for (Own each : models) {
            if (!each.sha256.equals(own.sha256)) {
                next.add(each);
            }
        }
        replace(next);
        new File(folder, own.file()).delete(); // else it is removed with the next start
    }

    /**
     * Return the {@code .tflite} of a model.
     *
     * @throws SqzModel.ModelException it has changed since it was kept
     * @throws IOException it cannot be read
     */
    public byte[] open(Own own) throws SqzModel.ModelException, IOException {
        byte[] file = contents(new File(folder, own.file()));
        if (!Catalog.sha256(file).equals(own.sha256)) {
            throw new SqzModel.ModelException(SqzModel.Fault.DAMAGED, own.name + " has changed since it was opened");
        }
        return file;
    }

    private static byte[] contents(File file) throws IOException {
        try (InputStream stream = new FileInputStream(file)) {
            byte[] content = upTo(stream, LARGEST);
            if (content == null) {
                throw new FileNotFoundException(file.getName() + " is too large");
            }
            return content;
        }
    }

    /** Return what a stream holds, null if that is more than {@code most} bytes; it is not closed. */
    public static byte[] upTo(InputStream stream, int most) throws IOException {
        List<byte[]> blocks = new ArrayList<>();
        int total = 0;
        byte[] block = new byte[BLOCK];
        for (int got = stream.read(block); got >= 0; got = stream.read(block)) {
            if (got > most - total) {
                return null;
            }
            blocks.add(Arrays.copyOf(block, got));
            total += got;
        }
        byte[] whole = new byte[total];
        int at = 0;
        for (byte[] each : blocks) {
            System.arraycopy(each, 0, whole, at, each.length);
            at += each.length;
        }
        return whole;
    }

    private void replace(List<Own> next) throws IOException {
        StringBuilder text = new StringBuilder("{\"format\": 1, \"models\": [");
        for (Own own : next) {
            text.append(text.charAt(text.length() - 1) == '[' ? "" : ",");
            text.append("\n{\"name\": \"").append(quoted(own.name));
            text.append("\", \"labels\": \"").append(quoted(own.labels)).append("\", \"added\": ").append(own.added);
            text.append(", \"bytes\": ").append(own.bytes).append(", \"classes\": ").append(own.classes);
            text.append(", \"top1\": ").append(Double.isNaN(own.top1) ? "null" : String.valueOf(own.top1));
            text.append(", \"sha256\": \"").append(own.sha256).append("\"}");
        }
        write(LIST, text.append("]}\n").toString().getBytes(StandardCharsets.UTF_8));
        models = next;
    }

    private static String quoted(String text) {
        return text.replace("\\", "\\\\").replace("\"", "\\\"");
    }

    private static String first(List<String> labels) {
        StringBuilder first = new StringBuilder();
        for (String label : labels.subList(0, Math.min(FIRST_LABELS, labels.size()))) {
            first.append(first.length() == 0 ? "" : ", ").append(tidy(label));
        }
        return first.append(labels.size() > FIRST_LABELS ? ", …" : "").toString();
    }

    /** Write a file whole or not at all. */
    private void write(String name, byte[] content) throws IOException {
        if (!folder.isDirectory() && !folder.mkdirs()) {
            throw new IOException("the folder for models cannot be made");
        }
        File part = new File(folder, name + PART);
        try (FileOutputStream stream = new FileOutputStream(part)) {
            stream.write(content);
            stream.getFD().sync();
        } catch (IOException error) {
            part.delete();
            throw error;
        }
        if (!part.renameTo(new File(folder, name))) {
            part.delete();
            throw new IOException(name + " cannot be written");
        }
    }

    /** Return a file's name as a model is listed: without its ending, and nothing in it that is not shown. */
    public static String tidy(String name) {
        StringBuilder tidy = new StringBuilder();
        String stem = name.replaceFirst("(?i)\\.(tflite|sqz)$", "");
        for (int at = 0; at < stem.length() && tidy.length() < LONGEST_NAME; at += Character.charCount(stem.codePointAt(at))) {
            int letter = stem.codePointAt(at);
            int type = Character.getType(letter);
            boolean shown = type != Character.CONTROL && type != Character.FORMAT && type != Character.SURROGATE
                    && type != Character.UNASSIGNED && type != Character.PRIVATE_USE
                    && type != Character.LINE_SEPARATOR && type != Character.PARAGRAPH_SEPARATOR;
            tidy.appendCodePoint(shown ? letter : ' ');
        }
        String found = tidy.toString().trim();
        return found.isEmpty() ? "model" : found;
    }

    private static String unlike(String name, Collection<String> taken) {
        String found = name;
        for (int number = 2; taken.contains(found); number++) {
            found = name + " (" + number + ")";
        }
        return found;
    }
}
