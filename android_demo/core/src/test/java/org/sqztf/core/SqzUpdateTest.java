package org.sqztf.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import org.junit.Before;
import org.junit.Test;

/** Updates that Python made and signed: which are taken, and by what name the others are refused. */
public class SqzUpdateTest {
    private static final String FOLDER = "sqz.updates";
    private static final String PRODUCT = "door-camera";
    private static final long INSTALLED = 3;

    @Before
    public void updatesAreThere() {
        assumeTrue(System.getProperty(FOLDER) != null);
    }

    private static byte[] file(String name) throws IOException {
        return Files.readAllBytes(new File(System.getProperty(FOLDER), name).toPath());
    }

    private static SqzUpdate.Trust trust(long version) throws IOException {
        byte[] other = file("key");
        other[31] ^= 1;
        return new SqzUpdate.Trust(PRODUCT, version, Arrays.asList(new byte[32], file("key"), other));
    }

    private static SqzUpdate.Installed installed(String name) throws IOException {
        return new SqzUpdate.Installed(INSTALLED, Catalog.sha256(file(name)));
    }

    private static byte[] taken(byte[] file) throws Exception {
        return SqzUpdate.read(file, trust(0), installed("content"), ModelStore.LARGEST, new Ed25519()).result(file);
    }

    private static SqzUpdate.Status refused(byte[] file, SqzUpdate.Trust trust, SqzUpdate.Installed installed) {
        return assertThrows(SqzUpdate.RefusedException.class, () ->
                SqzUpdate.read(file, trust, installed, ModelStore.LARGEST, new Ed25519()).result(file)).status;
    }

    @Test
    public void whatWasSignedComesOut() throws Exception {
        assertArrayEquals(file("other"), taken(file("v4.squ")));
        SqzUpdate update = SqzUpdate.read(Arrays.copyOf(file("v4.squ"), SqzUpdate.HEADER), trust(0), null, 1 << 20, new Ed25519());
        assertEquals(PRODUCT, update.model);
        assertEquals(4, update.version);
        assertEquals(file("other").length, update.bytes);
        assertEquals(Catalog.sha256(file("other")), update.sha256);
    }

    @Test
    public void eachWrongOneIsRefusedByTheNameThatADeviceHasForIt() throws Exception {
        int count = 0;
        for (String name : new File(System.getProperty(FOLDER)).list()) {
            if (name.contains("-")) {
                byte[] file = file(name);
                assertTrue(name, SqzUpdate.is(file) || name.startsWith("FORMAT"));
                assertEquals(name, "ERROR_" + name.substring(0, name.indexOf('-')),
                        refused(file, trust(0), installed("content")).toString());
                count++;
            }
        }
        assertTrue(count > 20);
    }

    @Test
    public void anAppWithoutAKeyTakesNothingAndSaysSoFirst() throws Exception {
        assertEquals(SqzUpdate.Status.ERROR_CONFIG, refused(file("v4.squ"), null, null));
        assertEquals(SqzUpdate.Status.ERROR_CONFIG, refused(file("FORMAT-cut_in_the_header.squ"), null, null));
    }

    @Test
    public void theInstalledVersionMayComeAgainAndNoOtherOfItsNumber() throws Exception {
        assertArrayEquals(file("content"), taken(file("v3.squ")));
        assertEquals(SqzUpdate.Status.ERROR_VERSION, refused(file("v3.squ"), trust(0), installed("other")));
        assertEquals(SqzUpdate.Status.ERROR_VERSION, refused(file("v3.squ"), trust(4), installed("content")));
        assertEquals(SqzUpdate.Status.ERROR_VERSION, refused(file("v3.squ"), trust(3), null));
        assertEquals(SqzUpdate.Status.ERROR_VERSION, refused(file("v4.squ"), trust(4), installed("content")));
        assertEquals(3, SqzUpdate.read(file("v3.squ"), trust(2), null, 1 << 20, new Ed25519()).version);
    }

    @Test
    public void everyBitThatIsSignedCounts() throws Exception {
        byte[] update = file("v4.squ");
        for (int bit = 0; bit < 8 * SqzUpdate.HEADER; bit++) {
            byte[] changed = update.clone();
            changed[bit / 8] ^= 1 << bit % 8;
            SqzUpdate.Status status = refused(changed, trust(0), null);
            assertEquals("bit " + bit, bit < 64 ? SqzUpdate.Status.ERROR_FORMAT
                    : bit >= 8 * 136 && bit < 8 * 144 ? SqzUpdate.Status.ERROR_KEY : SqzUpdate.Status.ERROR_SIGNATURE, status);
        }
    }

    @Test
    public void whatAnAppTrustsIsReadFromItsList() throws Exception {
        String models = "{\"format\": 1, \"models\": [{\"name\": \"a\", \"file\": \"b\", \"sha256\": \"c\", \"labels\": \"d\", "
                + "\"labels_sha256\": \"e\"}]";
        assertNull(list(models + "}").trust);
        String key = Catalog.hexadecimal(file("key"));
        SqzUpdate.Trust trust = list(models + ", \"updates\": {\"model\": \"door-camera\", \"version\": 3, \"keys\": [\"" + key
                + "\"]}}").trust;
        assertEquals(PRODUCT, trust.model);
        assertEquals(3, trust.version);
        assertArrayEquals(file("key"), trust.keys.get(0));
        for (String bad : new String[] {"1", "{}", "{\"model\": \"a\", \"version\": 1, \"keys\": []}",
            "{\"model\": \"a\", \"version\": 1, \"keys\": [\"" + key.substring(1) + "\"]}",
            "{\"model\": \"a\", \"version\": \"1\", \"keys\": [\"" + key + "\"]}", "{\"version\": 1, \"keys\": [\"" + key + "\"]}"}) {
            SqzModel.ModelException error =
                    assertThrows(bad, SqzModel.ModelException.class, () -> list(models + ", \"updates\": " + bad + "}"));
            assertEquals(SqzModel.Fault.DAMAGED, error.fault);
        }
    }

    private static Catalog list(String json) throws SqzModel.ModelException {
        return new Catalog(json.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    public void signaturesAreThoseOfRfc8032() {
        byte[] key = bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        byte[] signature = bytes("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        Ed25519 signatures = new Ed25519(); // RFC 8032, 7.1, test 2
        assertTrue(signatures.isRight(key, signature, new byte[] {0x72}));
        assertFalse(signatures.isRight(key, signature, new byte[] {0x73}));
        assertFalse(signatures.isRight(key, Arrays.copyOf(signature, 63), new byte[] {0x72}));
        signature[63] |= 0x20; // S is not below the order of the group
        assertFalse(signatures.isRight(key, signature, new byte[] {0x72}));
    }

    private static byte[] bytes(String hexadecimal) {
        byte[] bytes = new byte[hexadecimal.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(hexadecimal.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }

    @Test
    public void noModelIsOfferedThatWasNotSignedAsOne() throws Exception {
        byte[] file = file("v6_no_model.squ");
        SqzUpdate update = SqzUpdate.read(file, trust(0), null, ModelStore.LARGEST, new Ed25519());
        SqzModel.ModelException error =
                assertThrows(SqzModel.ModelException.class, () -> ModelStore.candidate(update, file));
        assertEquals(SqzModel.Fault.NOT_TFLITE, error.fault);
    }
}
