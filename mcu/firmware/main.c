/* Classify every case, row by row as from a camera, say the best five classes and compare with what is expected. */
#include "../boards/board.h"
#include "cases.h"
#include "model.h"
#include "text.h"

enum { BEST = 5 };
enum { VERDICT_GOOD = 0, VERDICT_DIFFERENT = 1, VERDICT_NO_CASES = 2, VERDICT_FAILED = 3 }; /* 4: processor fault */

_Alignas(SQZ_MODEL_ARENA_ALIGN) static uint8_t arena[SQZ_MODEL_ARENA_BYTES];
static int8_t output[SQZ_MODEL_OUTPUT_BYTES];

int sqz_infer(void);

/* One inference: what the benchmark counts. Returns a sqz_status. */
__attribute__((noinline)) int sqz_infer(void) {
    _Alignas(4) static int8_t row[SQZ_MODEL_INPUT_ROW_BYTES];
    sqz_status status = sqz_model_begin(arena, sizeof arena);
    for (uint32_t y = 0; status == SQZ_OK && y < SQZ_MODEL_INPUT_HEIGHT; y++) {
        status = cases_read(row, sizeof row) ? sqz_model_push_row(arena, row) : SQZ_ERROR_STATE;
    }
    return status == SQZ_OK ? sqz_model_finish(arena, output) : status;
}

/* The largest score below (or, at a higher index, equal to) the last one shown; ties go to the lower index. */
static uint32_t next_best(uint32_t last) {
    uint32_t best = SQZ_MODEL_OUTPUT_BYTES;
    for (uint32_t i = 0; i < SQZ_MODEL_OUTPUT_BYTES; i++) {
        const bool after = last == SQZ_MODEL_OUTPUT_BYTES || output[i] < output[last] || (output[i] == output[last] && i > last);
        if (after && (best == SQZ_MODEL_OUTPUT_BYTES || output[i] > output[best])) {
            best = i;
        }
    }
    return best;
}

#if defined(SQZ_MODEL_LABELS)
static void show_label(uint32_t index) {
    put("  ");
    put(sqz_model_labels[index]);
    put("\n");
}
#else
static void show_label(uint32_t index) {
    (void)index;
}
#endif

static void show_best(void) {
    uint32_t index = SQZ_MODEL_OUTPUT_BYTES;
    for (int rank = 0; rank < BEST; rank++) {
        index = next_best(index);
        if (index == SQZ_MODEL_OUTPUT_BYTES) {
            return;
        }
        put_number("class ", (int32_t)index, ' ');
        put_number("score ", output[index], '\n');
        show_label(index);
    }
}

/* Say where `expected` differs from the output, if it is the first place that does. Returns how many bytes differ. */
static uint32_t compare(const int8_t *expected, uint32_t from, uint32_t count, bool first) {
    uint32_t differences = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (expected[i] != output[from + i] && differences++ == 0 && first) {
            put_number("first difference at ", (int32_t)(from + i), ' ');
            put_number("got ", output[from + i], ' ');
            put_number("expected ", expected[i], '\n');
        }
    }
    return differences;
}

/* Returns true if the next bytes of the cases are the output. */
static bool as_expected(void) {
    int8_t expected[32];
    uint32_t differences = 0;
    for (uint32_t from = 0; from < SQZ_MODEL_OUTPUT_BYTES; from += sizeof expected) {
        const uint32_t left = SQZ_MODEL_OUTPUT_BYTES - from;
        const uint32_t count = left < sizeof expected ? left : sizeof expected;
        if (!cases_read(expected, count)) {
            put("cases end too early\n");
            return false;
        }
        differences += compare(expected, from, count, differences == 0);
    }
    if (differences) {
        put("different\n");
    } else {
        put("equal\n");
    }
    return differences == 0;
}

static int run_case(const cases *all) {
    const uint32_t before = board_ticks();
    const int status = sqz_infer();
    const uint32_t ticks = board_ticks() - before;
    if (status != 0) {
        put_number("failed with status ", status, '\n');
        return VERDICT_FAILED;
    }
    show_best();
    if (ticks != 0) {
        put_number("ticks ", (int32_t)ticks, '\n');
    }
    return !all->with_outputs || as_expected() ? VERDICT_GOOD : VERDICT_DIFFERENT;
}

static int run_cases(const cases *all) {
    int verdict = VERDICT_GOOD;
    for (uint32_t i = 0; i < all->count && verdict != VERDICT_FAILED; i++) {
        put_number("case ", (int32_t)i, '\n');
        const int this_one = run_case(all);
        verdict = this_one > verdict ? this_one : verdict;
    }
    return verdict;
}

int main(void) {
    cases all;
    board_start();
    put("model " SQZ_MODEL_NAME "\n");
    int verdict = VERDICT_NO_CASES;
    if (cases_open(&all)) {
        verdict = run_cases(&all);
    } else {
        put("no cases for this model\n");
    }
    put_number("stack ", (int32_t)board_stack_bytes(), '\n');
    put_number("verdict ", verdict, '\n');
    board_exit(verdict);
}
