/* Channels of two output pixels that make no record of four, on a processor with SMLAD. */
#ifndef SQZ_TWOS_DSP_H
#define SQZ_TWOS_DSP_H
#include "sqz_tile_dsp.h"

#include <string.h>

/* As many records of two as hold `channels`. */
SQZ_CODE void sqz_dsp_twos(sqz_dsp_tile *tile, unsigned channels);

/* The next channels of both pixels, from tile->record on; a multiple of four but for the last. */
static inline SQZ_CODE void sqz_dsp_channels(sqz_dsp_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    tile->first = first;
    tile->second = second;
    if (channels >= 4) {
        sqz_dsp_put_fours(tile, channels, first, second);
    }
    if (channels % 4) {
        sqz_dsp_twos(tile, channels % 4);
    }
}

/* The same where the records of the last channels are filled up to four, at most three channels being no one's. */
static inline SQZ_CODE void sqz_dsp_filled_up(sqz_dsp_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    const unsigned rest = channels % 4;
    sqz_dsp_channels(tile, channels - rest, first, second);
    if (rest) {
        int8_t of_first[4], of_second[4];
        sqz_dsp_channels(tile, 4, of_first, of_second);
        memcpy(first + (channels - rest), of_first, rest);
        memcpy(second + (channels - rest), of_second, rest);
    }
}
#endif
