package org.sqztf.core;

import org.sqztf.core.ScreenState.Message;

/** Something that was asked of another app and is not there yet; begins as nothing. */
final class Wait {
    private final Message reading;
    private final Message waiting;
    private Message now;
    private String app = "";

    /**
     * Wait for nothing yet.
     *
     * @param reading what is said at first
     * @param waiting what is said once the app has not answered for some time
     */
    Wait(Message reading, Message waiting) {
        this.reading = reading;
        this.waiting = waiting;
    }

    /** It is asked for. */
    void begin() {
        now = reading;
        app = "";
    }

    /** The app has not answered for some time. */
    void slow(String whose) {
        if (now != null) {
            now = waiting;
            app = whose;
        }
    }

    /** The app has answered; what it gave is still being opened. */
    void answered() {
        if (now != null) {
            begin();
        }
    }

    /** It is there, or nobody waits for it any more. */
    void end() {
        now = null;
        app = "";
    }

    boolean isOn() {
        return now != null;
    }

    boolean isSlow() {
        return now == waiting;
    }

    /** Return what to say; null where nothing is waited for. */
    Message message() {
        return now;
    }

    /** Return the app that has not answered; empty where none has to be named. */
    String app() {
        return app;
    }
}
