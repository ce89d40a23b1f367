package org.sqztf.demo;

import android.Manifest;
import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Context;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.hardware.camera2.CameraManager;
import android.hardware.display.DisplayManager;
import android.net.Uri;
import android.os.Build;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import android.provider.Settings;
import android.view.SurfaceView;
import android.view.View;
import android.widget.Toast;
import java.util.HashMap;
import java.util.Map;
import org.sqztf.core.BenchState;
import org.sqztf.core.ScreenState;
import org.sqztf.demo.newer.Photos33;

/** The one screen: passes what happens to {@link Session}, and carries out what only an activity can. */
public final class MainActivity extends Activity
        implements Session.Shell, CameraFeed.Listener, BenchPage.Host {
    private static final int ASK_CAMERA = 1;
    private static final int CHOOSE_PHOTO = 2;
    private static final int CHOOSE_MODEL = 3;
    private static final int CHOOSE_FOLDER = 4;
    private static final String SAVED = "screen";
    private static final String SHEET = "sheet";

    private Session session;
    private ScreenView view;
    private CameraFeed feed;
    private Viewfinder finder;
    private Sheet sheet;
    private BenchPage bench;
    private OwnModels own;
    private boolean started;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final Runnable begin = new Runnable() {
        @Override
        public void run() {
            session.screen.start(mayHaveCamera(), permitted(),
                    shouldShowRequestPermissionRationale(Manifest.permission.CAMERA));
        }
    };
    private final CameraManager.AvailabilityCallback cameras = new CameraManager.AvailabilityCallback() {
        @Override
        public void onCameraAvailable(String id) {
            feed.freed(id);
            if (feed.waitsFor(id)) {
                session.screen.cameraFree();
            }
        }
    };

    private final DisplayManager.DisplayListener displays = new DisplayManager.DisplayListener() {
        @Override
        public void onDisplayAdded(int display) {}

        @Override
        public void onDisplayRemoved(int display) {}

        @Override
        public void onDisplayChanged(int display) {
            feed.turn(displayDegrees()); // by half a turn the activity is not made anew
        }
    };

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.main);
        session = (Session) getLastNonConfigurationInstance();
        boolean fresh = session == null;
        if (fresh) {
            session = new Session(this, restored(saved));
        }
        view = new ScreenView(this);
        SurfaceView preview = ScreenView.find(this, R.id.preview);
        AspectLayout box = ScreenView.find(this, R.id.preview_box);
        feed = new CameraFeed(this, preview.getHolder(), box, this);
        finder = new Viewfinder(this, feed);
        bench = new BenchPage(this, this);
        own = new OwnModels(this, session, CHOOSE_MODEL, CHOOSE_FOLDER);
        sheet = new Sheet(this, session.screen, new Sheet.Host() {
            @Override
            public void openOwnModels() {
                own.show();
            }

            @Override
            public void openBench() {
                MainActivity.this.openBench();
            }
        });
        Bars.keepClear(findViewById(R.id.root));
        listen();
        show(session.screen.state(), null);
        if (saved != null && saved.getBoolean(SHEET)) {
            sheet.open();
        }
        if (session.bench.isOpen()) {
            bench.open(session.screen.state(), session.bench.state());
        }
        if (fresh && saved == null) {
            takeShared(getIntent());
        }
    }

    private void listen() {
        onClick(R.id.primary, new Runnable() {
            @Override
            public void run() {
                if (session.screen.state().primary() == ScreenState.Primary.PHOTO) {
                    choosePhoto();
                } else {
                    session.screen.freeze();
                }
            }
        });
        onClick(R.id.action, new Runnable() {
            @Override
            public void run() {
                session.screen.act();
            }
        });
        onClick(R.id.photo, new Runnable() {
            @Override
            public void run() {
                choosePhoto();
            }
        });
        Runnable open = new Runnable() {
            @Override
            public void run() {
                sheet.open();
            }
        };
        onClick(R.id.controls, open);
        onClick(R.id.model, open);
    }

    private void onClick(int id, final Runnable action) {
        findViewById(id).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                action.run();
            }
        });
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        takeShared(intent);
    }

    private static Map<String, String> restored(Bundle saved) {
        Map<String, String> values = new HashMap<>();
        Bundle screen = saved == null ? null : saved.getBundle(SAVED);
        if (screen != null) {
            for (String key : screen.keySet()) {
                values.put(key, screen.getString(key));
            }
        }
        return values;
    }

    @Override
    protected void onSaveInstanceState(Bundle out) {
        super.onSaveInstanceState(out);
        Bundle screen = new Bundle();
        for (Map.Entry<String, String> value : session.screen.save().entrySet()) {
            screen.putString(value.getKey(), value.getValue());
        }
        out.putBundle(SAVED, screen);
        out.putBoolean(SHEET, sheet.isOpen());
    }

    @Override
    public Object onRetainNonConfigurationInstance() {
        return session;
    }

    @Override
    protected void onStart() { // in split screen Android before 10 pauses the app that is not touched
        super.onStart();
        started = true;
        session.attach(this);
        session.desk.askAgain(); // before the device was turned
        listenToCameras(true);
        displayManager().registerDisplayListener(displays, main);
        if (!bench.isOpen()) { // which has the processor for itself
            begin();
        }
    }

    /** Begin when what comes with the start is there: a photo that was chosen or shared needs no camera. */
    private void begin() {
        main.removeCallbacks(begin);
        main.post(begin);
    }

    @Override
    protected void onStop() {
        listenToCameras(false);
        displayManager().unregisterDisplayListener(displays);
        main.removeCallbacks(begin);
        started = false;
        if (!isChangingConfigurations()) {
            session.bench.stop(); // nobody sees it
        }
        session.screen.stop();
        super.onStop();
    }

    @Override
    protected void onDestroy() {
        sheet.close();
        own.close();
        bench.dismiss();
        session.attach(null);
        if (!isChangingConfigurations()) {
            session.close();
        }
        super.onDestroy();
    }

    /** Return what outlives this activity. */
    Session session() {
        return session;
    }

    private CameraManager manager() {
        return (CameraManager) getSystemService(Context.CAMERA_SERVICE);
    }

    /** Hear which cameras are let go of, or no longer; their service may not answer to that either. */
    private void listenToCameras(final boolean on) {
        new Handler(CameraLink.looper()).post(new Runnable() {
            @Override
            public void run() {
                if (on) {
                    manager().registerAvailabilityCallback(cameras, main);
                } else {
                    manager().unregisterAvailabilityCallback(cameras);
                }
            }
        });
    }

    private DisplayManager displayManager() {
        return (DisplayManager) getSystemService(Context.DISPLAY_SERVICE);
    }

    @SuppressWarnings("deprecation")
    private int displayDegrees() {
        return 90 * getWindowManager().getDefaultDisplay().getRotation();
    }

    /** Tell whether the device has a camera or takes one: not asked of the cameras' service, which may not answer. */
    private boolean mayHaveCamera() {
        return getPackageManager().hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY);
    }

    private boolean permitted() {
        return checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED;
    }

    // Photos -------------------------------------------------------------------------------------------------

    private void choosePhoto() {
        for (Intent choose : choosers()) {
            try {
                startActivityForResult(choose, CHOOSE_PHOTO);
                return;
            } catch (ActivityNotFoundException error) {
                continue; // the next
            }
        }
        Toast.makeText(this, R.string.message_no_gallery, Toast.LENGTH_LONG).show(); // what the screen says stays true
    }

    private static Intent[] choosers() {
        Intent files = new Intent(Intent.ACTION_GET_CONTENT).setType("image/*").addCategory(Intent.CATEGORY_OPENABLE);
        return Build.VERSION.SDK_INT >= 33 ? new Intent[] {Photos33.picker(), files} : new Intent[] {files};
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        super.onActivityResult(request, result, data);
        if (request == CHOOSE_PHOTO && result == RESULT_OK && data != null && data.getData() != null) {
            session.screen.photo(data.getData().toString());
        } else if (request == CHOOSE_MODEL && result == RESULT_OK && data != null && data.getData() != null) {
            session.desk.open(data.getData());
        } else if (request == CHOOSE_FOLDER && result == RESULT_OK && data != null && data.getData() != null) {
            session.desk.openFolder(data.getData());
        }
    }

    private void takeShared(Intent intent) {
        Given given = Given.of(intent);
        if (given == null) {
            return;
        }
        boolean measured = bench.isOpen();
        clear();
        if (given.model) {
            session.desk.offer(given.uri);
        } else {
            session.screen.photo(given.uri.toString());
        }
        if (started && measured) { // the camera was closed for it
            begin();
        }
    }

    /** Close what lies over the screen, and stop what the worker does for it. */
    private void clear() {
        sheet.close();
        own.close();
        session.desk.answerOffer(false);
        bench.dismiss();
        session.bench.close();
    }

    // What the session asks for ------------------------------------------------------------------------------

    @Override
    public void askModel(String name) {
        own.ask(name);
    }

    @Override
    public void askPermission() {
        requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_CAMERA);
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
        if (request == ASK_CAMERA) {
            session.screen.permission(permitted(), results.length == 0 // interrupted, not answered
                    || shouldShowRequestPermissionRationale(Manifest.permission.CAMERA));
        }
    }

    @Override
    public void openSettings() {
        try {
            startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS,
                    Uri.fromParts("package", getPackageName(), null)));
        } catch (ActivityNotFoundException error) {
            startActivity(new Intent(Settings.ACTION_SETTINGS));
        }
    }

    @Override
    public void openCamera() {
        feed.open(displayDegrees());
    }

    @Override
    public void closeCamera() {
        feed.close();
    }

    @Override
    public void show(ScreenState state, Bitmap still) {
        view.show(state, still);
        sheet.show(state);
        finder.show(state.source == ScreenState.Source.LIVE && state.camera == ScreenState.Camera.RUNNING);
    }

    // The benchmark ------------------------------------------------------------------------------------------

    private void openBench() {
        session.screen.stop();
        session.bench.open();
        bench.open(session.screen.state(), session.bench.state());
    }

    @Override
    public void start() {
        session.startBench();
    }

    @Override
    public void stop() {
        session.bench.stop();
    }

    @Override
    public void closed() {
        session.bench.close();
        begin();
    }

    @Override
    public void showBench(BenchState state) {
        bench.show(state);
    }

    // What the camera tells ----------------------------------------------------------------------------------

    @Override
    public void onRunning() {
        session.screen.cameraRunning();
    }

    @Override
    public void onStopped(ScreenState.Camera why) {
        session.screen.cameraStopped(why);
    }

    @Override
    public void onFrame(CameraFrame frame, int orientation) {
        session.frame(frame, orientation);
    }
}
