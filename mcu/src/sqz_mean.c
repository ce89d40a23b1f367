/* MEAN over height and width: sums per channel, row by row, four channels at a time. */
#include "sqz_requantize.h"

static void add_four(const sqz_mean *mean, const int8_t *row, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (unsigned x = 0; x < mean->width; ++x, row += mean->channels) {
        a += row[0];
        b += row[1];
        c += row[2];
        d += row[3];
    }
    sums[0] += a;
    sums[1] += b;
    sums[2] += c;
    sums[3] += d;
}

static void add_one(const sqz_mean *mean, const int8_t *row, int32_t *sum) {
    for (unsigned x = 0; x < mean->width; ++x, row += mean->channels) {
        *sum += *row;
    }
}

static void add_row(const sqz_mean *mean, const int8_t *row, int32_t *sums) {
    unsigned c = 0;
    for (; c + 4 <= mean->channels; c += 4) {
        add_four(mean, row + c, sums + c);
    }
    for (; c < mean->channels; ++c) {
        add_one(mean, row + c, sums + c);
    }
}

void sqz_mean_row(const void *params, const sqz_rows *rows) {
    const sqz_mean *mean = params;
    int32_t *sums = rows->state;
    add_row(mean, rows->in[0], sums);
    if (rows->out) {
        for (unsigned c = 0; c < mean->channels; ++c) {
            rows->out[c] = sqz_requantize(&mean->requant, sums[c] - mean->zero_sum, 0);
        }
    }
}
