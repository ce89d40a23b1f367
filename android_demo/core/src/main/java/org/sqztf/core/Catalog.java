package org.sqztf.core;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The models that are bundled with an app, as {@code models.json} lists them, with their hashes. */
public final class Catalog {

    /** One bundled model: its name, its files and their SHA-256. */
    public static final class Entry {
        public final String name;
        public final String file;
        public final String sha256;
        public final String labelsFile;
        public final String labelsSha256;

        Entry(Map<String, Object> values) {
            name = text(values, "name");
            file = text(values, "file");
            sha256 = text(values, "sha256");
            labelsFile = text(values, "labels");
            labelsSha256 = text(values, "labels_sha256");
        }

        static String text(Map<String, Object> values, String key) {
            Object value = values.get(key);
            if (!(value instanceof String) || ((String) value).isEmpty()) {
                throw new IllegalArgumentException(key + " is " + value + ", expected a text");
            }
            return (String) value;
        }

        /**
         * Read the model after comparing the files with their hashes.
         *
         * @param model the bytes of {@code file}
         * @param labels the bytes of {@code labelsFile}
         */
        public SqzModel open(byte[] model, byte[] labels) throws SqzModel.ModelException {
            compare(file, model, sha256);
            compare(labelsFile, labels, labelsSha256);
            SqzModel opened = new SqzModel(model);
            List<String> names = SqzModel.lines(new String(labels, StandardCharsets.UTF_8));
            if (!names.equals(opened.labels)) {
                throw new SqzModel.ModelException(SqzModel.Fault.LABEL_COUNT, labelsFile + " has " + names.size()
                        + " lines that are not the model's own " + opened.labels.size() + " labels");
            }
            return opened;
        }

        private static void compare(String file, byte[] data, String expected) throws SqzModel.ModelException {
            String received = sha256(data);
            if (!received.equals(expected)) {
                throw new SqzModel.ModelException(SqzModel.Fault.DAMAGED, file + " of " + data.length
                        + " bytes has SHA-256 " + received.substring(0, 12) + "…; expected "
                        + expected.substring(0, Math.min(12, expected.length())) + "…");
            }
        }
    }

    private static final double FORMAT = 1;

    public final List<Entry> entries;
    /** Whose updates the app takes; null for nobody's. */
    public final SqzUpdate.Trust trust;

    /**
     * Read {@code models.json}.
     *
     * @throws SqzModel.ModelException it is damaged, of another format, or lists nothing
     */
    public Catalog(byte[] json) throws SqzModel.ModelException {
        try {
            Map<String, Object> values = SqzModel.Json.object(SqzModel.Json.parse(new String(json, StandardCharsets.UTF_8)));
            List<Entry> found = new ArrayList<>();
            Object models = values.get("models");
            if (!Double.valueOf(FORMAT).equals(values.get("format")) || !(models instanceof List)) {
                throw new IllegalArgumentException("expected format 1 and a list of models");
            }
            for (Object model : (List<?>) models) {
                found.add(new Entry(SqzModel.Json.object(model)));
            }
            if (found.isEmpty()) {
                throw new IllegalArgumentException("no model is listed");
            }
            entries = Collections.unmodifiableList(found);
            trust = SqzUpdate.Trust.of(values.get("updates"));
        } catch (IllegalArgumentException error) {
            throw new SqzModel.ModelException(SqzModel.Fault.DAMAGED, "models.json: " + Errors.said(error));
        }
    }

    /** Return the SHA-256 of some bytes in hexadecimal. */
    public static String sha256(byte[] data) {
        return hexadecimal(sha256().digest(data));
    }

    /** Return bytes as hexadecimal digits. */
    static String hexadecimal(byte[] data) {
        StringBuilder text = new StringBuilder();
        for (byte value : data) {
            text.append(Character.forDigit(value >> 4 & 0xF, 16)).append(Character.forDigit(value & 0xF, 16));
        }
        return text.toString();
    }

    /** Return what makes SHA-256. */
    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Java has it
        }
    }
}
