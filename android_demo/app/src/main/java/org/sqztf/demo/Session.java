package org.sqztf.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import org.sqztf.core.BenchJob;
import org.sqztf.core.BenchState;
import org.sqztf.core.Classifier;
import org.sqztf.core.Engine;
import org.sqztf.core.Errors;
import org.sqztf.core.Kernels;
import org.sqztf.core.Screen;
import org.sqztf.core.ScreenState;
import org.sqztf.core.ScreenState.Message;
import org.sqztf.core.SqzModel;

/**
 * What outlives a rotation: the state of the screen, the loaded model and the thread that runs it.
 *
 * <p>The activity of the moment is its {@link Shell}; between two of them there is none. Public methods are for the main
 * thread, except {@link #frame}.
 */
final class Session implements Screen.Effects, ModelDesk.Host, PhotoReader.Host, Frames.Host {

    /** What only an activity can do. */
    interface Shell {
        void askPermission();

        void openSettings();

        void openCamera();

        void closeCamera();

        void show(ScreenState state, Bitmap still);

        void showBench(BenchState state);

        /** Ask whether to take the model that another app offers; answered by {@link ModelDesk#answerOffer}. */
        void askModel(String name);
    }

    /** What makes engines; tests run another runtime than the phone's. */
    interface Engines {
        Engine open(byte[] file, SqzModel model, int threads, boolean fast);
    }

