package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The user's own models: kept whole or not at all, listed, removed. */
public class ModelStoreTest {
    private static final String FOLDER = "sqz.own";
    private static final List<String> NONE = Collections.emptyList();

    @Rule
    public final TemporaryFolder temporary = new TemporaryFolder();

    private File folder;

    @Before
    public void modelsAreThere() {
        assumeTrue(System.getProperty(FOLDER) != null);
        folder = new File(temporary.getRoot(), "models");
    }

    private static byte[] file(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty(FOLDER), name).toPath());
    }

    private static ModelStore.Candidate read(String name, String file) throws Exception {
        return ModelStore.candidate(name, ModelStore.bytes(new ByteArrayInputStream(file(file))));
    }

    private TreeSet<String> left() {
        String[] names = folder.list();
        return new TreeSet<>(Arrays.asList(names == null ? new String[0] : names));
    }

    @Test
    public void aPackIsKeptAsTheModelItStandsForAndListedAgain() throws Exception {
        ModelStore store = new ModelStore(folder);
        ModelStore.Own kept = store.keep(read("Birds \"\\ of 2024.sqz", "own.sqz"), NONE);
        for (ModelStore each : new ModelStore[] {store, new ModelStore(folder)}) {
            ModelStore.Own own = each.list().get(0);
            assertEquals("Birds \"\\ of 2024", own.name);
            assertEquals(file("own.tflite").length, own.bytes);
            assertEquals(64, own.classes);
            assertEquals(0.8125, own.top1, 0);
            assertEquals(kept.labels, own.labels);
            assertEquals(own.labels, 4, own.labels.split(", ").length); // three and that there are more
            assertEquals(kept.added, own.added);
            assertArrayEquals(file("own.tflite"), each.open(own));
        }
        assertSame(kept, store.keep(read("again.tflite", "own.tflite"), NONE));
        assertEquals(1, store.list().size());
    }

    @Test
    public void aListOfAnOlderAppIsReadOn() throws Exception {
        ModelStore.Own kept = new ModelStore(folder).keep(read("a.sqz", "own.sqz"), NONE);
        File list = new File(folder, "models.json");
        String text = new String(Files.readAllBytes(list.toPath()), "UTF-8");
        String older = text.replaceFirst(", \"labels\": \"[^\"]*\", \"added\": \\d+", "");
        assertTrue(text, older.length() < text.length());
        Files.write(list.toPath(), older.getBytes("UTF-8"));
        new ModelStore(folder).keep(read("b", "other.tflite"), NONE); // the list is written anew
        ModelStore.Own own = new ModelStore(folder).list().get(0);
        assertEquals(kept.sha256, own.sha256);
        assertEquals("", own.labels);
        assertEquals(0, own.added);
    }

    private static ModelStore.Candidate update(String name) throws Exception {
        byte[] file = Files.readAllBytes(new File(System.getProperty("sqz.updates"), name).toPath());
        SqzUpdate.Trust trust = new SqzUpdate.Trust("door-camera", 0, Arrays.asList(
                Files.readAllBytes(new File(System.getProperty("sqz.updates"), "key").toPath())));
        return ModelStore.candidate(SqzUpdate.read(file, trust, null, ModelStore.LARGEST, new Ed25519()), file);
    }

    @Test
    public void anUpdateTakesThePlaceOfTheVersionBeforeAndOfTheSameFile() throws Exception {
        assumeTrue(System.getProperty("sqz.updates") != null);
        ModelStore store = new ModelStore(folder);
        store.keep(read("plain", "own.sqz"), NONE); // the same as versions 3 and 5
        assertNull(store.installed("door-camera"));
        store.keep(update("v3.squ"), NONE);
        store.keep(update("v4.squ"), Arrays.asList("door-camera v4"));
        for (ModelStore each : new ModelStore[] {store, new ModelStore(folder)}) {
            assertEquals(1, each.list().size());
            ModelStore.Own own = each.list().get(0);
            assertEquals("door-camera v4 (2)", own.name);
            assertEquals("door-camera", own.product);
            assertEquals(4, own.version);
            assertArrayEquals(file("other.tflite"), each.open(own));
            assertEquals(4, each.installed("door-camera").version);
            assertEquals(Catalog.sha256(file("other.tflite")), each.installed("door-camera").sha256);
        }
        assertEquals(2, left().size());
        assertThrows(IOException.class, () -> store.keep(update("v3.squ"), NONE));
        assertEquals(2, left().size());
    }

    @Test
    public void theVersionOutlivesTheModelThatWasRemoved() throws Exception {
        assumeTrue(System.getProperty("sqz.updates") != null);
        ModelStore store = new ModelStore(folder);
        ModelStore.Own own = store.keep(update("v5.squ"), NONE);
        assertSame(own, store.keep(update("v5.squ"), NONE));
        assertSame(own, store.keep(read("opened", "own.tflite"), NONE));
        store.remove(own);
        assertEquals(5, new ModelStore(folder).installed("door-camera").version);
        assertNull(new ModelStore(folder).installed("doorbell"));
        store.keep(read("a", "own.tflite"), NONE);
        assertEquals("", new ModelStore(folder).list().get(0).product);
        assertEquals(5, new ModelStore(folder).installed("door-camera").version);
    }

    @Test
    public void anUpdateThatCannotBeListedLeavesTheVersionBefore() throws Exception {
        assumeTrue(System.getProperty("sqz.updates") != null);
        ModelStore store = new ModelStore(folder);
        store.keep(update("v3.squ"), NONE);
        TreeSet<String> before = left();
        assertTrue(new File(folder, "models.json.part").mkdir());
        assertThrows(IOException.class, () -> store.keep(update("v4.squ"), NONE));
        assertEquals(before, left());
        assertEquals(3, store.installed("door-camera").version);
        assertArrayEquals(file("own.tflite"), store.open(new ModelStore(folder).list().get(0)));
    }

    @Test
    public void namesAreToldApart() throws Exception {
        ModelStore store = new ModelStore(folder);
        assertEquals("a (2)", store.keep(read("a.tflite", "own.tflite"), Arrays.asList("a")).name);
        assertEquals("a (3)", store.keep(read("a.sqz", "other.tflite"), Arrays.asList("a")).name);
        assertTrue(Double.isNaN(new ModelStore(folder).list().get(1).top1));
    }

    @Test
    public void aRemovedModelLeavesNothing() throws Exception {
        ModelStore store = new ModelStore(folder);
        ModelStore.Own first = store.keep(read("a", "own.tflite"), NONE);
        ModelStore.Own second = store.keep(read("b", "other.tflite"), NONE);
        store.remove(first);
        assertEquals(1, new ModelStore(folder).list().size());
        assertEquals(2, left().size());
        assertThrows(IOException.class, () -> store.open(first));
        store.remove(second);
        assertEquals(Collections.singleton("models.json"), left());
    }

    @Test
    public void whatEndsWhileItWritesLeavesWhatWas() throws Exception {
        ModelStore store = new ModelStore(folder);
        store.keep(read("a", "own.tflite"), NONE);
        TreeSet<String> before = left();
        Files.write(new File(folder, "half.tflite.part").toPath(), new byte[10]); // while it was written
        Files.write(new File(folder, "whole.tflite").toPath(), new byte[10]); // before it was listed
        assertEquals("a", new ModelStore(folder).list().get(0).name);
        assertEquals(before, left());
        assertTrue(new File(folder, "models.json.part").mkdir()); // the list cannot be written
        assertThrows(IOException.class, () -> store.keep(read("b", "other.tflite"), NONE));
        assertTrue(new File(folder, "models.json.part").mkdir());
        assertThrows(IOException.class, () -> store.remove(store.list().get(0)));
        assertEquals("a", store.list().get(0).name);
        assertEquals(1, store.list().size());
        assertEquals(before, left());
        assertEquals(1, new ModelStore(folder).list().size());
    }

    @Test
    public void aListThatIsNoneIsAnEmptyOne() throws Exception {
        for (String text : new String[] {"", "{", "[]", "{\"models\": 1}", "{\"models\": [{\"name\": \"a\"}]}",
            "{\"models\": [{\"name\": \"a\", \"bytes\": 1, \"classes\": 1, \"sha256\": \"../../x\"}]}"}) {
            folder.mkdirs();
            Files.write(new File(folder, "models.json").toPath(), text.getBytes("UTF-8"));
            assertTrue(text, new ModelStore(folder).list().isEmpty());
        }
    }

    @Test
    public void versionsOutliveAListOfModelsThatIsNone() throws Exception {
        new ModelStore(folder).keep(update("v4.squ"), NONE);
        File list = new File(folder, "models.json");
        String text = new String(Files.readAllBytes(list.toPath()), "UTF-8");
        Files.write(list.toPath(), text.replace("\"sha256\": \"", "\"sha256\": \"?").replaceFirst(
                "(?s)(installed.*)\\?", "$1").getBytes("UTF-8"));
        ModelStore store = new ModelStore(folder);
        assertTrue(store.list().isEmpty());
        assertEquals(4, store.installed("door-camera").version);
    }

    @Test
    public void aFileThatChangedIsRefused() throws Exception {
        ModelStore store = new ModelStore(folder);
        ModelStore.Own own = store.keep(read("a", "own.tflite"), NONE);
        Files.write(new File(folder, own.sha256 + ".tflite").toPath(), file("other.tflite"));
        assertThrows(SqzModel.ModelException.class, () -> store.open(own));
    }

    @Test
    public void anEndlessFileIsReadNoFurtherThanItMayBeLong() {
        final long[] given = new long[1];
        InputStream endless = new InputStream() {
            @Override
            public int read() {
                given[0]++;
                return 0;
            }

            @Override
            public int read(byte[] to, int at, int count) {
                given[0] += count;
                return count;
            }
        };
        SqzModel.ModelException error =
                assertThrows(SqzModel.ModelException.class, () -> ModelStore.bytes(endless));
        assertEquals(SqzModel.Fault.TOO_LARGE, error.fault);
        assertTrue(given[0] <= ModelStore.LARGEST + (1 << 16));
    }

    @Test
    public void namesFromOtherAppsAreTidied() {
        assertEquals("model", ModelStore.tidy(""));
        assertEquals("model", ModelStore.tidy(".tflite"));
        assertEquals("\uc0c8 \uc774\ub984", ModelStore.tidy("\uc0c8 \uc774\ub984.SQZ"));
        assertEquals("a b  c", ModelStore.tidy("a\nb\u202e\u0000c.tflite")); // no line, nothing that turns text round
        assertEquals("../etc/passwd", ModelStore.tidy("../etc/passwd")); // a name to show; files are named by hashes
        String birds = new String(new char[100]).replace("\0", "\ud83d\udc26");
        assertEquals(birds.substring(0, 60), ModelStore.tidy(birds));
        assertEquals("x ", ModelStore.tidy("x \ud83d").concat(" ").replace("  ", " "));
    }
}
