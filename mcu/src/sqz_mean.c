/* MEAN over height and width: sums per channel, row by row. */
#include "sqz_requantize.h"

static void add_row(const sqz_mean *mean, const int8_t *row, int32_t *sums) {
    for (unsigned c = 0; c < mean->channels; ++c) {
        int32_t sum = 0;
        for (unsigned x = 0; x < mean->width; ++x) {
            sum += row[(size_t)x * mean->channels + c];
        }
        sums[c] += sum;
    }
}

void sqz_mean_row(const void *params, const sqz_rows *rows) {
    const sqz_mean *mean = params;
    int32_t *sums = rows->state;
    add_row(mean, rows->in[0], sums);
    if (rows->out) {
        const int32_t zero = mean->input_zero_point * (int32_t)mean->pixels;
        for (unsigned c = 0; c < mean->channels; ++c) {
            rows->out[c] = sqz_requantize(&mean->requant, sums[c] - zero, c);
        }
    }
}
