/* CONV_2D for processors with SMLAD where a sum may reach 2^23: no two weights share a halfword. */
#include "sqz_row_dsp.h"
#include "sqz_twos_dsp.h"

static void twos(sqz_dsp_tile *tile, unsigned channels, int8_t *first, int8_t *second) {
    tile->first = first;
    tile->second = second;
    sqz_dsp_twos(tile, channels);
}

void sqz_conv_row_dsp_wide(const void *params, const sqz_rows *rows) {
    sqz_dsp_row(params, rows, 0, twos);
}
