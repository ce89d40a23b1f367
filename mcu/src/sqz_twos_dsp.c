#include "sqz_twos_dsp.h"
#include "sqz_dsp.h"
#include "sqz_record.h"

static SQZ_CODE void sum_pairs(int32_t *sum, const int8_t *weights, const uint32_t *patch, unsigned pairs) {
    for (; pairs; --pairs, patch += SQZ_DSP_PIXELS, weights += 4) {
        const uint32_t word = sqz_load4(weights), first = sqz_even_bytes(word), second = sqz_odd_bytes(word);
        sum[0] = sqz_smlad(first, patch[0], sum[0]);
        sum[1] = sqz_smlad(first, patch[1], sum[1]);
        sum[2] = sqz_smlad(second, patch[0], sum[2]);
        sum[3] = sqz_smlad(second, patch[1], sum[3]);
    }
}

void sqz_dsp_twos(sqz_dsp_tile *tile, unsigned channels) {
    const sqz_requant *to = &tile->window.conv->requant;
    const size_t bytes = tile->before / 2 + 4 * tile->pairs + tile->after / 2;
    for (; channels; tile->record += sqz_record_bytes(to, 2, bytes)) {
        int32_t sum[4] = {0};
        sum_pairs(sum, sqz_record_weights(tile->record, 2) + tile->before / 2, tile->patch, tile->pairs);
        for (unsigned i = 0; i < 4 && channels; ++i) {
            const int32_t with_bias = sum[i] + sqz_record_bias(tile->record, i / 2);
            int8_t **at = i % 2 ? &tile->second : &tile->first;
            *(*at)++ = sqz_record_requantize(to, tile->record, 2, bytes, i / 2, with_bias);
            channels -= i % 2;
        }
    }
}
