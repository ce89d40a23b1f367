package org.sqztf.core;

import java.util.ArrayList;
import java.util.List;

/** Which answers are worth showing: a list that goes on at zero in the order of classes says what nobody computed. */
public final class Answers {
    /** Answers that are less probable are not shown, but for the best. */
    public static final float THRESHOLD = 0.01f;
    /** Where the best is less probable, it is a guess. */
    public static final float SURE = 0.3f;

    private Answers() {}

    /**
     * Return those to show.
     *
     * @param answers best first
     * @return those from {@link #THRESHOLD} on; the best alone where it is below, none where it is not above zero
     */
    public static List<SqzModel.Answer> shown(List<SqzModel.Answer> answers) {
        List<SqzModel.Answer> shown = new ArrayList<>();
        for (SqzModel.Answer answer : answers) {
            boolean best = shown.isEmpty() && answer.probability > 0;
            if (best || answer.probability >= THRESHOLD) {
                shown.add(answer);
            }
        }
        return shown;
    }
}
