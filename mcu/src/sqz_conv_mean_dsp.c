/* A convolution and its MEAN for processors with SMLAD. */
#include "sqz_mean_row_dsp.h"
#include "sqz_twos_dsp.h"

void sqz_conv_mean_row_dsp(const void *params, const sqz_rows *rows) {
    sqz_dsp_mean_row(params, rows, 0, sqz_dsp_channels);
}
