/* FULLY_CONNECTED for processors with Helium: four outputs at a time, so that an input is loaded once for all. */
#include "sqz_connected.h"
#include "sqz_dot.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#define VECTOR 16u

/* Four sums of products of one row with four rows of weights, `step` bytes apart. */
static void four_sums(const int8_t *inputs, const int8_t *weights, size_t step, unsigned count, int32_t *sums) {
    const int8_t *second = weights + step, *third = second + step, *fourth = third + step;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (; count >= VECTOR; count -= VECTOR, inputs += VECTOR) {
        const int8x16_t x = vldrbq_s8(inputs);
        a = vmladavaq_s8(a, x, vldrbq_s8(weights));
        b = vmladavaq_s8(b, x, vldrbq_s8(second));
        c = vmladavaq_s8(c, x, vldrbq_s8(third));
        d = vmladavaq_s8(d, x, vldrbq_s8(fourth));
        weights += VECTOR;
        second += VECTOR;
        third += VECTOR;
        fourth += VECTOR;
    }
    const mve_pred16_t left = vctp8q(count);
    const int8x16_t x = vldrbq_z_s8(inputs, left);
    sums[0] = vmladavaq_s8(a, x, vldrbq_z_s8(weights, left));
    sums[1] = vmladavaq_s8(b, x, vldrbq_z_s8(second, left));
    sums[2] = vmladavaq_s8(c, x, vldrbq_z_s8(third, left));
    sums[3] = vmladavaq_s8(d, x, vldrbq_z_s8(fourth, left));
}

static int32_t one_sum(const int8_t *inputs, const int8_t *weights, unsigned count) {
    int32_t sum = 0;
    for (; count >= VECTOR; count -= VECTOR, inputs += VECTOR, weights += VECTOR) {
        sum = vmladavaq_s8(sum, vldrbq_s8(inputs), vldrbq_s8(weights));
    }
    const mve_pred16_t left = vctp8q(count);
    return vmladavaq_s8(sum, vldrbq_z_s8(inputs, left), vldrbq_z_s8(weights, left));
}

#else

static void four_sums(const int8_t *inputs, const int8_t *weights, size_t step, unsigned count, int32_t *sums) {
    for (unsigned o = 0; o < 4; ++o) {
        sums[o] = sqz_dot(inputs, weights + o * step, count);
    }
}

static int32_t one_sum(const int8_t *inputs, const int8_t *weights, unsigned count) {
    return sqz_dot(inputs, weights, count);
}

#endif

void sqz_fully_connected_row_mve(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected *fc = params;
    const size_t step = (size_t)fc->height * fc->row_bytes;
    const int8_t *weights = fc->weights + (size_t)rows->y * fc->row_bytes;
    sqz_factor factor = sqz_factor_of(&fc->requant, 0);
    unsigned o = 0;
    for (; o + 4 <= fc->out_channels; o += 4, weights += 4 * step) {
        int32_t sums[4];
        four_sums(rows->in[0], weights, step, fc->row_bytes, sums);
        for (unsigned i = 0; i < 4; ++i) {
            sqz_connected_put(fc, rows, o + i, sums[i], &factor);
        }
    }
    for (; o < fc->out_channels; ++o, weights += step) {
        sqz_connected_put(fc, rows, o, one_sum(rows->in[0], weights, fc->row_bytes), &factor);
    }
}

void sqz_fully_connected_each_row_mve(const void *params, const sqz_rows *rows) {
    sqz_connected_each(params, rows, sqz_fully_connected_row_mve);
}
