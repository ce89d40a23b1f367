package org.sqztf.demo;

import android.app.Activity;
import android.app.Dialog;
import android.content.res.Resources;
import android.os.Build;
import android.view.Gravity;
import android.view.View;
import android.view.ViewGroup;
import android.view.Window;
import android.widget.RadioGroup;
import android.widget.SeekBar;
import android.widget.TextView;
import org.sqztf.core.Screen;
import org.sqztf.core.ScreenState;
import org.sqztf.demo.newer.Spoken30;

/** The controls: which model, which kernels, how many threads. It comes up from the bottom. */
final class Sheet {
    /** Who opens what can be opened from it; it is closed by then. */
    interface Host {
        void openOwnModels();

        void openBench();
    }

    private static final int WIDEST = 640; // dp

    private final Activity activity;
    private final Screen screen;
    private final ModelChoices models;
    private final Host host;
    private Dialog dialog;
    private boolean dragged; // the finger has the bar for threads

    Sheet(Activity activity, Screen screen, Host host) {
        this.activity = activity;
        this.screen = screen;
        models = new ModelChoices(screen);
        this.host = host;
    }

    boolean isOpen() {
        return dialog != null && dialog.isShowing();
    }

    void open() {
        if (isOpen()) {
            return;
        }
        dialog = new Dialog(activity, R.style.Demo_Sheet);
        dragged = false;
        dialog.setContentView(R.layout.sheet);
        dialog.setTitle(R.string.controls);
        Window window = dialog.getWindow();
        Resources resources = activity.getResources();
        int widest = Math.round(WIDEST * resources.getDisplayMetrics().density);
        window.setGravity(Gravity.BOTTOM);
        window.setLayout(Math.min(widest, resources.getDisplayMetrics().widthPixels),
                ViewGroup.LayoutParams.WRAP_CONTENT);
        show(screen.state());
        listen();
        dialog.show();
    }

    void close() {
        if (dialog != null) {
            dialog.dismiss();
            dialog = null;
        }
    }

    /** Return what it shows; null while it is closed. */
    Dialog dialog() {
        return dialog;
    }

    private void listen() {
        this.<RadioGroup>find(R.id.kernels).setOnCheckedChangeListener(new RadioGroup.OnCheckedChangeListener() {
            @Override
            public void onCheckedChanged(RadioGroup group, int id) {
                screen.chooseFast(id == R.id.fast);
            }
        });
        this.<SeekBar>find(R.id.threads).setOnSeekBarChangeListener(new SeekBar.OnSeekBarChangeListener() {
            @Override
            public void onProgressChanged(SeekBar bar, int progress, boolean fromUser) {
                if (dragged) {
                    showThreads(progress + 1);
                } else if (fromUser) { // by a key or by TalkBack
                    screen.chooseThreads(progress + 1);
                }
            }

            @Override
            public void onStartTrackingTouch(SeekBar bar) {
                dragged = true;
            }

            @Override
            public void onStopTrackingTouch(SeekBar bar) {
                dragged = false;
                screen.chooseThreads(bar.getProgress() + 1);
            }
        });
        find(R.id.benchmark).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                close();
                host.openBench();
            }
        });
        find(R.id.own_models).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                close();
                host.openOwnModels();
            }
        });
    }

    /** Show a state, if it is open. */
    void show(ScreenState state) {
        if (dialog == null) {
            return;
        }
        models.show(this.<ViewGroup>find(R.id.models), state);
        this.<RadioGroup>find(R.id.kernels).check(state.fast ? R.id.fast : R.id.exact);
        ScreenView.showText(this.<TextView>find(R.id.kernels_note),
                state.isNote() ? Texts.message(activity.getResources(), state) : "");
        SeekBar threads = find(R.id.threads);
        threads.setMax(state.maxThreads - 1);
        threads.setEnabled(state.fast && state.maxThreads > 1);
        if (!dragged) { // frames come often: they must not pull it back
            threads.setProgress(state.threads - 1);
            showThreads(state.fast ? state.threads : 1); // exact kernels run on one
        }
        find(R.id.benchmark).setEnabled(state.modelReady);
    }

    private void showThreads(int count) {
        ScreenView.showText(this.<TextView>find(R.id.threads_heading), activity.getString(R.string.threads, count));
        String spoken = activity.getString(R.string.threads_spoken, count);
        if (Build.VERSION.SDK_INT >= 30) {
            Spoken30.state(find(R.id.threads), spoken); // instead of a percentage
        } else {
            find(R.id.threads).setContentDescription(spoken);
        }
    }

    @SuppressWarnings("unchecked")
    private <T extends View> T find(int id) {
        return (T) dialog.findViewById(id);
    }
}
