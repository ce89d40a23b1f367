package org.sqztf.demo;

import android.content.res.ColorStateList;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Rect;
import android.graphics.drawable.Drawable;
import android.text.Layout;
import android.view.View;
import android.view.ViewGroup;
import android.widget.AdapterView;
import android.widget.ImageView;
import android.widget.SeekBar;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a tool can tell of a screen that some people could not use: words that are cut, targets under 48 dp, things without a
 * name, and contrast under WCAG's 4.5 (3 for letters from 24 sp on, and for pictures on buttons).
 */
final class Accessible {
    private static final int TARGET = 48;

    private final View root;
    private final float density;
    private final float fontScale;
    private final List<String> faults = new ArrayList<>();

    private Accessible(View root) {
        this.root = root;
        density = root.getResources().getDisplayMetrics().density;
        fontScale = root.getResources().getConfiguration().fontScale;
    }

    /** Return what is wrong with what is shown. */
    static List<String> faults(View root) {
        Accessible checks = new Accessible(root);
        final List<View> shown = new ArrayList<>();
        Phone.walk(root, new Phone.Visitor() {
            @Override
            public void visit(View view) {
                shown.add(view);
            }
        });
        for (View view : shown) {
            checks.words(view);
            checks.target(view);
            checks.name(view);
        }
        checks.contrast(shown);
        return checks.faults;
    }

    private static String of(View view) {
        String id = view.getId() == View.NO_ID ? "" : view.getResources().getResourceEntryName(view.getId());
        String text = view instanceof TextView ? " " + ((TextView) view).getText() : "";
        return view.getClass().getSimpleName() + " " + id + text;
    }

    private void words(View view) {
        if (view instanceof TextView && cut((TextView) view)) {
            faults.add("cut: " + of(view));
        }
    }

    private static boolean cut(TextView view) {
        Layout layout = view.getLayout();
        if (layout == null || view.getText().length() == 0) {
            return false;
        }
        int last = layout.getLineCount() - 1;
        int room = view.getHeight() - view.getCompoundPaddingTop() - view.getCompoundPaddingBottom();
        return layout.getEllipsisCount(last) > 0 || layout.getHeight() > room;
    }

    private void target(View view) {
        int least = Math.round(TARGET * density);
        boolean touched = view.isClickable() && view.isEnabled() || view instanceof SeekBar;
        if (touched && (view.getHeight() < least || view.getWidth() < least)) {
            faults.add("under 48 dp: " + of(view));
        }
    }

    private void name(View view) {
        boolean wanted = view.isClickable() && !(view instanceof AdapterView) || view.isFocusable() && !(view instanceof ViewGroup)
                || view instanceof ImageView && view.isImportantForAccessibility();
        if (wanted && !named(view)) {
            faults.add("nameless: " + of(view));
        }
    }

    private boolean named(View view) {
        boolean text = view instanceof TextView && ((TextView) view).getText().length() > 0;
        CharSequence described = view.getContentDescription();
        return text || described != null && described.length() > 0 || labelled(view);
    }

    private boolean labelled(final View view) {
        final boolean[] found = {false};
        Phone.walk(root, new Phone.Visitor() {
            @Override
            public void visit(View other) {
                found[0] |= view.getId() != View.NO_ID && other.getLabelFor() == view.getId();
            }
        });
        return found[0];
    }

    // Contrast -----------------------------------------------------------------------------------------------

    private void contrast(List<View> shown) {
        Bitmap ground = withoutLetters(shown);
        for (View view : shown) {
            if (!view.isEnabled() || view.getAlpha() < 1) {
                continue; // what cannot be used may look so
            }
            if (view instanceof TextView && ((TextView) view).getText().length() > 0) {
                TextView text = (TextView) view;
                boolean large = text.getTextSize() >= 24 * density * fontScale;
                compare(view, text.getCurrentTextColor(), large ? 3 : 4.5, ground);
            } else if (view instanceof ImageView && ((ImageView) view).getImageTintList() != null) {
                ColorStateList tint = ((ImageView) view).getImageTintList();
                compare(view, tint.getColorForState(view.getDrawableState(), tint.getDefaultColor()), 3, ground);
            }
        }
    }

    /** Draw everything but letters and pictures on buttons. */
    private Bitmap withoutLetters(List<View> shown) {
        Map<TextView, ColorStateList> colours = new HashMap<>();
        Map<ImageView, Drawable> pictures = new HashMap<>();
        for (View view : shown) {
            if (view instanceof TextView) {
                colours.put((TextView) view, ((TextView) view).getTextColors());
                ((TextView) view).setTextColor(Color.TRANSPARENT);
            } else if (view instanceof ImageView && ((ImageView) view).getImageTintList() != null) {
                pictures.put((ImageView) view, ((ImageView) view).getDrawable());
                ((ImageView) view).setImageDrawable(null);
            }
        }
        Bitmap bitmap = Bitmap.createBitmap(root.getWidth(), root.getHeight(), Bitmap.Config.ARGB_8888);
        root.draw(new Canvas(bitmap));
        for (Map.Entry<TextView, ColorStateList> colour : colours.entrySet()) {
            colour.getKey().setTextColor(colour.getValue());
        }
        for (Map.Entry<ImageView, Drawable> picture : pictures.entrySet()) {
            picture.getKey().setImageDrawable(picture.getValue());
        }
        return bitmap;
    }

    private void compare(View view, int colour, double least, Bitmap ground) {
        Rect seen = new Rect();
        if (!view.getGlobalVisibleRect(seen)) {
            return;
        }
        int[] origin = new int[2];
        root.getLocationInWindow(origin);
        seen.offset(-origin[0], -origin[1]);
        TextView text = view instanceof TextView ? (TextView) view : null; // beside it there may be a picture
        seen.left += text == null ? view.getPaddingLeft() : text.getCompoundPaddingLeft();
        seen.right -= text == null ? view.getPaddingRight() : text.getCompoundPaddingRight();
        if (text == null) { // what lies beside the picture may be another ground
            Drawable picture = ((ImageView) view).getDrawable();
            seen.inset(Math.max(0, (seen.width() - picture.getIntrinsicWidth()) / 2), 0);
        }
        int quarter = seen.height() / 4; // corners are round
        double worst = 21;
        for (int y = seen.top + quarter; y < seen.bottom - quarter; y += 3) {
            for (int x = seen.left; x < seen.right; x += 3) {
                if (x >= 0 && y >= 0 && x < ground.getWidth() && y < ground.getHeight()) {
                    worst = Math.min(worst, ratio(colour, ground.getPixel(x, y)));
                }
            }
        }
        if (worst < least) {
            faults.add(String.format(Locale.ROOT, "contrast %.1f, under %.1f: %s", worst, least, of(view)));
        }
    }

    private static double ratio(int one, int other) {
        double first = light(one);
        double second = light(other);
        return (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05);
    }

    private static double light(int colour) {
        return 0.2126 * linear(Color.red(colour)) + 0.7152 * linear(Color.green(colour))
                + 0.0722 * linear(Color.blue(colour));
    }

    private static double linear(int channel) {
        double value = channel / 255.0;
        return value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4);
    }
}
