package org.sqztf.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Signed updates ({@code .squ}) whose result is a file: what one says of itself, once it may be installed.
 *
 * <p>The rules are in docs/formats/squ.md; the checks, their order and their names are those of a device
 * ({@code mcu/src/sqz_update.h}). Signatures are the library's that an app has.
 */
public final class SqzUpdate {

    /** Why an update is refused. */
    public enum Status {
        /** The app knows no key. */
        ERROR_CONFIG,
        ERROR_FORMAT,
        ERROR_KEY,
        ERROR_SIGNATURE,
        ERROR_MODEL,
        ERROR_NETWORK,
        ERROR_VERSION,
        ERROR_SPACE,
        ERROR_DAMAGED
    }

    /** An update that is refused; the message begins with the status' name and says what was received and expected. */
    public static final class RefusedException extends Exception {
        private static final long serialVersionUID = 1L;
        public final Status status;

        RefusedException(Status status, String what) {
            super(status + ": " + what);
            this.status = status;
        }
    }

    /** Ed25519. */
    public interface Signatures {
        /** Tell whether a signature of a message is that of the owner of a public key of 32 bytes. */
        boolean isRight(byte[] key, byte[] signature, byte[] message);
    }

    /** Whose updates an app takes, of what, and which version it came with. */
    public static final class Trust {
        public final String model;
        public final long version;
        final List<byte[]> keys;

        /**
         * Trust some keys.
         *
         * @param model the product's identity
         * @param version of the models that came with the app
         * @param keys public keys, 32 bytes each
         */
        public Trust(String model, long version, List<byte[]> keys) {
            this.model = model;
            this.version = version;
            this.keys = Collections.unmodifiableList(new ArrayList<>(keys));
        }

        /**
         * Read what {@code models.json} says of updates; null where it says nothing.
         *
         * @throws IllegalArgumentException it says something else
         */
        static Trust of(Object json) {
            if (json == null) {
                return null;
            }
            Map<String, Object> values = SqzModel.Json.object(json);
            List<byte[]> keys = new ArrayList<>();
            for (Object key : values.get("keys") instanceof List ? (List<?>) values.get("keys") : Collections.emptyList()) {
                keys.add(bytes(String.valueOf(key)));
            }
            Object version = values.get("version");
            if (keys.isEmpty() || !(version instanceof Double)) {
                throw new IllegalArgumentException("updates have " + keys.size() + " keys and version " + version);
            }
            return new Trust(Catalog.Entry.text(values, "model"), ((Double) version).longValue(), keys);
        }

