package org.sqztf.demo;

import android.content.ContentResolver;
import android.content.Context;
import android.database.Cursor;
import android.net.Uri;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.regex.Pattern;
import org.sqztf.core.Catalog;
import org.sqztf.core.Classifier;
import org.sqztf.core.Ed25519;
import org.sqztf.core.Errors;
import org.sqztf.core.ModelStore;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.SqzModel;
import org.sqztf.core.SqzPicture;
import org.sqztf.core.SqzUpdate;

/** All models: those bundled with the app, then the user's own, which are kept in the app's files. */
final class Models implements UpdateFolder.Judge {

    /** A model's bytes and what it says of itself. */
    static final class Opened {
        final byte[] file;
        final SqzModel model;

        Opened(byte[] file, SqzModel model) {
            this.file = file;
            this.model = model;
        }
    }

    /** A model that can be opened, whatever is opened or removed meanwhile. */
    interface Source {
        Opened open() throws IOException, SqzModel.ModelException;
    }

    /** A file that is no model to keep. */
    static final class RefusedException extends Exception {
        private static final long serialVersionUID = 1L;
        final Message why;

        RefusedException(Message why, Throwable cause) {
            this(why, Errors.said(cause));
        }

        RefusedException(Message why, String what) {
            super(what);
            this.why = why;
        }
    }

    private static final Pattern USUAL = Pattern.compile("(?i)model(_\\w+)?\\.(tflite|sqz)");

    /** Bytes of the user's own models together; tests have less room. */
    static long most = 128L << 20;

    private static ModelStore shared; // one for the process: an activity that ends may still be writing

    final Bundled bundled;
    final ModelStore own;

    Models(Context context) {
        bundled = new Bundled(context.getAssets());
        own = store(new File(context.getFilesDir(), "models"));
    }

    private static synchronized ModelStore store(File folder) {
        if (shared == null || !shared.isIn(folder)) {
            shared = new ModelStore(folder);
        }
        return shared;
    }

    /** Return the names of all, no two alike. */
    List<String> names() {
        List<String> names = bundled.names();
        for (ModelStore.Own each : own.list()) {
            names.add(each.name);
        }
        return names;
    }

    /** Return the model of a name. */
    Source named(final String name) {
        for (Catalog.Entry entry : bundled.entries) {
            if (entry.name.equals(name)) {
                return bundled(entry);
            }
        }
        for (ModelStore.Own entry : own.list()) {
            if (entry.name.equals(name)) {
                return own(entry);
            }
        }
        return new Source() {
            @Override
            public Opened open() throws IOException {
                throw new FileNotFoundException(name + " was removed");
            }
        };
    }

    private Source bundled(final Catalog.Entry entry) {
        return new Source() {
            @Override
            public Opened open() throws IOException, SqzModel.ModelException {
                byte[] file = bundled.read(entry.file);
                return new Opened(file, entry.open(file, bundled.read(entry.labelsFile)));
            }
        };
    }

    private Source own(final ModelStore.Own entry) {
        return new Source() {
            @Override
            public Opened open() throws IOException, SqzModel.ModelException {
                byte[] file = own.open(entry);
                return new Opened(file, new SqzModel(file));
            }
        };
    }

    /**
     * Read a model from another app, which may never answer.
     *
     * @param given an address; only {@code content:} is opened, since a file's could be this app's own
     * @param folder whether it is that of a folder, of which the newest update is read
     * @param reading told when the other app has answered
     */
    ModelStore.Candidate read(ContentResolver resolver, Uri given, boolean folder, Readings.Reading reading)
            throws RefusedException {
        try {
            Uri uri = folder ? UpdateFolder.newest(resolver, given, this, reading) : given;
            String name = name(resolver, uri);
            byte[] file = bytes(resolver, uri, reading);
            reading.answered();
            boolean signed = folder || SqzUpdate.is(file); // of a folder an update alone, whatever its owner sends now
            return signed ? ModelStore.candidate(update(file), file) : ModelStore.candidate(name, file);
        } catch (SqzUpdate.RefusedException error) {
            throw new RefusedException(Message.of(error.status), error);
        } catch (SqzModel.ModelException error) {
            throw new RefusedException(Message.of(error.fault), error);
        } catch (IOException | RuntimeException error) { // providers are other apps: they throw what they like
            throw new RefusedException(Message.MODEL_UNREADABLE, error);
        } catch (OutOfMemoryError error) {
            throw new RefusedException(Message.MODEL_TOO_LARGE, error);
        }
    }

