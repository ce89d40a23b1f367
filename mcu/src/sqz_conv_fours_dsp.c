/* CONV_2D for processors with SMLAD where the output's channels are groups of four. */
#include "sqz_pairs_dsp.h"

void sqz_conv_fours_row_dsp(const void *params, const sqz_rows *rows) {
    const sqz_conv *conv = params;
    sqz_dsp_tile tile;
    sqz_dsp_begin(&tile, conv, rows, 0);
    sqz_dsp_put_pairs(&tile, conv->out_width, rows->out);
}
