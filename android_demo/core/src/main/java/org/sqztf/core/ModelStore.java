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
import java.util.TreeMap;

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
        /** Of which product it is a version, if an update brought it; otherwise empty. */
        public final String product;
        public final long version;

        Own(String name, long bytes, int classes, double top1, String sha256, long added, String labels, String product,
                long version) {
            this.name = name;
            this.bytes = bytes;
            this.classes = classes;
            this.top1 = top1;
            this.sha256 = sha256;
            this.added = added;
            this.labels = labels;
            this.product = product;
            this.version = version;
        }

        private Own(Map<String, Object> values) {
            this(Catalog.Entry.text(values, "name"), (long) number(values, "bytes"), (int) number(values, "classes"),
                    values.get("top1") == null ? Double.NaN : number(values, "top1"),
                    Catalog.Entry.text(values, "sha256"),
                    values.get("added") == null ? 0 : (long) number(values, "added"), // older lists have neither
                    values.get("labels") instanceof String ? (String) values.get("labels") : "",
                    values.get("product") instanceof String ? (String) values.get("product") : "",
                    values.get("version") == null ? 0 : (long) number(values, "version"));
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

        private void write(StringBuilder text) {
            text.append("{\"name\": \"").append(quoted(name));
            text.append("\", \"labels\": \"").append(quoted(labels)).append("\", \"added\": ").append(added);
            if (!product.isEmpty()) {
                text.append(", \"product\": \"").append(quoted(product)).append("\", \"version\": ").append(version);
            }
            text.append(", \"bytes\": ").append(bytes).append(", \"classes\": ").append(classes);
            text.append(", \"top1\": ").append(Double.isNaN(top1) ? "null" : String.valueOf(top1));
            text.append(", \"sha256\": \"").append(sha256).append("\"}");
        }
    }

    /** A model that was read and not kept yet. */
    public static final class Candidate {
        public final SqzModel model;
        /** Its {@code .tflite}. */
        public final byte[] file;
        public final String sha256;
        /** What brought it; null where it was opened as it is. */
        public final SqzUpdate update;
        private final String name;

        private Candidate(String name, byte[] file, SqzUpdate update) throws SqzModel.ModelException {
            this.name = name;
            this.update = update;
            this.file = SqzPack.is(file) ? SqzPack.unpack(file, LARGEST) : file;
            model = new SqzModel(this.file);
            sha256 = Catalog.sha256(this.file);
        }

        private boolean is(Own own) {
            boolean same = own.sha256.equals(sha256);
            return update == null ? same : same && own.product.equals(update.model) && own.version == update.version;
        }

        /** Tell whether it takes the place of a model: an older version, or the same file that was opened as it is. */
        public boolean replaces(Own own) {
            return update != null && (own.product.equals(update.model) || own.sha256.equals(sha256));
        }
    }

    private static final String LIST = "models.json";
    private static final String PART = ".part";
    private static final int LONGEST_NAME = 60; // characters
    private static final int FIRST_LABELS = 3;
    private static final int BLOCK = 1 << 16;

    private final File folder;
    private List<Own> models = new ArrayList<>();
    private Map<String, SqzUpdate.Installed> installed = new TreeMap<>(); // by product: the highest, even if it was removed

    /** Take the models in a folder, which need not exist yet. */
    public ModelStore(File folder) {
        this.folder = folder;
        readList();
        clear();
    }

    private void readList() {
        try {
            String text = new String(contents(new File(folder, LIST)), StandardCharsets.UTF_8);
            Map<String, Object> list = SqzModel.Json.object(SqzModel.Json.parse(text));
            for (Object entry : each(list.get("installed"))) {
                Map<String, Object> values = SqzModel.Json.object(entry);
                installed.put(Catalog.Entry.text(values, "product"), new SqzUpdate.Installed(
                        (long) Own.number(values, "version"), Catalog.Entry.text(values, "sha256")));
            }
            for (Object entry : each(list.get("models"))) {
                Own own = new Own(SqzModel.Json.object(entry));
                if (new File(folder, own.file()).isFile()) {
                    models.add(own);
                }
            }
        } catch (IOException | IllegalArgumentException error) {
            return; // there is none yet, or an entry is not ours: what was read before it stays, marks of versions first
        }
    }

    private static List<?> each(Object list) {
        return list instanceof List ? (List<?>) list : Collections.emptyList();
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
        return new Candidate(tidy(name), file, null);
    }

    /**
     * Take what an update brings, and make sure that it is a model of the kit.
     *
     * @param update whose header was found to be right
     * @param file all of its bytes
     * @throws SqzUpdate.RefusedException it is not what was signed
     * @throws SqzModel.ModelException what was signed is no model, or too large
     */
    public static Candidate candidate(SqzUpdate update, byte[] file)
            throws SqzUpdate.RefusedException, SqzModel.ModelException {
        return new Candidate(tidy(update.model) + " v" + update.version, update.result(file), update);
    }

    /** Return the update of a product of the highest version that was ever installed; null for none. */
    public synchronized SqzUpdate.Installed installed(String product) {
        return installed.get(product);
    }

    /**
     * Keep a model. One that is kept already stays as it is; the next version of a product takes the place of the one before.
     *
     * @param taken names that it must not be listed as
     * @throws IOException it cannot be written; then nothing has changed
     */
    public synchronized Own keep(Candidate candidate, Collection<String> taken) throws IOException {
        List<String> names = new ArrayList<>(taken);
        List<Own> next = new ArrayList<>();
        for (Own own : models) {
            if (candidate.is(own)) {
                return own;
            }
            if (!candidate.replaces(own)) {
                names.add(own.name);
                next.add(own);
            }
        }
        Own own = new Own(unlike(candidate.name, names), candidate.file.length, candidate.model.classes(),
                candidate.model.top1, candidate.sha256, System.currentTimeMillis(), first(candidate.model.labels),
                candidate.update == null ? "" : candidate.update.model,
                candidate.update == null ? 0 : candidate.update.version);
        next.add(own);
        checkVersion(candidate.update);
        write(own.file(), candidate.file);
        try {
            replace(next, marked(candidate.update));
        } finally {
            clear(); // what is not listed: the version before, or this one if the list cannot be written
        }
        return own;
    }

    private void checkVersion(SqzUpdate update) throws IOException {
        SqzUpdate.Installed mark = update == null ? null : installed.get(update.model);
        if (mark != null && mark.version > update.version) {
            throw new IOException("version " + mark.version + " was installed meanwhile");
        }
    }

    /** Return what was installed, with an update more where there is one. */
    private Map<String, SqzUpdate.Installed> marked(SqzUpdate update) {
        Map<String, SqzUpdate.Installed> marks = new TreeMap<>(installed);
        if (update != null) {
            marks.put(update.model, new SqzUpdate.Installed(update.version, update.sha256));
        }
        return marks;
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
        replace(next, installed);
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

    private void replace(List<Own> next, Map<String, SqzUpdate.Installed> marks) throws IOException {
        StringBuilder text = new StringBuilder("{\"format\": 1, \"models\": [");
        for (Own own : next) {
            text.append(text.charAt(text.length() - 1) == '[' ? "\n" : ",\n");
            own.write(text);
        }
        text.append("], \"installed\": [");
        for (Map.Entry<String, SqzUpdate.Installed> mark : marks.entrySet()) {
            text.append(text.charAt(text.length() - 1) == '[' ? "\n" : ",\n");
            text.append("{\"product\": \"").append(quoted(mark.getKey())).append("\", \"version\": ");
            text.append(mark.getValue().version).append(", \"sha256\": \"").append(mark.getValue().sha256).append("\"}");
        }
        write(LIST, text.append("]}\n").toString().getBytes(StandardCharsets.UTF_8));
        models = next;
        installed = marks;
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
        String stem = name.replaceFirst("(?i)\\.(tflite|sqz|squ)$", "");
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
