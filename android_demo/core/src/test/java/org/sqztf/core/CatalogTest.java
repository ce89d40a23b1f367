package org.sqztf.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.Test;

/** The list of bundled models, and assets that are not what it says. */
public class CatalogTest {
    private static final byte[] LABELS = "red\ngreen\nblue\ncrane\n".getBytes(StandardCharsets.UTF_8);

    private static Catalog of(String model, String labels) throws SqzModel.ModelException {
        String entry = "{\"name\": \"one\", \"file\": \"one.tflite\", \"sha256\": \"" + model
                + "\", \"labels\": \"one.labels.txt\", \"labels_sha256\": \"" + labels + "\"}";
        return new Catalog(("{\"format\": 1, \"models\": [" + entry + "]}").getBytes(StandardCharsets.UTF_8));
    }

    private static SqzModel.Fault fault(Catalog catalog, byte[] model, byte[] labels) {
        return assertThrows(SqzModel.ModelException.class, () -> catalog.entries.get(0).open(model, labels)).fault;
    }

    @Test
    public void assetsAreComparedWithTheirHashes() throws Exception {
        assumeNotNull(System.getProperty(SqzModelTest.FOLDER));
        byte[] model = SqzModelTest.file("GOOD-int8.tflite");
        Catalog catalog = of(Catalog.sha256(model), Catalog.sha256(LABELS));
        assertEquals(4, catalog.entries.get(0).open(model, LABELS).classes());
        byte[] corrupt = model.clone();
        corrupt[model.length / 2] ^= 1;
        assertEquals(SqzModel.Fault.DAMAGED, fault(catalog, corrupt, LABELS));
        assertEquals(SqzModel.Fault.DAMAGED, fault(catalog, model, Arrays.copyOf(LABELS, 9)));
    }

    @Test
    public void truncatedLabelsAreRefusedEvenWithTheirOwnHash() throws Exception {
        assumeNotNull(System.getProperty(SqzModelTest.FOLDER));
        byte[] model = SqzModelTest.file("GOOD-int8.tflite");
        byte[] labels = Arrays.copyOf(LABELS, 14);
        Catalog catalog = of(Catalog.sha256(model), Catalog.sha256(labels));
        assertEquals(SqzModel.Fault.LABEL_COUNT, fault(catalog, model, labels));
    }

    @Test
    public void aDamagedListIsRefused() {
        for (String bad : new String[] {"", "[]", "{}", "{\"format\": 2, \"models\": [{}]}", "{\"format\": 1, \"models\": []}",
            "{\"format\": 1, \"models\": [{\"name\": 3}]}", "{\"format\": 1, \"models\": [4]}"}) {
            byte[] json = bad.getBytes(StandardCharsets.UTF_8);
            SqzModel.ModelException error = assertThrows(SqzModel.ModelException.class, () -> new Catalog(json));
            assertEquals(bad, SqzModel.Fault.DAMAGED, error.fault);
            assertTrue(error.getMessage().startsWith("models.json: "));
        }
    }

    @Test
    public void theHashIsTheStandardsOwn() {
        assertEquals("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                Catalog.sha256("abc".getBytes(StandardCharsets.UTF_8)));
    }
}
