/* FULLY_CONNECTED for WebAssembly: four outputs at a time, sixteen inputs at a time. */
#include "sqz_connected.h"
#include "sqz_dot.h"
#include "sqz_wasm.h"

#if defined(SQZ_WASM_SIMD)
#define VECTOR 16u

/* Σ over sixteen inputs. */
SQZ_INLINE v128_t add(v128_t sum, v128_t low, v128_t high, const int8_t *weights) {
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(low, wasm_i16x8_load8x8(weights)));
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(high, wasm_i16x8_load8x8(weights + 8)));
}

/* The sums of neighbours in a, then in b. */
SQZ_INLINE v128_t add_pairs(v128_t a, v128_t b) {
    return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

/* Σ over a row for four outputs, whose weights are `step` bytes apart. */
static void four_sums(const int8_t *in, const int8_t *weights, size_t step, unsigned count, int32_t *sums) {
    v128_t a = wasm_i32x4_splat(0), b = a, c = a, d = a;
    for (; count >= VECTOR; count -= VECTOR, in += VECTOR, weights += VECTOR) {
        const v128_t low = wasm_i16x8_load8x8(in), high = wasm_i16x8_load8x8(in + 8);
        a = add(a, low, high, weights);
        b = add(b, low, high, weights + step);
        c = add(c, low, high, weights + 2 * step);
        d = add(d, low, high, weights + 3 * step);
    }
    wasm_v128_store(sums, add_pairs(add_pairs(a, b), add_pairs(c, d)));
    for (unsigned o = 0; o < 4; ++o) {
        sums[o] += sqz_dot(in, weights + o * step, count);
    }
}

#else

static void four_sums(const int8_t *in, const int8_t *weights, size_t step, unsigned count, int32_t *sums) {
    for (unsigned o = 0; o < 4; ++o) {
        sums[o] = sqz_dot(in, weights + o * step, count);
    }
}

#endif

void sqz_fully_connected_row_wasm(const void *params, const sqz_rows *rows) {
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
        sqz_connected_put(fc, rows, o, sqz_dot(rows->in[0], weights, fc->row_bytes), &factor);
    }
}

void sqz_fully_connected_each_row_wasm(const void *params, const sqz_rows *rows) {
    sqz_connected_each(params, rows, sqz_fully_connected_row_wasm);
}
