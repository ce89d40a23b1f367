package org.sqztf.core;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** How a picture must be turned to stand upright, as the numbers 1 to 8 of EXIF. */
public final class Orientation {
    public static final int UPRIGHT = 1;
    /** The file is none of those that {@link #ofFile} reads. */
    public static final int UNKNOWN = 0;

    private static final int TAG = 0x0112;
    private static final int LARGEST_EXIF = 256 * 1024;
    private static final long FARTHEST = 1L << 30; // a stream without end is left there
    private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.US_ASCII);

    private Orientation() {}

    /**
     * Return the orientation of a camera's frame.
     *
     * @param sensor degrees the sensor is turned clockwise against the device's natural orientation
     * @param display degrees the display is turned from its natural orientation, as {@code Display.getRotation} means it
     * @param front whether the camera looks at the user; the frame is not mirrored
     */
    public static int ofCamera(int sensor, int display, boolean front) {
        int degrees = Math.floorMod(front ? sensor + display : sensor - display, 360);
        switch (degrees) {
            case 90:
                return 6;
            case 180:
                return 3;
            case 270:
                return 8;
            default:
                return UPRIGHT;
        }
    }

    /**
     * Return the orientation that a JPEG, PNG or WebP file states, wherever in the file that is.
     *
     * <p>{@code BitmapFactory} leaves pictures of every format as they are stored; decoders that turn them by
     * themselves need no orientation.
     *
     * @param file read as far as needed, from its start; not closed
     * @return 1 to 8, 1 where nothing usable is said; {@link #UNKNOWN} for other formats
     * @throws IOException the stream fails; one that is too short does not
     */
    public static int ofFile(InputStream file) throws IOException {
        DataInputStream data = new DataInputStream(file);
        try {
            int first = data.readUnsignedShort();
            if (first == 0xFFD8) {
                return jpeg(data);
            }
            int start = first << 16 | data.readUnsignedShort();
            data.readInt(); // the rest of PNG's mark, or a RIFF file's length
            if (start == 0x89504E47) {
                return png(data);
            }
            if (start == 0x52494646 && data.readInt() == 0x57454250) { // RIFF, WEBP
                return webp(data);
            }
            return UNKNOWN;
        } catch (EOFException | IndexOutOfBoundsException | ArithmeticException error) {
            return UPRIGHT; // a garbled header says nothing about the pixels
        }
    }

    private static int jpeg(DataInputStream data) throws IOException {
        while (data.readUnsignedByte() == 0xFF) {
            int marker = data.readUnsignedByte();
            while (marker == 0xFF) { // fills a gap before a marker
                marker = data.readUnsignedByte();
            }
            if (marker == 0xDA || marker == 0xD9) {
                break;
            }
            int length = Math.max(0, data.readUnsignedShort() - 2);
            byte[] segment = read(data, length);
            if (marker == 0xE1 && startsWithExif(segment)) {
                return tiff(segment, EXIF.length);
            }
        }
        return UPRIGHT;
    }

    private static int png(DataInputStream data) throws IOException {
        for (long at = 8; at < FARTHEST; ) {
            int length = data.readInt();
            int type = data.readInt();
            if (type == 0x65584966) { // eXIf
                return tiff(read(data, length), 0);
            }
            if (type == 0x49454E44 || length < 0) { // IEND
                break;
            }
            skip(data, length + 4L);
            at += length + 12L;
        }
        return UPRIGHT;
    }

    private static int webp(DataInputStream data) throws IOException {
        for (long at = 12; at < FARTHEST; ) {
            int type = data.readInt();
            int length = Integer.reverseBytes(data.readInt());
            if (type == 0x45584946) { // EXIF
                byte[] exif = read(data, length);
                return tiff(exif, startsWithExif(exif) ? EXIF.length : 0);
            }
            if (length < 0) {
                break;
            }
            skip(data, length + (length & 1));
            at += length + 8L;
        }
        return UPRIGHT;
    }

    /** Read so many bytes, or what can be of use of more. */
    private static byte[] read(DataInputStream data, int length) throws IOException {
        byte[] bytes = new byte[Math.max(0, Math.min(length, LARGEST_EXIF))];
        data.readFully(bytes);
        return bytes;
    }

    private static void skip(DataInputStream data, long bytes) throws IOException {
        for (long left = bytes; left > 0; ) {
            long skipped = data.skip(left);
            if (skipped <= 0) { // the end, or a stream that only reads
                data.readByte();
                skipped = 1;
            }
            left -= skipped;
        }
    }

    private static boolean startsWithExif(byte[] data) {
        return Arrays.equals(EXIF, Arrays.copyOf(data, EXIF.length));
    }

    /** Look the tag up in the first directory of a TIFF structure. */
    private static int tiff(byte[] bytes, int start) {
        ByteBuffer data = ByteBuffer.wrap(bytes);
        data.order(data.get(start) == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        int directory = Math.addExact(start, data.getInt(start + 4));
        int entries = data.getShort(directory) & 0xFFFF;
        for (int i = 0; i < entries; i++) {
            int entry = directory + 2 + 12 * i;
            if ((data.getShort(entry) & 0xFFFF) == TAG) {
                int value = data.getShort(entry + 8) & 0xFFFF;
                return value >= 1 && value <= 8 ? value : UPRIGHT;
            }
        }
        return UPRIGHT;
    }
}
