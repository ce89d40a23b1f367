/* MEAN: sums per channel, row by row. */
#include "sqz_add_pixels.h"
#include "sqz_requantize.h"

void sqz_mean_row(const void *params, const sqz_rows *rows) {
    const sqz_mean *mean = params;
    int32_t *sums = rows->state;
    sqz_add_pixels(rows->in[0], mean->width, mean->channels, mean->channels, sums);
    if (rows->out) {
        for (unsigned c = 0; c < mean->channels; ++c) {
            rows->out[c] = sqz_requantize(&mean->requant, sums[c] - mean->zero_sum, 0);
            sums[c] = 0; /* for the next row, of a mean over width */
        }
    }
}
