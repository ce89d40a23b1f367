#include "sqz_tile_dsp_sparse.h"
#include "sqz_fours_dsp.h"

#define HEAD_BYTES 4u /* before the blocks of a record */
#define WHERE 8u      /* in a block: what says where the inputs are */
#define BLOCK_BYTES 12u

#if defined(SQZ_DSP)

#if defined(__clang__) /* whose assembler does not know the distance of labels yet; it makes the same instructions */
#define CHECKED
#else
#define CHECKED "7:\t.if 7b - 2b - 840\n\t.error \"a round's code is not SQZ_SPARSE_NONE long\"\n\t.endif\n\t"
#endif

/* One block of a round, and its last. r8: the block, r9: patch; the carry is set if no other follows. */
#define STEP "ldmia r8!, {r10-r12}\n\tadd r12, r9, r12, lsr #1\n\tldrd r12, lr, [r12]\n\t" SQZ_SUM_PAIR
#define LAST_STEP "ldmia r8!, {r10-r12}\n\tlsrs r12, r12, #1\n\tadd.w r12, r9, r12\n\tldrd r12, lr, [r12]\n\t" SQZ_SUM_PAIR
#define FIVE_STEPS STEP STEP STEP STEP STEP

/* A round is 16 blocks; the code of one is 52 bytes long, and what ends a round 6 more. */
SQZ_NAKED void sqz_dsp_sparse_fours(sqz_dsp_tile *tile __attribute__((unused))) {
    __asm__("push {r4-r11, lr}\n\tpush {r0}\n\t" SQZ_LOAD_TILE "push {r1-r12}\n\t" SQZ_TILE_LOADED
            "1:\tldmia r8, {r0, r2, r4, r6}\n\tldmia r8!, {r1, r3, r5, r7, r10}\n\t"
            "add pc, r10\n\tnop\n"
            "2:\t" FIVE_STEPS FIVE_STEPS FIVE_STEPS LAST_STEP "bcc.w 2b\n"
            CHECKED SQZ_PUT_FOURS("r2"));
}

#else

/* Adds the blocks of a record. Returns the bytes of all its weights. */
static size_t sum_blocks(const int8_t *head, const uint32_t *patch, int32_t *sum) {
    const int8_t *block = head + HEAD_BYTES;
    if (sqz_load4(head) == SQZ_SPARSE_NONE) {
        return HEAD_BYTES;
    }
    for (uint32_t where = 0; !(where & 1); block += BLOCK_BYTES) {
        where = sqz_load4(block + WHERE);
        sqz_sum_pair(sum, block, patch + where / 8);
    }
    return (size_t)(block - head);
}

void sqz_dsp_sparse_fours(sqz_dsp_tile *tile) {
    while (tile->first != tile->end) {
        int32_t sum[8];
        sqz_start_four(tile->record, sum);
        const size_t bytes = sum_blocks(sqz_record_weights(tile->record, SQZ_DSP_FOUR), tile->patch, sum);
        sqz_put_four(tile, sum, bytes);
        tile->record += sqz_record_bytes(&tile->window.conv->requant, SQZ_DSP_FOUR, bytes);
    }
}

#endif