    static Engines engines = new Engines() {
        @Override
        public Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
            return Kernels.open(file, model, threads, fast);
        }
    };

    final Screen screen;
    final Benchmark bench;
    final ModelDesk desk;
    private final Context context;
    private final Models models;
    private final ExecutorService worker = Executors.newSingleThreadExecutor();
    private final Handler main = new Handler(Looper.getMainLooper());
    /** All that reads from other apps. */
    final List<Readings> readings = new ArrayList<>();
    private final PhotoReader photos;
    private final Frames frames = new Frames(this);
    private volatile int wanted; // the ticket of frames that are wanted, 0 for none
    private Classifier classifier; // on the worker's thread only
    private byte[] file; // on the worker's thread only: of the classifier's model
    private String name = ""; // on the worker's thread only: of the classifier's model
    private Frames.Frame shownFrame;
    private Bitmap still;
    private Shell shell;
    private boolean closed;

    Session(Context context, Map<String, String> saved) {
        this.context = context.getApplicationContext();
        models = new Models(this.context);
        List<String> names = models.names();
        Executor later = new Executor() {
            @Override
            public void execute(Runnable action) {
                onMain(action);
            }
        };
        photos = new PhotoReader(this.context, newReadings(), this);
        desk = new ModelDesk(this.context, models, newReadings(), newReadings(), later, this);
        bench = new Benchmark(worker, later, new Benchmark.Listener() {
            @Override
            public void changed(BenchState state) {
                if (shell != null) {
                    shell.showBench(state);
                }
            }
        });
        screen = new Screen(this, names, Runtime.getRuntime().availableProcessors(), saved);
        if (names.isEmpty()) {
            screen.noModels(models.bundled.fault);
        }
    }

    private Readings newReadings() {
        Readings made = new Readings(context, main);
        readings.add(made);
        return made;
    }

    /** Work for this activity from now on; null for none. */
    void attach(Shell next) {
        shell = next;
    }

    /** End for good. */
    void close() {
        shell = null;
        bench.stop();
        for (Readings each : readings) {
            each.giveUp();
        }
        closed = true;
        worker.execute(new Runnable() {
            @Override
            public void run() {
                closeClassifier();
            }
        });
        worker.shutdown();
    }

    /** Take a frame from the camera's thread, or drop it. */
    void frame(CameraFrame given, int orientation) {
        frames.take(given, orientation, wanted);
    }

    @Override
    public void unreadable() {
        onMain(new Runnable() {
            @Override
            public void run() {
                screen.cameraStopped(ScreenState.Camera.FAILED);
            }
        });
    }

    /** Do something on the main thread, unless the session has ended by then. */
    private void onMain(final Runnable action) {
        main.post(new Runnable() {
            @Override
            public void run() {
                if (!closed) {
                    action.run();
                }
            }
        });
    }

    // On the worker's thread ---------------------------------------------------------------------------------

    @Override
    public void classify(final int ticket, final Frames.Frame frame) {
        Classifier.Result result = null;
        try {
            result = classifier == null ? null : classifier.classify(frame.pixels, frame.orientation);
        } catch (RuntimeException | OutOfMemoryError error) {
            failed(ticket, error);
        } finally {
            final Classifier.Result done = result;
            onMain(new Runnable() {
                @Override
                public void run() {
                    showFrame(ticket, frame, done);
                }
            });
            frames.next();
        }
    }

    private void failed(final int ticket, final Throwable error) {
        onMain(new Runnable() {
            @Override
            public void run() {
                screen.engineFailed(ticket, Errors.said(error));
            }
        });
    }

    private void load(final int ticket, String model, Models.Source source, int threads, boolean fast) {
        closeClassifier();
        Message why = null;
        String what = "";
        try {
            Models.Opened found = source.open();
            file = found.file;
            name = model;
            classifier = new Classifier(found.model, engines.open(file, found.model, threads, fast));
        } catch (SqzModel.ModelException error) {
            why = Message.of(error.fault);
            what = Errors.said(error);
        } catch (IOException error) {
            why = Message.MODEL_DAMAGED;
            what = Errors.said(error);
        } catch (RuntimeException | LinkageError | OutOfMemoryError error) {
            why = Message.ENGINE_FAILED;
            what = Errors.said(error);
        }
        final Message fault = why;
        final String detail = what;
        final boolean runsFast = fault == null && classifier.fast();
        onMain(new Runnable() {
            @Override
            public void run() {
                if (fault == null) {
                    screen.modelLoaded(ticket, runsFast);
                } else {
                    screen.modelFailed(ticket, fault, detail);
                }
            }
        });
    }

    private void closeClassifier() {
        if (classifier != null) {
            classifier.close();
            classifier = null;
        }
    }

    @Override
    public void classify(final int ticket, Stills.Photo given) {
        try (Stills.Photo photo = given) {
            final Bitmap shown = Stills.shown(photo.bitmap, photo.orientation);
            final String reducedFrom = photo.reducedFrom;
            final Classifier.Result result =
                    classifier == null ? null : classifier.classify(photo.pixels, photo.orientation);
            onMain(new Runnable() {
                @Override
                public void run() {
                    showPhoto(ticket, shown, reducedFrom, result);
                }
            });
        } catch (OutOfMemoryError error) {
            photoFailed(ticket, Message.PHOTO_TOO_LARGE, Errors.said(error));
        } catch (Engine.Failure error) {
            failed(ticket, error);
        } catch (RuntimeException error) { // the photo's fault, not the model's
            photoFailed(ticket, Message.PHOTO_UNREADABLE, Errors.said(error));
        }
    }

    @Override
    public void photoFailed(final int ticket, final Message why, final String what) {
        onMain(new Runnable() {
            @Override
            public void run() {
                screen.photoFailed(ticket, why, what);
            }
        });
    }

    // The benchmark ------------------------------------------------------------------------------------------

    /** Measure the model that is loaded. */
    void startBench() {
        final int threads = screen.state().threads;
        bench.start(new BenchJob.Loaded() {
            @Override
            public SqzModel model() {
                return classifier == null ? null : classifier.model;
            }

            @Override
            public String name() {
                return name;
            }

            @Override
            public Engine open(boolean fast) {
                return engines.open(file, classifier.model, threads, fast);
            }
        });
    }

    // For the desk of models and the frames ------------------------------------------------------------------

    @Override
    public Screen screen() {
        return screen;
    }

    @Override
    public void askModel(String name) {
        if (shell != null) {
            shell.askModel(name);
        }
    }

    @Override
    public boolean work(Runnable action) {
        try {
            worker.execute(action);
            return true;
        } catch (RejectedExecutionException error) {
            return false;
        }
    }

    // Back on the main thread --------------------------------------------------------------------------------

    private void showFrame(int ticket, Frames.Frame frame, Classifier.Result result) {
        if (result == null || !screen.isLive()) {
            frames.giveBack(frame);
            return;
        }
        if (shownFrame != null) {
            frames.giveBack(shownFrame);
        }
        shownFrame = frame;
        screen.result(ticket, result);
    }

    private void showPhoto(int ticket, Bitmap shown, String reducedFrom, Classifier.Result result) {
        if (!screen.wants(ticket)) {
            return;
        }
        still = shown;
        if (!reducedFrom.isEmpty()) {
            screen.photoReduced(ticket, reducedFrom);
        }
        if (result != null) {
            screen.result(ticket, result);
        }
    }

    // What the screen asks for -------------------------------------------------------------------------------

    @Override
    public void askPermission() {
        if (shell != null) {
            shell.askPermission();
        }
    }

    @Override
    public void openSettings() {
        if (shell != null) {
            shell.openSettings();
        }
    }

    @Override
    public void openCamera() {
        if (shell != null) {
            shell.openCamera();
        }
    }

    @Override
    public void closeCamera() {
        wanted = 0;
        if (shell != null) {
            shell.closeCamera();
        }
    }

    @Override
    public void loadModel(final int ticket, int model, final int threads, final boolean fast) {
        final String chosen = screen.state().models.get(model);
        final Models.Source source = models.named(chosen);
        worker.execute(new Runnable() {
            @Override
            public void run() {
                load(ticket, chosen, source, threads, fast);
            }
        });
    }

    @Override
    public void classifyPhoto(int ticket, String uri) {
        photos.read(ticket, Uri.parse(uri));
    }

    @Override
    public void giveUpModel() {
        desk.giveUp();
    }

    @Override
    public void keepFrame() {
        still = shownFrame == null ? null : Stills.shown(shownFrame.pixels, shownFrame.orientation);
    }

    @Override
    public void dropPicture() {
        photos.giveUp();
        still = null;
    }

    @Override
    public void show(ScreenState state) {
        wanted = screen == null ? 0 : screen.frameTicket();
        if (shell != null) {
            shell.show(state, still);
        }
    }
}
