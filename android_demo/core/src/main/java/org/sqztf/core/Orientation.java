package org.sqztf.core;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** How a picture must be turned to stand upright, as the numbers 1 to 8 of EXIF. */
public final class Orientation {
    public static final int UPRIGHT = 1;
    /** How much of a file {@link #ofFile} needs to see. */
    public static final int HEADER_BYTES = 256 * 1024;

    private static final int TAG = 0x0112;
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
     * Return the orientation that a JPEG, PNG or WebP file states.
     *
     * @param head the file's first bytes, {@link #HEADER_BYTES} of them or all
     * @return 1 to 8; 1 where nothing usable is said. Other formats are turned by their decoders.
     */
    public static int ofFile(byte[] head) {
        ByteBuffer data = ByteBuffer.wrap(head).order(ByteOrder.BIG_ENDIAN);
        try {
            if (head.length > 2 && data.getShort(0) == (short) 0xFFD8) {
                return jpeg(data);
            }
            if (head.length > 8 && data.getInt(0) == 0x89504E47) {
                return png(data);
            }
            if (head.length > 12 && data.getInt(0) == 0x52494646 && data.getInt(8) == 0x57454250) {
                return webp(data);
            }
        } catch (IndexOutOfBoundsException | BufferUnderflowException | ArithmeticException error) {
            return UPRIGHT; // a garbled header says nothing about the pixels
        }
        return UPRIGHT;
    }

    private static int jpeg(ByteBuffer data) {
        int at = 2;
        while ((data.get(at) & 0xFF) == 0xFF) {
            int marker = data.get(at + 1) & 0xFF;
            if (marker == 0xFF) { // fills a gap before a marker
                at++;
                continue;
            }
            if (marker == 0xDA || marker == 0xD9) {
                break;
            }
            int length = data.getShort(at + 2) & 0xFFFF;
            if (marker == 0xE1 && startsWith(data, at + 4, EXIF)) {
                return tiff(data, at + 4 + EXIF.length);
            }
            at += 2 + Math.max(2, length);
        }
        return UPRIGHT;
    }

    private static int png(ByteBuffer data) {
        int at = 8;
        while (true) {
            int length = data.getInt(at);
            int type = data.getInt(at + 4);
            if (type == 0x65584966) { // eXIf
                return tiff(data, at + 8);
            }
            if (type == 0x49454E44 || length < 0) { // IEND
                return UPRIGHT;
            }
            at = Math.addExact(at, 12) + length;
        }
    }

    private static int webp(ByteBuffer data) {
        data.order(ByteOrder.LITTLE_ENDIAN);
        int at = 12;
        while (at >= 12 && at + 8 <= data.capacity()) {
            int length = data.getInt(at + 4);
            if (data.getInt(at) == 0x46495845) { // EXIF
                int start = at + 8;
                return tiff(data, startsWith(data, start, EXIF) ? start + EXIF.length : start);
            }
            if (length < 0) { // would lead back
                return UPRIGHT;
            }
            at += 8 + length + (length & 1);
        }
        return UPRIGHT;
    }

    private static boolean startsWith(ByteBuffer data, int at, byte[] wanted) {
        for (int i = 0; i < wanted.length; i++) {
            if (data.get(at + i) != wanted[i]) {
                return false;
            }
        }
        return true;
    }

    /** Look the tag up in the first directory of a TIFF structure. */
    private static int tiff(ByteBuffer data, int start) {
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