    /** Return what an update says of itself if this app takes it; {@link SqzUpdate#HEADER} bytes of it are enough. */
    @Override
    public SqzUpdate update(byte[] file) throws SqzUpdate.RefusedException {
        SqzUpdate.Trust trust = bundled.trust;
        SqzUpdate.Installed installed = trust == null ? null : own.installed(trust.model);
        return SqzUpdate.read(file, trust, installed, ModelStore.LARGEST, new Ed25519());
    }

    private static byte[] bytes(ContentResolver resolver, Uri uri, Readings.Reading reading)
            throws IOException, SqzModel.ModelException {
        try (InputStream stream = Given.open(resolver, uri, reading)) {
            return ModelStore.bytes(stream);
        }
    }

    /**
     * Run a model that was read once, and keep it unless it is given up by then.
     *
     * @param engines what it is run with; a file that ends the process is not kept
     * @return its name; null where it is given up
     */
    String keep(ModelStore.Candidate found, Session.Engines engines, Readings.Reading reading)
            throws RefusedException {
        if (reading.isGivenUp()) {
            return null;
        }
        for (Catalog.Entry entry : bundled.entries) {
            if (entry.sha256.equals(found.sha256) && found.update == null) {
                return entry.name;
            }
        }
        try {
            checkRoom(found);
            tryOut(found, engines);
            return reading.isGivenUp() ? null : own.keep(found, bundled.names()).name;
        } catch (IOException | RuntimeException error) {
            throw new RefusedException(Message.MODEL_UNREADABLE, error);
        } catch (OutOfMemoryError error) {
            throw new RefusedException(Message.MODEL_TOO_LARGE, error);
        }
    }

    /** Refuse a model for which there is no room, and tell which one could make way: the largest. */
    private void checkRoom(ModelStore.Candidate found) throws RefusedException {
        long total = found.file.length;
        ModelStore.Own largest = null;
        for (ModelStore.Own each : own.list()) {
            if (each.sha256.equals(found.sha256)) {
                return;
            }
            if (found.replaces(each)) {
                continue;
            }
            total += each.bytes;
            largest = largest == null || each.bytes > largest.bytes ? each : largest;
        }
        if (largest != null && total > most) {
            throw new RefusedException(Message.MODELS_FULL, largest.name);
        }
    }

    private static void tryOut(ModelStore.Candidate found, Session.Engines engines) throws RefusedException {
        Classifier classifier = null;
        try {
            classifier = new Classifier(found.model, engines.open(found.file, found.model, 1, true));
            classifier.classify(SqzPicture.of(new int[1], 1, 1), 1);
        } catch (RuntimeException | LinkageError error) {
            throw new RefusedException(Message.ENGINE_FAILED, error);
        } finally {
            if (classifier != null) {
                classifier.close();
            }
        }
    }

    /** Return the name that the other app gives a file. */
    static String name(ContentResolver resolver, Uri uri) {
        try (Cursor row = resolver.query(uri, new String[] {OpenableColumns.DISPLAY_NAME}, null, null, null)) {
            String name = row != null && row.moveToFirst() ? row.getString(0) : null;
            if (name != null) {
                return telling(name, uri);
            }
        } catch (RuntimeException error) { // providers are other apps; the address has a name, too
            return last(uri);
        }
        return last(uri);
    }

    /** Return a name that tells something: its folder's, for one that most exports have, where the provider shows it. */
    private static String telling(String name, Uri uri) {
        String path = uri.getLastPathSegment(); // such as primary:Download/birds/model_int8.tflite
        if (path == null || !USUAL.matcher(name).matches() || !path.endsWith("/" + name)) {
            return name;
        }
        String folder = path.substring(0, path.length() - name.length() - 1);
        folder = folder.substring(Math.max(folder.lastIndexOf('/'), folder.lastIndexOf(':')) + 1);
        return folder.isEmpty() ? name : folder;
    }

    /** Return the name that an address has by itself. */
    static String last(Uri uri) {
        String path = uri.getLastPathSegment();
        String name = path == null ? "" : path.substring(path.lastIndexOf('/') + 1);
        return telling(name, uri);
    }
}
