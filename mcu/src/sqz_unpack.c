#include "sqz_unpack.h"
#include "sqz_load.h"
#include "sqz_record.h"

#define ENOUGH 12u /* bits: as many as the longest code of a value, or as are looked up at once */

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that `halves` is known, and the state in registers */
#else
#define INLINE static inline
#endif

/* Bits. */

/* Have at least 24 bits; beyond the section's end they are zeros. */
INLINE void refill(sqz_bits *bits) {
    if (bits->end - bits->at >= 4) {
        bits->next |= sqz_load4_first_highest(bits->at) >> bits->have;
        bits->at += (31 - bits->have) >> 3;
        bits->have |= 24;
        return;
    }
    for (; bits->have <= 24; bits->have += 8) {
        const uint32_t more = bits->at < bits->end ? *bits->at++ : 0;
        bits->next |= more << (24 - bits->have);
    }
}

INLINE void drop(sqz_bits *bits, unsigned count) {
    bits->next <<= count;
    bits->have -= count;
}

/* The next bits as a number, at most 16. */
static uint32_t take(sqz_bits *bits, unsigned count) {
    if (count == 0) {
        return 0;
    }
    if (bits->have < 16) {
        refill(bits);
    }
    const uint32_t value = bits->next >> (32 - count);
    drop(bits, count);
    return value;
}

/* The same, at most 32 and at least 1, as a signed number. */
static int32_t take_signed(sqz_bits *bits, unsigned count) {
    const unsigned low = count > 16 ? 16 : 0;
    const uint32_t high = take(bits, count - low), value = high << low | take(bits, low);
    const uint32_t sign = (uint32_t)1 << (count - 1);
    return (int32_t)((value ^ sign) - sign);
}

/* Quads. */

/* A quad with one more value, at `place`, those before it being there. */
INLINE uint32_t joined(uint32_t word, int32_t value, unsigned place, int halves) {
    if (!halves) {
        return word | ((uint32_t)value & 0xFFu) << 8 * place;
    }
    const uint32_t more = word + ((uint32_t)value << 8 * place);
    return place < 2 ? more & 0xFFFFu : more;
}

/* A quad with the value at `place` that the next bits are, if one is there. */
INLINE uint32_t with_next(uint32_t word, unsigned rest, unsigned place, sqz_bits *bits, const int16_t *values, unsigned shift,
                          int halves) {
    if (rest >> place & 1u) {
        if (bits->have < ENOUGH) {
            refill(bits);
        }
        const int value = values[bits->next >> shift];
        drop(bits, (unsigned)value & 15u);
        word = joined(word, value >> 4, place, halves);
    }
    return word;
}

INLINE void take_quads(sqz_unpack *unpack, int8_t *to, int8_t *const end, int halves) {
    sqz_bits bits = unpack->bits;
    const uint32_t *const words = unpack->words;
    const int16_t *const values = unpack->values;
    const uint8_t *const steps = unpack->steps;
    const unsigned shift = 32u - unpack->packed->group_bits, value_shift = 32u - unpack->packed->value_bits;
    for (; to != end; to += 4) {
        if (bits.have < ENOUGH) {
            refill(&bits);
        }
        const uint32_t i = bits.next >> shift;
        const unsigned step = steps[i];
        uint32_t word = words[i];
        drop(&bits, step & 15u);
        if (step > 15u) {
            const unsigned rest = step >> 4;
            word = with_next(word, rest, 0, &bits, values, value_shift, halves);
            word = with_next(word, rest, 1, &bits, values, value_shift, halves);
            word = with_next(word, rest, 2, &bits, values, value_shift, halves);
            word = with_next(word, rest, 3, &bits, values, value_shift, halves);
        }
        sqz_store4(to, word);
    }
    unpack->bits = bits;
}

/* Records. */

#define SCALE_BYTES 5u

static const uint8_t nothing[SCALE_BYTES] = {0}; /* for a section without scales */

static const uint8_t *scales_of(const sqz_unpack *unpack, unsigned number) {
    const unsigned last = unpack->scale_count - 1;
    return unpack->scales + SCALE_BYTES * (number < last ? number : last);
}

/* A group's biases, shifts and multipliers. */
static void take_tables(sqz_unpack *unpack, int8_t *record) {
    const sqz_packed *packed = unpack->packed;
    const unsigned group = unpack->group;
    int8_t *shifts = record + 4 * group + unpack->weight_bytes, *multipliers = shifts + (group + 3) / 4 * 4;
    for (unsigned c = 0; c < group; ++c) {
        sqz_store4(record + 4 * c, (uint32_t)take_signed(&unpack->bits, packed->bias_bits));
        const uint8_t *scales = scales_of(unpack, take(&unpack->bits, packed->scale_bits));
        shifts[c] = (int8_t)scales[4];
        if (unpack->to->step) {
            sqz_store4(multipliers + 4 * c, sqz_load4((const int8_t *)scales));
        }
    }
}

/* The biases of each two channels in one, as sqz_tile_dsp.h says. */
static void join_biases(int8_t *record) {
    for (unsigned c = 1; c < 4; c += 2) {
        sqz_store4(record + 4 * c, (sqz_load4(record + 4 * c) << 8) + sqz_load4(record + 4 * c - 4));
    }
}

INLINE void take_groups(sqz_unpack *unpack, unsigned groups, int halves) {
    const unsigned record_bytes = (unsigned)sqz_record_bytes(unpack->to, unpack->group, unpack->weight_bytes);
    int8_t *record = unpack->block;
    for (; groups; --groups, record += record_bytes) {
        int8_t *weights = record + 4 * unpack->group;
        take_tables(unpack, record);
        if (halves) {
            join_biases(record);
        }
        take_quads(unpack, weights, weights + unpack->weight_bytes, halves);
    }
}

