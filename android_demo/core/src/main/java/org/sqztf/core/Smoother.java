package org.sqztf.core;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Steadies the answers to a camera's frames, so that they can be read: probabilities follow the model's with a delay, and two
 * classes change places only where one is clearly ahead, or has been ahead for long.
 *
 * <p>After {@link #DELAY} a change has come through by 63 %, however many frames that took; after {@link #PATIENCE} of
 * frames that are alike the best stands first.
 */
public final class Smoother {
    /** The time constant, in nanoseconds. */
    public static final long DELAY = 250_000_000;
    /** How far a class must be ahead of the one that is shown before it, in probability. */
    public static final float AHEAD = 0.03f;
    /** How long a class must be ahead, in nanoseconds, for any lead to do: the lead that is asked for shrinks to nothing. */
    public static final long PATIENCE = 1_000_000_000;
    private static final float GONE = 0.002f;

    private final Map<Integer, Float> held = new HashMap<>();
    private final Map<Integer, String> labels = new HashMap<>();
    private final Map<Integer, Long> ahead = new HashMap<>(); // since when classes are ahead of one that is shown before them
    private List<Integer> order = new ArrayList<>(); // as they were shown last
    private long last;

    /** Forget all frames. */
    public void clear() {
        held.clear();
        labels.clear();
        ahead.clear();
        order.clear();
    }

    /**
     * Take the answers to a frame.
     *
     * @param answers best first; a class that is not among them counts as improbable
     * @param nanos when they were computed
     * @return the steady ones, as many at most
     */
    public List<SqzModel.Answer> add(List<SqzModel.Answer> answers, long nanos) {
        boolean first = held.isEmpty();
        float share = first ? 1 : (float) -Math.expm1(-Math.max(0.0, nanos - last) / DELAY);
        last = nanos;
        for (Map.Entry<Integer, Float> entry : held.entrySet()) {
            entry.setValue(entry.getValue() * (1 - share));
        }
        for (SqzModel.Answer answer : answers) {
            Float before = held.get(answer.index);
            held.put(answer.index, (before == null ? 0 : before) + share * answer.probability);
            labels.put(answer.index, answer.label);
        }
        forgetSmall(answers);
        watch();
        sort();
        List<SqzModel.Answer> steady = new ArrayList<>();
        for (int i = 0; i < Math.min(order.size(), answers.size()); i++) {
            int index = order.get(i);
            steady.add(new SqzModel.Answer(index, labels.get(index), held.get(index)));
        }
        return steady;
    }

    private void forgetSmall(List<SqzModel.Answer> answers) {
        List<Integer> now = new ArrayList<>();
        for (SqzModel.Answer answer : answers) {
            now.add(answer.index);
        }
        for (Iterator<Integer> indices = held.keySet().iterator(); indices.hasNext(); ) {
            Integer index = indices.next();
            if (held.get(index) < GONE && !now.contains(index)) {
                indices.remove();
                labels.remove(index);
            }
        }
        for (Integer index : now) {
            if (!order.contains(index)) {
                order.add(index);
            }
        }
        order.retainAll(held.keySet());
    }

    /** Note since when each class is ahead of one that is shown before it. */
    private void watch() {
        ahead.keySet().retainAll(order);
        float least = Float.MAX_VALUE;
        for (Integer index : order) {
            if (held.get(index) <= least) {
                ahead.remove(index);
            } else if (!ahead.containsKey(index)) {
                ahead.put(index, last);
            }
            least = Math.min(least, held.get(index));
        }
    }

    /** Let classes pass those before them that they are far or long enough ahead of; new ones were added at the end. */
    private void sort() {
        for (int i = 1; i < order.size(); i++) {
            for (int at = i; at > 0 && value(at) > value(at - 1) + lead(at); at--) {
                Collections.swap(order, at, at - 1);
            }
        }
    }

    private float value(int place) {
        return held.get(order.get(place));
    }

    /** The lead that takes a class before the one before it: less where little is at stake, and the longer it lasts. */
    private float lead(int place) {
        Long since = ahead.get(order.get(place));
        double left = since == null ? 1 : 1 - (last - since) / (double) PATIENCE;
        return Math.min(AHEAD, value(place - 1) / 4) * (float) Math.max(0, left);
    }
}
