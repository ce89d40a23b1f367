package org.sqztf.demo;

import android.app.Activity;
import android.app.Dialog;
import android.content.ActivityNotFoundException;
import android.content.DialogInterface;
import android.content.Intent;
import android.content.res.Resources;
import android.os.Build;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.ProgressBar;
import android.widget.TextView;
import org.sqztf.core.Bench;
import org.sqztf.core.BenchState;
import org.sqztf.core.Latency;
import org.sqztf.core.ScreenState;

/** The benchmark: what both kinds of kernels take, over the whole screen. */
final class BenchPage {

    /** What it can ask for. */
    interface Host {
        void start();

        void stop();

        /** The page was closed by the user. */
        void closed();
    }

    private static final int[] CARDS = {R.id.fast_card, R.id.exact_card};
    private static final int[] TIMES = {R.id.fast_time, R.id.exact_time};
    private static final int[] MORE = {R.id.fast_more, R.id.exact_more};
    private static final int[] NAMES = {R.string.fast_name, R.string.exact_name};

    private final Activity activity;
    private final Host host;
    private Dialog dialog;
    private BenchState state;
    private String chosen = "";
    private int threads = 1;

    BenchPage(Activity activity, Host host) {
        this.activity = activity;
        this.host = host;
    }

    boolean isOpen() {
        return dialog != null;
    }

    void open(ScreenState screen, BenchState measured) {
        chosen = screen.models.get(screen.model);
        threads = screen.threads;
        dialog = new Dialog(activity, R.style.Demo_Page);
        dialog.setContentView(R.layout.benchmark);
        dialog.setTitle(R.string.benchmark);
        dialog.getWindow().setLayout(ViewGroup.LayoutParams.MATCH_PARENT, ViewGroup.LayoutParams.MATCH_PARENT);
        Bars.keepClear(find(R.id.benchmark_root));
        listen();
        show(measured);
        dialog.show();
    }

    private void listen() {
        find(R.id.back).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                dialog.cancel();
            }
        });
        find(R.id.run).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                if (state.isRunning()) {
                    host.stop();
                } else {
                    host.start();
                }
            }
        });
        find(R.id.share).setOnClickListener(new View.OnClickListener() {
            @Override
            public void onClick(View view) {
                share();
            }
        });
        dialog.setOnCancelListener(new DialogInterface.OnCancelListener() {
            @Override
            public void onCancel(DialogInterface cancelled) {
                dialog = null;
                host.closed();
            }
        });
    }

    /** Take it away without telling the host: the activity ends. */
    void dismiss() {
        if (dialog != null) {
            dialog.dismiss();
            dialog = null;
        }
    }

    /** Return what it shows; null while it is closed. */
    Dialog dialog() {
        return dialog;
    }

    /** Show what was measured, if it is open. */
    void show(BenchState next) {
        state = next;
        if (dialog == null) {
            return;
        }
        for (int kind = 0; kind < CARDS.length; kind++) {
            showKind(kind);
        }
        ScreenView.setText(this.<TextView>find(R.id.about),
                activity.getString(R.string.benchmark_about, model(), Bench.WARM_UP, Bench.RUNS));
        ScreenView.showText(this.<TextView>find(R.id.ratio), ending());
        ProgressBar progress = find(R.id.progress);
        progress.setVisibility(state.isRunning() ? View.VISIBLE : View.INVISIBLE);
        progress.setMax(Math.max(1, state.of));
        progress.setProgress(state.done);
        this.<Button>find(R.id.run).setText(state.isRunning() ? R.string.benchmark_stop : R.string.benchmark_run);
        find(R.id.share).setVisibility(state.hasResult() && !state.isRunning() ? View.VISIBLE : View.GONE);
        find(R.id.run).setKeepScreenOn(state.isRunning());
    }

    /** Return the model that was measured; before one was, the one that was chosen when this was opened. */
    private String model() {
        return state.model.isEmpty() ? chosen : state.model;
    }

    private void showKind(int kind) {
        Resources resources = activity.getResources();
        Latency.Summary[] times = state.times(kind);
        String time = times == null ? "–" : resources.getString(R.string.benchmark_time, millis(times, Latency.TOTAL));
        String more = more(kind);
        this.<TextView>find(TIMES[kind]).setText(time);
        this.<TextView>find(MORE[kind]).setText(more);
        find(CARDS[kind]).setContentDescription(resources.getString(NAMES[kind]) + ", " + time + ", " + more);
    }

    private String more(int kind) {
        Resources resources = activity.getResources();
        Latency.Summary[] times = state.times(kind);
        if (state.running == kind) {
            return resources.getString(R.string.benchmark_running, state.done, state.of);
        }
        if (times == null) {
            return resources.getString(state.absent(kind) ? R.string.benchmark_absent : R.string.benchmark_none);
        }
        return resources.getString(R.string.benchmark_more, times[Latency.TOTAL].runs,
                times[Latency.TOTAL].p90 / 1e6, millis(times, Latency.PREPROCESS), millis(times, Latency.INFERENCE));
    }

    private static double millis(Latency.Summary[] times, int stage) {
        return times[stage].median / 1e6;
    }

    private String ending() {
        if (!state.fault.isEmpty()) {
            return activity.getString(R.string.benchmark_failed, state.fault);
        }
        return state.ratio() > 0 ? activity.getString(R.string.benchmark_ratio, state.ratio()) : "";
    }

    /** Return the result as text to share. */
    String text() {
        StringBuilder text = new StringBuilder();
        text.append(activity.getString(R.string.app_name)).append(": ").append(model()).append('\n');
        text.append(activity.getString(R.string.benchmark_device, Build.MANUFACTURER + " " + Build.MODEL,
                Build.VERSION.RELEASE, threads)).append('\n');
        for (int kind = 0; kind < CARDS.length; kind++) {
            text.append(find(CARDS[kind]).getContentDescription().toString().replace('\n', ' ')).append('\n');
        }
        return text.append(ending()).toString().trim();
    }

    private void share() {
        Intent send = new Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text());
        try {
            activity.startActivity(Intent.createChooser(send, activity.getString(R.string.share)));
        } catch (ActivityNotFoundException error) {
            find(R.id.share).setEnabled(false); // nobody takes text here
        }
    }

    @SuppressWarnings("unchecked")
    private <T extends View> T find(int id) {
        return (T) dialog.findViewById(id);
    }
}
