/* CONV_2D for processors with SMLAD. */
#include "sqz_row_dsp.h"
#include "sqz_twos_dsp.h"

void sqz_conv_row_dsp(const void *params, const sqz_rows *rows) {
    sqz_dsp_row(params, rows, 0, sqz_dsp_channels);
}
