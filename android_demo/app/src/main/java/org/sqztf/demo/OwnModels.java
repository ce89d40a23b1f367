package org.sqztf.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.DialogInterface;
import android.content.Intent;
import android.graphics.Typeface;
import android.text.SpannableStringBuilder;
import android.text.Spanned;
import android.text.style.RelativeSizeSpan;
import android.text.style.StyleSpan;
import android.widget.Toast;
import java.util.ArrayList;
import java.util.List;
import org.sqztf.core.ModelStore;

/** The list of the user's own models: what each is, another one from a file, and away with one. */
final class OwnModels {
    private final Activity activity;
    private final Session session;
    private final int request;
    private final int folderRequest;
    private AlertDialog shown;

    /** Answer in {@code activity.onActivityResult} with these requests, for a file and for a folder. */
    OwnModels(Activity activity, Session session, int request, int folderRequest) {
        this.activity = activity;
        this.session = session;
        this.request = request;
        this.folderRequest = folderRequest;
    }

    /** Take away what is shown, without an answer. */
    void close() {
        if (shown != null) {
            shown.dismiss();
            shown = null;
        }
    }

    private void show(AlertDialog.Builder dialog) {
        close();
        shown = dialog.setOnDismissListener(new DialogInterface.OnDismissListener() {
            @Override
            public void onDismiss(DialogInterface dismissed) {
                if (dismissed == shown) {
                    shown = null;
                    session.desk.askAgain(); // it would have taken its place
                }
            }
        }).show();
    }

    private AlertDialog.Builder titled(CharSequence title) {
        return new AlertDialog.Builder(activity).setTitle(title).setNegativeButton(android.R.string.cancel, null);
    }

    /** Show the list. */
    void show() {
        final List<ModelStore.Own> models = session.desk.own();
        AlertDialog.Builder dialog = titled(activity.getString(R.string.own_models))
                .setPositiveButton(R.string.open_file, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface from, int button) {
                        open();
                    }
                });
        if (session.desk.takesUpdates()) {
            dialog.setNeutralButton(R.string.open_folder, new DialogInterface.OnClickListener() {
                @Override
                public void onClick(DialogInterface from, int button) {
                    choose(new Intent(Intent.ACTION_OPEN_DOCUMENT_TREE), folderRequest);
                }
            });
        }
        if (models.isEmpty()) {
            show(dialog.setMessage(R.string.own_models_none));
            return;
        }
        show(dialog.setItems(lines(models), new DialogInterface.OnClickListener() {
            @Override
            public void onClick(DialogInterface from, int place) {
                show(models.get(place));
            }
        }));
    }

    private CharSequence[] lines(List<ModelStore.Own> models) {
        List<CharSequence> lines = new ArrayList<>();
        for (ModelStore.Own model : models) {
            lines.add(line(model));
        }
        return lines.toArray(new CharSequence[0]);
    }

    /** Return a row of the list: the name, and what there is to know of it smaller. */
    private CharSequence line(ModelStore.Own model) {
        SpannableStringBuilder line = new SpannableStringBuilder(model.name);
        line.append('\n').append(Texts.of(activity, model));
        int end = model.name.length();
        line.setSpan(new StyleSpan(Typeface.BOLD), 0, end, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE);
        line.setSpan(new RelativeSizeSpan(0.875f), end, line.length(), Spanned.SPAN_EXCLUSIVE_EXCLUSIVE);
        return line;
    }

    private void show(final ModelStore.Own model) {
        show(titled(model.name).setMessage(Texts.of(activity, model))
                .setNeutralButton(R.string.remove, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface from, int button) {
                        askToRemove(model);
                    }
                })
                .setPositiveButton(R.string.use, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface from, int button) {
                        session.desk.use(model);
                    }
                }));
    }

    private void askToRemove(final ModelStore.Own model) {
        show(titled(activity.getString(R.string.remove_question, model.name)).setMessage(R.string.remove_about)
                .setPositiveButton(R.string.remove, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface from, int button) {
                        session.desk.remove(model);
                    }
                }));
    }

    /** Ask whether to take the model that another app offers; later, where something is shown: not under a finger. */
    void ask(String name) {
        if (shown != null) {
            return;
        }
        AlertDialog.Builder question = new AlertDialog.Builder(activity)
                .setTitle(activity.getString(R.string.add_question, name)).setMessage(R.string.add_about)
                .setNegativeButton(android.R.string.cancel, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface from, int button) {
                        session.desk.answerOffer(false);
                    }
                })
                .setPositiveButton(R.string.add, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface from, int button) {
                        session.desk.answerOffer(true);
                    }
                })
                .setOnCancelListener(new DialogInterface.OnCancelListener() {
                    @Override
                    public void onCancel(DialogInterface cancelled) {
                        session.desk.answerOffer(false);
                    }
                });
        show(question);
    }

    private void open() {
        choose(new Intent(Intent.ACTION_GET_CONTENT).setType("*/*").addCategory(Intent.CATEGORY_OPENABLE), request);
    }

    private void choose(Intent chooser, int answered) {
        try {
            activity.startActivityForResult(chooser, answered);
        } catch (ActivityNotFoundException error) {
            Toast.makeText(activity, R.string.message_no_files, Toast.LENGTH_LONG).show();
        }
    }
}
