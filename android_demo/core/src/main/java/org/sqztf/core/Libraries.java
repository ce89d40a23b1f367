package org.sqztf.core;

/** The native libraries of the package, not all of which are there for every processor. */
final class Libraries {
    private Libraries() {}

    /** Load a library; return why it cannot be, or an empty text. */
    static String load(String name) {
        try {
            System.loadLibrary(name);
            return "";
        } catch (LinkageError error) {
            return name + " cannot be loaded: " + Errors.said(error);
        }
    }

    /** Make sure that a library was loaded; {@code fault} is what {@link #load} said. */
    static void require(String fault) {
        if (!fault.isEmpty()) {
            throw new IllegalStateException(fault);
        }
    }
}
