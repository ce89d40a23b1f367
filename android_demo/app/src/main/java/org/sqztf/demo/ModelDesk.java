package org.sqztf.demo;

import android.content.Context;
import android.net.Uri;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Executor;
import org.sqztf.core.Errors;
import org.sqztf.core.ModelStore;
import org.sqztf.core.Screen;
import org.sqztf.core.ScreenState;
import org.sqztf.core.ScreenState.Message;

/** Where models come in from other apps and go out again. For the main thread. */
final class ModelDesk {

    /** What the desk needs done. */
    interface Host {
        Screen screen();

        /** Ask whether to take the model that another app offers; answered by {@link ModelDesk#answerOffer}. */
        void askModel(String name);

        /** Do something on the thread that runs models; return whether there is one: not when the session has ended. */
        boolean work(Runnable action);
    }

    /** A model that another app offers. */
    private static final class Offer {
        final Uri uri;
        final String name;

        Offer(Uri uri, String name) {
            this.uri = uri;
            this.name = name;
        }
    }

    private final Context context;
    final Models models;
    private final Executor main;
    private final Host host;
    private final Readings names;
    private final Readings files;
    private Offer offer; // that the user is asked about; null for none

    /**
     * Begin without an offer.
     *
     * @param names reads the names of models that are offered
     * @param files reads models
     * @param main does something on the main thread, unless the session has ended by then
     */
    ModelDesk(Context context, Models models, Readings names, Readings files, Executor main, Host host) {
        this.context = context;
        this.models = models;
        this.main = main;
        this.host = host;
        this.names = names;
        this.files = files;
    }

    /** Return the user's own models, to be shown. */
    List<ModelStore.Own> own() {
        return models.own.list();
    }

    /** Another app gives a model, perhaps unasked: nothing of it is read before the user wants it. */
    void offer(final Uri uri) {
        final Offer unnamed = new Offer(uri, ModelStore.tidy(Models.last(uri)));
        String silent = names.start(uri, new Readings.Job() {
            @Override
            public void read(Readings.Reading reading) {
                String name = ModelStore.tidy(Models.name(context.getContentResolver(), uri));
                whileWanted(reading, offering(new Offer(uri, name)));
            }
        }, new Readings.Waiter() {
            @Override
            public void slow(String app) {
                names.giveUp();
                offered(unnamed);
            }

            @Override
            public void answered() {}
        });
        if (silent != null) {
            offered(unnamed);
        }
    }

    private Runnable offering(final Offer made) {
        return new Runnable() {
            @Override
            public void run() {
                offered(made);
            }
        };
    }

    private void offered(Offer made) {
        offer = made;
        askAgain();
    }

    /** Do something on the main thread, unless the reading is given up by then. */
    private void whileWanted(final Readings.Reading reading, final Runnable action) {
        main.execute(new Runnable() {
            @Override
            public void run() {
                if (!reading.isGivenUp()) {
                    action.run();
                }
            }
        });
    }

    /** Ask about the model that is offered, if one is and the user has not answered yet. */
    void askAgain() {
        if (offer != null) {
            host.askModel(offer.name);
        }
    }

    /** The user has answered, or nobody will. */
    void answerOffer(boolean wanted) {
        names.giveUp();
        Offer answered = offer;
        offer = null;
        if (wanted && answered != null) {
            open(answered.uri);
        }
    }

    /** Read a model from another app, keep it and use it; one before it that is not there yet is given up. */
    void open(Uri uri) {
        open(uri, false);
    }

    /** Tell whether the app takes updates. */
    boolean takesUpdates() {
        return models.bundled.trust != null;
    }

    /** Install the newest update of a folder that the user has named, as {@link #open}. */
    void openFolder(Uri tree) {
        open(tree, true);
    }

    private void open(final Uri uri, final boolean folder) {
        host.screen().modelReading();
        String silent = files.start(uri, new Readings.Job() {
            @Override
            public void read(Readings.Reading reading) {
                open(uri, folder, reading);
            }
        }, new Readings.Waiter() {
            @Override
            public void slow(String app) {
                host.screen().modelSlow(app);
            }

            @Override
            public void answered() {
                host.screen().modelAnswered();
            }
        });
        if (silent != null) {
            host.screen().modelRefused(Message.NOT_ANSWERED, silent);
        }
    }

    private void open(Uri uri, boolean folder, final Readings.Reading reading) {
        try {
            final ModelStore.Candidate found = models.read(context.getContentResolver(), uri, folder, reading);
            host.work(new Runnable() {
                @Override
                public void run() {
                    keep(found, reading);
                }
            });
        } catch (Models.RefusedException error) {
            refused(reading, error);
        }
    }

    /** Wait no longer for a model that is being read, tried out or kept. */
    void giveUp() {
        files.giveUp();
    }

    private void keep(ModelStore.Candidate found, Readings.Reading reading) {
        try {
            String name = models.keep(found, Session.engines, reading);
            if (name != null) {
                kept(name, reading);
            }
        } catch (Models.RefusedException error) {
            refused(reading, error);
        }
    }

    /** Use a model that is kept now, or only list it where it is no longer wanted. */
    private void kept(final String name, final Readings.Reading reading) {
        main.execute(new Runnable() {
            @Override
            public void run() {
                if (reading.isGivenUp()) {
                    changed();
                    return;
                }
                List<String> all = models.names();
                host.screen().modelOpened(all, all.indexOf(name));
            }
        });
    }

    private void refused(Readings.Reading reading, final Models.RefusedException error) {
        whileWanted(reading, new Runnable() {
            @Override
            public void run() {
                host.screen().modelRefused(error.why, Errors.said(error));
            }
        });
    }

    /** Use one of the user's own models. */
    void use(ModelStore.Own own) {
        Screen screen = host.screen();
        screen.chooseModel(screen.state().models.indexOf(own.name));
    }

    /** Remove one of the user's own models; where it was used, the first is from now on. */
    void remove(final ModelStore.Own own) {
        host.work(new Runnable() {
            @Override
            public void run() {
                String why = null;
                try {
                    models.own.remove(own);
                } catch (IOException error) {
                    why = Errors.said(error);
                }
                removed(why);
            }
        });
    }

    private void removed(final String why) {
        main.execute(new Runnable() {
            @Override
            public void run() {
                if (why == null) {
                    changed();
                } else {
                    host.screen().modelNotRemoved(why);
                }
            }
        });
    }

    /** Tell the screen which models there are; it goes on with the one of before. */
    private void changed() {
        ScreenState state = host.screen().state();
        List<String> all = models.names();
        host.screen().modelsChanged(all, state.models.isEmpty() ? -1 : all.indexOf(state.models.get(state.model)));
    }
}
