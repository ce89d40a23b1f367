/* CONV_2D for processors with SMLAD whose zero blocks of weights are left out. */
#include "sqz_row_dsp.h"
#include "sqz_tile_dsp_sparse.h"

void sqz_conv_row_dsp_sparse(const void *params, const sqz_rows *rows) {
    sqz_dsp_row(params, rows, 1, sqz_dsp_sparse_channels);
}
