package org.sqztf.demo;

import android.content.ContentResolver;
import android.database.Cursor;
import android.net.Uri;
import android.provider.DocumentsContract;
import android.provider.DocumentsContract.Document;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.SqzUpdate;

/** Updates in a folder that the user has named. */
final class UpdateFolder {
    private static final int MOST = 1000; // updates of a folder that are looked at

    /** Tells what an update says of itself, from its first bytes. */
    interface Judge {
        SqzUpdate update(byte[] beginning) throws SqzUpdate.RefusedException;
    }

    private UpdateFolder() {}

    /**
     * Return the address of the newest update that may be installed.
     *
     * @param tree what the system's chooser returned
     * @throws SqzUpdate.RefusedException none may: why the one that comes nearest may not
     * @throws Models.RefusedException there is none
     */
    static Uri newest(ContentResolver resolver, Uri tree, Judge judge, Readings.Reading reading)
            throws IOException, SqzUpdate.RefusedException, Models.RefusedException {
        Uri newest = null;
        long version = -1;
        SqzUpdate.RefusedException refusal = null;
        IOException unread = null;
        for (Uri each : updates(resolver, tree)) {
            try {
                SqzUpdate update = judge.update(beginning(resolver, each, reading));
                if (update.version > version) {
                    newest = each;
                    version = update.version;
                }
            } catch (SqzUpdate.RefusedException error) {
                refusal = refusal == null || error.status.compareTo(refusal.status) > 0 ? error : refusal;
            } catch (IOException error) { // another may be there
                unread = error;
            }
        }
        if (newest == null && refusal != null) {
            throw refusal;
        }
        if (newest == null && unread != null) {
            throw unread;
        }
        if (newest == null) {
            throw new Models.RefusedException(Message.NO_UPDATE, "");
        }
        return newest;
    }

    private static List<Uri> updates(ContentResolver resolver, Uri tree) throws IOException {
        if (!Given.isContent(tree)) {
            throw new IOException(tree.getScheme() + ":");
        }
        List<Uri> found = new ArrayList<>();
        Uri children = DocumentsContract.buildChildDocumentsUriUsingTree(tree, DocumentsContract.getTreeDocumentId(tree));
        String[] columns = {Document.COLUMN_DOCUMENT_ID, Document.COLUMN_DISPLAY_NAME, Document.COLUMN_MIME_TYPE};
        try (Cursor row = resolver.query(children, columns, null, null, null)) {
            if (row == null) {
                throw new FileNotFoundException(tree.toString());
            }
            while (found.size() < MOST && row.moveToNext()) {
                String name = row.getString(1);
                boolean isFile = !Document.MIME_TYPE_DIR.equals(row.getString(2));
                if (isFile && name != null && name.toLowerCase(Locale.ROOT).endsWith(".squ")) {
                    found.add(DocumentsContract.buildDocumentUriUsingTree(tree, row.getString(0)));
                }
            }
        }
        return found;
    }

    private static byte[] beginning(ContentResolver resolver, Uri uri, Readings.Reading reading) throws IOException {
        byte[] beginning = new byte[SqzUpdate.HEADER];
        int count = 0;
        try (InputStream stream = Given.open(resolver, uri, reading)) {
            for (int got = 0; got >= 0 && count < beginning.length; count += Math.max(0, got)) {
                got = stream.read(beginning, count, beginning.length - count);
            }
        }
        return Arrays.copyOf(beginning, count);
    }
}
