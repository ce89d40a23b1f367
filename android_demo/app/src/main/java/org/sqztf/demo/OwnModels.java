package org.sqztf.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.DialogInterface;
import android.content.Intent;
import android.widget.Toast;
import java.util.ArrayList;
import java.util.List;
import org.sqztf.core.ModelStore;

/** The list of the user's own models: what each is, another one from a file, and away with one. */
final class OwnModels {
    private final Activity activity;
    private final Session session;
    private final int request;

    /** Answer in {@code activity.onActivityResult} with this request. */
    OwnModels(Activity activity, Session session, int request) {
        this.activity = activity;
        this.session = session;
        this.request = request;
    }

    /** Show the list. */
    AlertDialog show() {
        final List<ModelStore.Own> models = session.ownModels();
        AlertDialog.Builder dialog = new AlertDialog.Builder(activity).setTitle(R.string.own_models)
                .setNegativeButton(android.R.string.cancel, null)
                .setPositiveButton(R.string.open_file, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface shown, int button) {
                        open();
                    }
                });
        if (models.isEmpty()) {
            return dialog.setMessage(R.string.own_models_none).show();
        }
        return dialog.setItems(lines(models), new DialogInterface.OnClickListener() {
            @Override
            public void onClick(DialogInterface shown, int place) {
                show(models.get(place));
            }
        }).show();
    }

    private CharSequence[] lines(List<ModelStore.Own> models) {
        List<String> lines = new ArrayList<>();
        for (ModelStore.Own model : models) {
            lines.add(model.name + "\n" + Texts.of(activity, model));
        }
        return lines.toArray(new CharSequence[0]);
    }

    private void show(final ModelStore.Own model) {
        new AlertDialog.Builder(activity).setTitle(model.name).setMessage(Texts.of(activity, model))
                .setNegativeButton(R.string.remove, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface shown, int button) {
                        session.removeModel(model);
                    }
                })
                .setPositiveButton(R.string.use, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface shown, int button) {
                        session.useModel(model);
                    }
                }).show();
    }

    private void open() {
        Intent choose = new Intent(Intent.ACTION_GET_CONTENT).setType("*/*").addCategory(Intent.CATEGORY_OPENABLE);
        try {
            activity.startActivityForResult(choose, request);
        } catch (ActivityNotFoundException error) {
            Toast.makeText(activity, R.string.message_no_files, Toast.LENGTH_LONG).show();
        }
    }
}
