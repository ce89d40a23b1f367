/* FULLY_CONNECTED, fed with the rows of the map before it. */
#include "sqz_dot.h"
#include "sqz_requantize.h"

static int bits_of(uint64_t x) {
    int bits = 0;
    for (; x != 0; x >>= 1) {
        ++bits;
    }
    return bits;
}

/* x * factor rounded to a double's 53 bits, then to an integer with halves away from zero, for 0 <= x < 2^31. */
static int32_t scaled(uint32_t x, uint32_t high, uint32_t low, int shift) {
    const uint64_t lower = (uint64_t)x * low;
    uint64_t product = (uint64_t)x * high + (lower >> 31); /* in units of 2^31 */
    uint32_t rest = (uint32_t)(lower & INT32_MAX);
    /* A double's rounding matters only where it reaches up to a half: half of its last place is added. */
    const int spare = 31 + bits_of(product) - 53;
    rest += product != 0 && spare > 0 ? 1u << (spare - 1) : 0;
    product += rest >> 31;
    return shift < 32 + 63 ? (int32_t)((product + ((uint64_t)1 << (shift - 32))) >> (shift - 31)) : 0;
}

static int8_t requantize(const sqz_exact_requant *to, int32_t sum, unsigned c) {
    const unsigned i = c * to->step;
    const uint32_t magnitude = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const int32_t q = scaled(magnitude, (uint32_t)to->high[i], (uint32_t)to->low[i], to->shift[i]);
    return sqz_clamp((sum < 0 ? -q : q) + to->zero_point, to->lowest, to->highest);
}

void sqz_fully_connected_row(const void *params, const sqz_rows *rows) {
    const sqz_fully_connected *fc = params;
    int32_t *sums = rows->state;
    const int8_t *weights = fc->weights + (size_t)rows->y * fc->row_bytes;
    for (unsigned o = 0; o < fc->out_channels; ++o, weights += (size_t)fc->height * fc->row_bytes) {
        const int32_t sum = (rows->y ? sums[o] : fc->bias[o]) + sqz_dot(rows->in[0], weights, fc->row_bytes);
        if (rows->out) {
            rows->out[o] = requantize(&fc->requant, sum, o);
        } else {
            sums[o] = sum;
        }
    }
}
