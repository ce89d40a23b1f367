package org.sqztf.core;

/** Words for errors. */
public final class Errors {
    private Errors() {}

    /** Return what an error says, or what it is where it says nothing: never an empty text. */
    public static String said(Throwable error) {
        String said = error.getMessage();
        return said == null || said.isEmpty() ? error.getClass().getSimpleName() : said;
    }
}
