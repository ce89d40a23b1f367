/* FULLY_CONNECTED for processors with SMLAD.
 *
 * Weights: for each four outputs and in them for each row, two outputs in a halfword as in sqz_tile_dsp.h, a row's
 * inputs filled up with zeros to a multiple of four; behind them as plain bytes [output, row] what makes no four.
 * _wide: all are plain. Scratch: 2 * row_bytes, rounded up to a multiple of 8. */
#include "sqz_connected.h"
#include "sqz_sums_dsp.h"

/* Outputs before `fours` lie four together. */
static SQZ_CODE void add_row(const sqz_fully_connected *fc, const sqz_rows *rows, unsigned fours) {
    uint32_t *const inputs = rows->scratch;
    const unsigned pairs = sqz_dsp_widen(inputs, rows->in[0], fc->row_bytes);
    const size_t four_bytes = 8 * (size_t)pairs, row_bytes = fc->row_bytes;
    const int8_t *weights = fc->weights + rows->y * four_bytes;
    sqz_factor factor = sqz_factor_of(&fc->requant, 0);
    unsigned o = 0;
    for (; o < fours; o += 4, weights += fc->height * four_bytes) {
        int32_t sums[4];
        sqz_dsp_four_sums(weights, inputs, pairs, sums);
        for (unsigned i = 0; i < 4; ++i) {
            sqz_connected_put(fc, rows, o + i, sums[i], &factor);
        }
    }
    weights += rows->y * row_bytes - rows->y * four_bytes;
    for (; o < fc->out_channels; ++o, weights += fc->height * row_bytes) {
        sqz_connected_put(fc, rows, o, sqz_dsp_one_sum(weights, inputs, fc->row_bytes), &factor);
    }
}

void sqz_fully_connected_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected *fc = params;
    add_row(fc, rows, fc->out_channels / 4u * 4);
}

void sqz_fully_connected_row_dsp_wide(const void *params, const sqz_rows *rows) {
    add_row(params, rows, 0);
}

void sqz_fully_connected_each_row_dsp(const void *params, const sqz_rows *rows) {
    sqz_connected_each(params, rows, sqz_fully_connected_row_dsp);
}

void sqz_fully_connected_each_row_dsp_wide(const void *params, const sqz_rows *rows) {
    sqz_connected_each(params, rows, sqz_fully_connected_row_dsp_wide);
}
