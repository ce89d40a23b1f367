/* Feed the decoder of compressed weights with anything, for libFuzzer with its sanitizers (`make fuzz-decoders`).
 *
 * The input's first bytes choose what a compiled model's tables would say, which is trusted to keep to its ranges; the rest
 * is the section. Section and memory lie in blocks of just their sizes, so that a byte too far is a fault. */
#include "sqz_record.h"
#include "sqz_unpack.h"

#include <stdlib.h>
#include <string.h>

#define CHOICES 8u
#define BLOCKS 3u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

/* A number from `least` to `most` made of a byte. */
static unsigned within(uint8_t byte, unsigned least, unsigned most) {
    return least + byte % (most - least + 1);
}

static void decode(const sqz_packed *packed, const sqz_requant *to, unsigned group, unsigned weight_bytes, int halves) {
    const size_t records = packed->block / group * sqz_record_bytes(to, group, weight_bytes);
    const size_t tables = 5u * ((size_t)1 << packed->group_bits) + 2u * ((size_t)1 << packed->value_bits);
    void *memory = malloc((records + tables + 7) / 8 * 8);
    sqz_unpack unpack;
    if (memory == NULL) {
        return;
    }
    if (halves) {
        (void)sqz_unpack_begin_halves(&unpack, packed, to, group, weight_bytes, memory);
    } else {
        (void)sqz_unpack_begin(&unpack, packed, to, group, weight_bytes, memory);
    }
    for (unsigned block = 0; block < BLOCKS; ++block) {
        if (halves) {
            sqz_unpack_groups_halves(&unpack, packed->block / group);
        } else {
            sqz_unpack_groups(&unpack, packed->block / group);
        }
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes) {
    if (bytes < CHOICES) {
        return 0;
    }
    const size_t section_bytes = bytes - CHOICES;
    uint8_t *section = malloc(section_bytes ? section_bytes : 1);
    if (section == NULL) {
        return 0;
    }
    memcpy(section, input + CHOICES, section_bytes);
    const unsigned group = input[0] & 1u ? 4 : 1;
    const sqz_packed packed = {
        .data = section,
        .bytes = (uint32_t)section_bytes,
        .block = (uint16_t)(group * within(input[1], 1, 4)),
        .scales = (uint16_t)within(input[2], 0, 40),
        .group_bits = (uint8_t)within(input[3], 1, 12),
        .value_bits = (uint8_t)within(input[4], 1, 12),
        .bias_bits = (uint8_t)within(input[5], 1, 32),
        .scale_bits = (uint8_t)within(input[6], 0, 16),
    };
    const sqz_requant to = {.step = input[0] >> 1 & 1u};
    decode(&packed, &to, group, 4 * within(input[7], 1, 64), input[0] >> 2 & 1);
    free(section);
    return 0;
}
