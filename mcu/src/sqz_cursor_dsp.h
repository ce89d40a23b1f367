/* Where a patch's next inputs go, on a processor with SMLAD: the order of sqz_tile_dsp.h. */
#ifndef SQZ_CURSOR_DSP_H
#define SQZ_CURSOR_DSP_H
#include "sqz_dsp.h"
#include "sqz_tile_dsp.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define SQZ_FIRST_HALF 2 /* where it lies in a word */
#else
#define SQZ_FIRST_HALF 0
#endif

/* Where the next inputs go: those in groups of four, and as int16 those left over, with the bytes from one to the next. */
typedef struct sqz_cursor {
    uint32_t *fours;
    int8_t *single;
    int step;
} sqz_cursor;

static inline sqz_cursor sqz_begin_patch(const sqz_dsp_tile *tile) {
    const sqz_window *window = &tile->window;
    int8_t *const singles = (int8_t *)(tile->patch + window->rows * (window->bytes / 4 * 4));
    return (sqz_cursor){tile->patch, singles + SQZ_FIRST_HALF, SQZ_FIRST_HALF ? -2 : 2};
}

static inline void sqz_store_half(int8_t *to, int value) {
    const int16_t half = (int16_t)value;
    memcpy(to, &half, sizeof half);
}

/* A kernel row's inputs of both pixels. */
static inline void sqz_widen_row(sqz_cursor *at, const int8_t *first, const int8_t *second, unsigned bytes, uint32_t centre) {
    const int8_t *const end = first + bytes, *const whole = first + bytes / 4 * 4;
    if (first != whole) {
        at->fours = sqz_widen(at->fours, first, second, whole, centre);
    }
    for (second += whole - first, first = whole; first != end; ++first, ++second) {
        sqz_store_half(at->single, *first + (int16_t)centre);
        sqz_store_half(at->single + 4, *second + (int16_t)centre);
        at->single += at->step;
        at->step = 8 - at->step;
    }
}
#endif