void sqz_unpack_groups(sqz_unpack *unpack, unsigned groups) {
    take_groups(unpack, groups, 0);
}

void sqz_unpack_groups_halves(sqz_unpack *unpack, unsigned groups) {
    take_groups(unpack, groups, 1);
}

/* Tables. */

static unsigned smaller(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* The next bytes of the section, or as many as there are. */
static const uint8_t *pass(sqz_unpack *unpack, unsigned *count) {
    const uint8_t *here = unpack->bits.at;
    *count = smaller(*count, (unsigned)(unpack->bits.end - unpack->bits.at));
    unpack->bits.at += *count;
    return here;
}

static void make_values(sqz_unpack *unpack) {
    const unsigned bits = unpack->packed->value_bits, size = 1u << bits;
    unsigned lengths = bits + 1, all = UINT8_MAX, filled = 0;
    const uint8_t *counts = pass(unpack, &lengths);
    unsigned many = 0;
    for (unsigned length = 0; length < lengths; ++length) {
        many += counts[length];
    }
    all = smaller(many, all);
    const uint8_t *values = pass(unpack, &all), *const end = values + all;
    for (unsigned length = 0; length < lengths; ++length) {
        for (unsigned i = 0; i < counts[length] && values < end; ++i, ++values) {
            const unsigned until = smaller(filled + (size >> length), size);
            for (; filled < until; ++filled) {
                unpack->values[filled] = (int16_t)((int8_t)*values * 16 + (int)length);
            }
        }
    }
    for (; filled < size; ++filled) {
        unpack->values[filled] = 0;
    }
}

/* Entries from `from` to before `end`, which begin with the code of a mask, `length` bits long. */
INLINE void make_steps(sqz_unpack *unpack, unsigned mask, unsigned length, unsigned from, unsigned end, int halves) {
    const unsigned bits = unpack->packed->group_bits;
    while (from < end) {
        unsigned rest = mask, used = length;
        uint32_t word = 0;
        for (unsigned place = 0; place < 4; ++place) {
            if (rest >> place & 1u) {
                const int value = unpack->values[(uint32_t)from << (32 - bits) << used >> (32 - unpack->packed->value_bits)];
                if (used + ((unsigned)value & 15u) > bits) {
                    break;
                }
                used += (unsigned)value & 15u;
                rest &= ~(1u << place);
                word = joined(word, value >> 4, place, halves);
            }
        }
        /* What begins alike is alike: longer codes come last, so no value that still fits comes after one that does not. */
        const unsigned until = smaller((from | ((1u << (bits - used)) - 1)) + 1, end);
        for (; from < until; ++from) {
            unpack->words[from] = word;
            unpack->steps[from] = (uint8_t)(used | rest << 4);
        }
    }
}

static unsigned mask_length(const uint8_t *lengths, unsigned count, unsigned mask) {
    return mask / 2 < count ? (unsigned)lengths[mask / 2] >> mask % 2 * 4 & 15u : SQZ_NO_CODE;
}

INLINE void *begin(sqz_unpack *unpack, int halves) {
    const sqz_packed *packed = unpack->packed;
    const unsigned size = 1u << packed->group_bits;
    unsigned count = SQZ_MASKS / 2, filled = 0;
    const uint8_t *lengths = pass(unpack, &count);
    make_values(unpack);
    for (unsigned length = 0; length <= packed->group_bits && length < SQZ_NO_CODE; ++length) {
        for (unsigned mask = 0; mask < SQZ_MASKS; ++mask) {
            if (mask_length(lengths, count, mask) == length) {
                const unsigned until = smaller(filled + (size >> length), size);
                make_steps(unpack, mask, length, filled, until, halves);
                filled = until;
            }
        }
    }
    make_steps(unpack, 0, 0, filled, size, halves);
    unsigned scale_bytes = SCALE_BYTES * packed->scales;
    const uint8_t *scales = pass(unpack, &scale_bytes);
    unpack->scale_count = scale_bytes < SCALE_BYTES ? 1 : scale_bytes / SCALE_BYTES;
    unpack->scales = scale_bytes < SCALE_BYTES ? nothing : scales;
    return (void *)(((uintptr_t)(unpack->steps + size) + 7) & ~(uintptr_t)7);
}

static void prepare(sqz_unpack *unpack, const sqz_packed *packed, const sqz_requant *to, unsigned group,
                    unsigned weight_bytes, void *memory) {
    const size_t record_bytes = sqz_record_bytes(to, group, weight_bytes);
    unpack->to = to;
    unpack->group = group;
    unpack->weight_bytes = weight_bytes;
    unpack->packed = packed;
    unpack->bits = (sqz_bits){.at = packed->data, .end = packed->data + packed->bytes};
    unpack->block = memory;
    unpack->words = (uint32_t *)memory + packed->block / group * record_bytes / 4;
    unpack->values = (int16_t *)(unpack->words + (1u << packed->group_bits));
    unpack->steps = (uint8_t *)(unpack->values + (1u << packed->value_bits));
}

void *sqz_unpack_begin(sqz_unpack *unpack, const sqz_packed *packed, const sqz_requant *to, unsigned group,
                       unsigned weight_bytes, void *memory) {
    prepare(unpack, packed, to, group, weight_bytes, memory);
    return begin(unpack, 0);
}

void *sqz_unpack_begin_halves(sqz_unpack *unpack, const sqz_packed *packed, const sqz_requant *to, unsigned group,
                              unsigned weight_bytes, void *memory) {
    prepare(unpack, packed, to, group, weight_bytes, memory);
    return begin(unpack, 1);
}
