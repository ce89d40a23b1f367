package org.sqztf.core;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** Pictures and what must come of them, written by the Python side (tests/helpers/android_cases.py) into one folder. */
final class Cases {
    /** Names the folder; tests that need it are left out where it is not set. */
    static final String FOLDER = "sqz.cases";

    private static final int YUV = 5;

    /** One picture, how it is turned, its model, and what Python made of it. */
    static final class Case {
        final String name;
        final int model;
        final int orientation;
        final SqzPicture.Pixels pixels;
        final byte[] input;
        /** Empty where the model was not run. */
        final byte[] output;
        final int[] top;

        private Case(String name, DataInputStream file) throws IOException {
            this.name = name;
            model = file.readInt();
            orientation = file.readInt();
            pixels = pixels(file);
            input = bytes(file);
            output = bytes(file);
            top = new int[file.readInt()];
            for (int i = 0; i < top.length; i++) {
                top[i] = file.readInt();
            }
        }

        private static SqzPicture.Pixels pixels(DataInputStream file) throws IOException {
            int kind = file.readInt();
            int width = file.readInt();
            int height = file.readInt();
            int rowStride = file.readInt();
            if (kind != YUV) {
                return new PackedPixels(bytes(file), width, height, rowStride, kind);
            }
            int uvRowStride = file.readInt();
            int uvPixelStride = file.readInt();
            YuvFrame frame = new YuvFrame();
            frame.copy(width, height, direct(bytes(file)), rowStride, direct(bytes(file)), direct(bytes(file)),
                    uvRowStride, uvPixelStride);
            return frame;
        }

        private static ByteBuffer direct(byte[] bytes) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length);
            buffer.put(bytes).rewind();
            return buffer;
        }
    }

    final List<byte[]> files = new ArrayList<>();
    final List<SqzModel> models = new ArrayList<>();
    final List<Case> cases = new ArrayList<>();

    /** Read the folder that {@link #FOLDER} names. */
    Cases() throws IOException, SqzModel.ModelException {
        this(System.getProperty(FOLDER));
    }

    /** Read a folder. */
    Cases(String folder) throws IOException, SqzModel.ModelException {
        try (DataInputStream file =
                new DataInputStream(new BufferedInputStream(Files.newInputStream(new File(folder, "cases").toPath())))) {
            for (int left = file.readInt(); left > 0; left--) {
                files.add(bytes(file));
                models.add(new SqzModel(files.get(files.size() - 1)));
            }
            for (int left = file.readInt(); left > 0; left--) {
                cases.add(new Case(file.readUTF(), file));
            }
        }
    }

    private static byte[] bytes(DataInputStream file) throws IOException {
        byte[] bytes = new byte[file.readInt()];
        file.readFully(bytes);
        return bytes;
    }
}
