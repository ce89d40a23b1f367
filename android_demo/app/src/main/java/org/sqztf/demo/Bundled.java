package org.sqztf.demo;

import android.content.res.AssetManager;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import org.sqztf.core.Catalog;
import org.sqztf.core.Errors;
import org.sqztf.core.ModelStore;
import org.sqztf.core.SqzModel;
import org.sqztf.core.SqzUpdate;

/** The models in the app's assets. */
final class Bundled {
    private static final String FOLDER = "models/";

    /** Empty where none can be read. */
    final List<Catalog.Entry> entries = new ArrayList<>();
    /** Whose updates the app takes; null for nobody's. */
    SqzUpdate.Trust trust; // tests have none
    /** Why none can be read; otherwise empty. */
    final String fault;
    private final AssetManager assets;

    Bundled(AssetManager assets) {
        this.assets = assets;
        String why = "";
        try {
            Catalog catalog = new Catalog(read("models.json"));
            entries.addAll(catalog.entries);
            trust = catalog.trust;
        } catch (IOException | SqzModel.ModelException error) {
            why = Errors.said(error);
        }
        fault = why;
    }

    List<String> names() {
        List<String> names = new ArrayList<>();
        for (Catalog.Entry entry : entries) {
            names.add(entry.name);
        }
        return names;
    }

    byte[] read(String name) throws IOException {
        try (InputStream stream = assets.open(FOLDER + name)) {
            return ModelStore.upTo(stream, Integer.MAX_VALUE);
        }
    }
}