        private static byte[] bytes(String key) {
            if (!key.matches("[0-9a-f]{64}")) {
                throw new IllegalArgumentException("the key is " + key + ", expected 64 hexadecimal digits");
            }
            byte[] bytes = new byte[32];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) Integer.parseInt(key.substring(2 * i, 2 * i + 2), 16);
            }
            return bytes;
        }
    }

    /** The update of the highest version that was installed. */
    public static final class Installed {
        public final long version;
        /** Of its result, in hexadecimal. */
        public final String sha256;

        public Installed(long version, String sha256) {
            this.version = version;
            this.sha256 = sha256;
        }
    }

    /** Bytes before the body. */
    public static final int HEADER = 208;

    private static final int SIGNED = 144;
    private static final int FULL = 0;
    private static final int FILE = 2;

    /** The product's identity. */
    public final String model;
    public final long version;
    /** Bytes of the result. */
    public final long bytes;
    /** Of the result, in hexadecimal. */
    public final String sha256;

    private SqzUpdate(String model, long version, long bytes, String sha256) {
        this.model = model;
        this.version = version;
        this.bytes = bytes;
        this.sha256 = sha256;
    }

    /** Tell whether a file begins as an update. */
    public static boolean is(byte[] file) {
        return file.length >= 4 && file[0] == 'S' && file[1] == 'Q' && file[2] == 'Z' && file[3] == 'U';
    }

    /**
     * Check the header of an update.
     *
     * @param file its bytes; {@link #HEADER} of them are enough
     * @param trust null for an app that knows no key
     * @param installed null for none
     * @param most bytes of a result
     * @throws RefusedException it may not be installed
     */
    public static SqzUpdate read(byte[] file, Trust trust, Installed installed, long most, Signatures signatures)
            throws RefusedException {
        if (trust == null) {
            throw new RefusedException(Status.ERROR_CONFIG, "there is no key");
        }
        checkFormat(file);
        checkSignature(file, trust, signatures);
        byte[] wanted = Arrays.copyOf(trust.model.getBytes(StandardCharsets.UTF_8), 16);
        byte[] given = Arrays.copyOfRange(file, 40, 56);
        String model = new String(given, StandardCharsets.UTF_8).replaceAll("\0+$", "");
        require(Arrays.equals(given, wanted), Status.ERROR_MODEL, "it is for " + model + ", expected " + trust.model);
        require(Arrays.equals(Arrays.copyOfRange(file, 8, 40), new byte[32]), Status.ERROR_NETWORK, "it is for a program");
        SqzUpdate update = new SqzUpdate(model, number(file, 56), number(file, 60), Catalog.hexadecimal(Arrays.copyOfRange(file, 72, 104)));
        update.checkVersion(trust, installed);
        require(update.bytes <= most, Status.ERROR_SPACE, update.bytes + " bytes, expected at most " + most);
        require(number(file, 64) == update.bytes, Status.ERROR_FORMAT, "a body of another size than the result");
        return update;
    }

    private static void checkFormat(byte[] file) throws RefusedException {
        require(is(file), Status.ERROR_FORMAT, "no update");
        require(file.length >= HEADER, Status.ERROR_FORMAT, "it ends after " + file.length + " bytes");
        int format = (file[4] & 0xFF) | (file[5] & 0xFF) << 8;
        require(format == 1, Status.ERROR_FORMAT, "format " + format + ", expected 1");
        require(file[6] == FULL && file[7] == FILE, Status.ERROR_FORMAT,
                "body " + (file[6] & 0xFF) + " and kind " + (file[7] & 0xFF) + ", expected 0 and 2: update make --kind file");
    }

    private static void checkSignature(byte[] file, Trust trust, Signatures signatures) throws RefusedException {
        byte[] message = Arrays.copyOf(file, SIGNED);
        byte[] signature = Arrays.copyOfRange(file, SIGNED, HEADER);
        byte[] beginning = Arrays.copyOfRange(file, 136, SIGNED);
        for (byte[] key : trust.keys) {
            if (Arrays.equals(Arrays.copyOf(key, beginning.length), beginning)) {
                require(signatures.isRight(key, signature, message), Status.ERROR_SIGNATURE, "it is not that key's");
                return;
            }
        }
        throw new RefusedException(Status.ERROR_KEY, "it was signed by the key " + Catalog.hexadecimal(beginning) + "…");
    }

    /** The same result may come again: it was perhaps removed. */
    private void checkVersion(Trust trust, Installed installed) throws RefusedException {
        long running = installed == null ? trust.version : Math.max(trust.version, installed.version);
        boolean again = installed != null && version == installed.version && sha256.equals(installed.sha256);
        require(version > running || again && version == running, Status.ERROR_VERSION,
                "version " + version + ", expected above " + running);
    }

    /**
     * Return what the update makes.
     *
     * @param file all of its bytes
     * @throws RefusedException it is not what was signed
     */
    public byte[] result(byte[] file) throws RefusedException {
        long received = (long) file.length - HEADER;
        require(received == bytes, Status.ERROR_DAMAGED, received + " bytes, expected " + bytes);
        byte[] result = Arrays.copyOfRange(file, HEADER, file.length);
        require(Catalog.sha256(result).equals(sha256), Status.ERROR_DAMAGED, "another SHA-256 than was signed");
        return result;
    }

    private static void require(boolean right, Status status, String otherwise) throws RefusedException {
        if (!right) {
            throw new RefusedException(status, otherwise);
        }
    }

    private static long number(byte[] file, int at) {
        return ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt(at) & 0xFFFFFFFFL;
    }
}
