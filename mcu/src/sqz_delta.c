#include "sqz_delta.h"

#include <string.h>

/* A step takes at most a number (32 decisions of two bytes and 31 digits) and five bytes, or four values. */
#define STEP_BYTES 88u

enum { PLACES = 12, SAME = 120, SIDE = 152, FAR = 160, MOST_DIGITS = 31, NO_CODE = 15, CODE_BITS = 10, MOST_PAIRS = 256 };
enum { IN_COMMAND = 0, IN_PLACE, IN_LENGTH, IN_SHAPE, IN_MASK, IN_VALUE, IN_PAIR, IN_BIAS, IN_SCALE }; /* numbers' contexts */
enum { END = 0, COPY, CHANGE, INSERT, RECODE, FILL };
enum { BEGIN, COMMAND, PLACE, LENGTH, BYTES, SHAPE, MASKS, VALUES, PAIRS, BIASES, SCALES, QUADS, ENDED };
enum { CHANNELS, GROUPS, QUADS_OF_GROUP, OLD_BIAS, OLD_SCALE, OLD_PAIRS, NEW_BIAS, NEW_SCALE, NEW_PAIRS };

static void fail(sqz_delta *delta, sqz_delta_status status) {
    if (delta->status == SQZ_DELTA_OK) {
        delta->status = (uint8_t)status;
    }
}

static void require(sqz_delta *delta, int condition) {
    if (!condition) {
        fail(delta, SQZ_DELTA_DAMAGED);
    }
}

/* The coder. */

static uint8_t next_byte(sqz_delta *delta) {
    if (delta->input_at == delta->input_end) {
        fail(delta, SQZ_DELTA_DAMAGED);
        return 0;
    }
    return delta->input[delta->input_at++];
}

static void normalise(sqz_delta *delta) {
    while (delta->range < (uint32_t)1 << 24) {
        delta->range <<= 8;
        delta->code = delta->code << 8 | next_byte(delta);
    }
}

static unsigned decision(sqz_delta *delta, unsigned context) {
    const uint32_t state = delta->contexts[context], seen = state & 3u;
    uint32_t zero = state - seen;
    const uint32_t share = zero < 64 ? 64 : zero > 65472 ? 65472 : zero;
    const uint32_t bound = (delta->range >> 16) * share, shift = seen == 3 ? 5 : seen + 2;
    const unsigned bit = delta->code >= bound;
    if (bit) {
        delta->code -= bound;
        delta->range -= bound;
        zero -= zero >> shift;
    } else {
        delta->range = bound;
        zero += (65536 - zero) >> shift;
    }
    delta->contexts[context] = (uint16_t)((zero & ~(uint32_t)3) | (seen == 3 ? 3 : seen + 1));
    normalise(delta);
    return bit;
}

static uint32_t digits(sqz_delta *delta, unsigned count) {
    uint32_t value = 0;
    for (; count != 0; --count) {
        delta->range >>= 1;
        const uint32_t one = delta->code >= delta->range;
        delta->code -= one ? delta->range : 0;
        value = value << 1 | one;
        normalise(delta);
    }
    return value;
}

static uint32_t number_from(sqz_delta *delta, unsigned first, unsigned contexts) {
    unsigned place = 0;
    while (delta->status == SQZ_DELTA_OK && decision(delta, first + (place < contexts ? place : contexts - 1))) {
        if (++place > MOST_DIGITS) {
            fail(delta, SQZ_DELTA_DAMAGED);
            return 0;
        }
    }
    return ((uint32_t)1 << place | digits(delta, place)) - 1;
}

static uint32_t number(sqz_delta *delta, unsigned context) {
    return number_from(delta, context * PLACES, PLACES);
}

/* A signed number, modulo 2^32. */
static uint32_t signed_number(sqz_delta *delta, unsigned context) {
    const uint32_t coded = number(delta, context);
    return coded & 1u ? ~(coded >> 1) : coded >> 1;
}

static unsigned class_of(unsigned magnitude) {
    static const uint8_t from[] = {1, 2, 3, 4, 7, 13, 26};
    unsigned class = 0;
    while (class < sizeof from && magnitude >= from[class]) {
        ++class;
    }
    return class;
}

static int8_t value_after(sqz_delta *delta, int old) {
    const unsigned class = class_of((unsigned)(old < 0 ? -old : old));
    const unsigned same = !decision(delta, SAME + 4 * class + delta->history);
    delta->history = (uint8_t)(((unsigned)delta->history << 1 | same) & 3u);
    if (same) {
        return (int8_t)old;
    }
    const unsigned away = decision(delta, SIDE + class);
    const uint32_t size = 1 + number_from(delta, FAR + 8 * class, 8);
    const uint32_t step = away == (old < 0) ? 0 - size : size;
    return (int8_t)(uint8_t)((uint32_t)old + step);
}

/* The ends. */

static uint8_t old_byte(sqz_delta *delta, uint32_t at) {
    if (at >= delta->ends.old_bytes) {
        fail(delta, SQZ_DELTA_DAMAGED);
        return 0;
    }
    if (at < delta->window_at || at >= delta->window_end) {
        const uint32_t left = delta->ends.old_bytes - at;
        const uint32_t bytes = left < SQZ_DELTA_WINDOW ? left : SQZ_DELTA_WINDOW;
        if (delta->ends.read(delta->ends.context, at, delta->window, bytes) != 0) {
            fail(delta, SQZ_DELTA_FLASH);
        }
        delta->window_at = at;
        delta->window_end = at + bytes;
    }
    return delta->window[at - delta->window_at];
}

static unsigned old_bit(sqz_delta *delta) {
    const unsigned bit = (unsigned)old_byte(delta, delta->place) >> (7 - delta->bit) & 1u;
    delta->bit = (uint8_t)((delta->bit + 1) & 7u);
    delta->place += delta->bit == 0;
    return bit;
}

static uint32_t old_bits(sqz_delta *delta, unsigned count) {
    uint32_t value = 0;
    for (; count != 0; --count) {
        value = value << 1 | old_bit(delta);
    }
    return value;
}

static void put_byte(sqz_delta *delta, unsigned byte) {
    const uint8_t one = (uint8_t)byte;
    if (delta->status != SQZ_DELTA_OK) {
        return;
    }
    if (delta->made == delta->ends.new_bytes) {
        fail(delta, SQZ_DELTA_DAMAGED);
        return;
    }
    ++delta->made;
    if (delta->ends.write(delta->ends.context, &one, 1) != 0) {
        fail(delta, SQZ_DELTA_FLASH);
    }
}

static void put_bits(sqz_delta *delta, uint32_t value, unsigned count) {
    while (count != 0) {
        --count;
        delta->held = (uint16_t)((uint32_t)delta->held << 1 | (value >> count & 1u));
        if (++delta->held_bits == 8) {
            put_byte(delta, delta->held & 0xFFu);
            delta->held_bits = 0;
        }
    }
}

/* Codes. */

static unsigned old_symbol(sqz_delta *delta, const uint8_t *counts, const uint8_t *symbols) {
    uint32_t code = 0, first = 0, index = 0;
    for (unsigned length = 0; length <= SQZ_DELTA_LONGEST; ++length) {
        if (code - first < counts[length]) {
            return symbols[index + code - first];
        }
        index += counts[length];
        first = (first + counts[length]) << 1;
        code = code << 1 | old_bit(delta);
    }
    fail(delta, SQZ_DELTA_DAMAGED);
    return 0;
}

/* Bits of the code of an older section's value. */
static unsigned old_length(const sqz_delta *delta, unsigned value) {
    unsigned index = 0;
    for (unsigned length = 0; length <= SQZ_DELTA_LONGEST; ++length) {
        for (unsigned i = 0; i < delta->counts[length]; ++i, ++index) {
            if (delta->symbols[index] == value) {
                return length;
            }
        }
    }
    return NO_CODE;
}

/* Symbol i of `count` in the order of values, which begins with -128; masks begin with 0. */
static unsigned in_order(unsigned i, unsigned count) {
    return count == 256 ? i ^ 128u : i;
}

/* Give codes to symbols whose lengths are known; shorter ones first, equal ones in order. */
static void assign(uint16_t *codes, unsigned count) {
    unsigned code = 0;
    for (unsigned length = 0; length <= SQZ_DELTA_LONGEST; ++length, code <<= 1) {
        for (unsigned i = 0; i < count; ++i) {
            uint16_t *entry = &codes[in_order(i, count)];
            if (*entry >> CODE_BITS == length) {
                *entry = (uint16_t)(length << CODE_BITS | (code++ & ((1u << CODE_BITS) - 1)));
            }
        }
    }
}

static void put_code(sqz_delta *delta, unsigned entry) {
    require(delta, entry >> CODE_BITS != NO_CODE);
    put_bits(delta, entry, entry >> CODE_BITS);
}

static unsigned told_length(sqz_delta *delta, unsigned context, unsigned old) {
    const uint32_t length = old + signed_number(delta, context);
    require(delta, length <= SQZ_DELTA_LONGEST || length == NO_CODE);
    return length & 15u;
}

/* Sections. */

/* Read what an older section begins with: its codes and where its scales are. */
static void begin_section(sqz_delta *delta) {
    unsigned total = 0;
    memset(delta->mask_counts, 0, sizeof delta->mask_counts);
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned length = (unsigned)old_byte(delta, delta->place + i / 2) >> i % 2 * 4 & 15u;
        delta->mask_lengths[i] = (uint8_t)length;
        ++delta->mask_counts[length];
    }
    for (unsigned length = 0, index = 0; length < NO_CODE; ++length) {
        for (unsigned i = 0; i < 16; ++i) {
            if (delta->mask_lengths[i] == length) {
                delta->masks[index++] = (uint8_t)i;
            }
        }
    }
    delta->place += 8;
    for (unsigned i = 0; i <= SQZ_DELTA_LONGEST; ++i) {
        delta->counts[i] = old_byte(delta, delta->place++);
        total += delta->counts[i];
    }
    require(delta, total <= sizeof delta->symbols);
    for (unsigned i = 0; i < total && delta->status == SQZ_DELTA_OK; ++i) {
        delta->symbols[i] = old_byte(delta, delta->place++);
    }
    delta->pairs_at = delta->place;
    delta->place += 5 * delta->fields[OLD_PAIRS];
    delta->bit = delta->held_bits = 0;
    delta->groups = delta->fields[GROUPS];
}

static void step_shape(sqz_delta *delta) {
    const uint32_t *fields = delta->fields;
    delta->fields[delta->index] = number(delta, IN_SHAPE);
    if (++delta->index < SQZ_DELTA_FIELDS) {
        return;
    }
    require(delta, fields[CHANNELS] >= 1 && fields[CHANNELS] <= 4 && fields[QUADS_OF_GROUP] < (uint32_t)1 << 24);
    for (unsigned i = OLD_BIAS; i <= NEW_BIAS; i += NEW_BIAS - OLD_BIAS) {
        require(delta, fields[i] >= 1 && fields[i] <= 32 && fields[i + 1] <= 16 && fields[i + 2] <= MOST_PAIRS);
    }
    delta->index = 0;
    delta->phase = MASKS;
    if (delta->status == SQZ_DELTA_OK) {
        begin_section(delta);
    }
}

static void step_masks(sqz_delta *delta) {
    const unsigned i = delta->index++, length = told_length(delta, IN_MASK, delta->mask_lengths[i]);
    delta->mask_codes[i] = (uint16_t)(length << CODE_BITS);
    if (i % 2 == 1) {
        put_byte(delta, (unsigned)delta->mask_codes[i - 1] >> CODE_BITS | length << 4);
    }
    if (i == 15) {
        assign(delta->mask_codes, 16);
        delta->index = 0;
        delta->phase = VALUES;
    }
}

/* How many values have codes of each length, and the values. */
static void put_values(sqz_delta *delta) {
    for (unsigned listed = 0; listed < 2; ++listed) {
        for (unsigned length = 0; length <= SQZ_DELTA_LONGEST; ++length) {
            unsigned count = 0;
            for (unsigned i = 0; i < 256; ++i) {
                if (delta->codes[in_order(i, 256)] >> CODE_BITS == length) {
                    ++count;
                    if (listed) {
                        put_byte(delta, in_order(i, 256));
                    }
                }
            }
            if (!listed) {
                put_byte(delta, count);
            }
        }
    }
}

static void next_group(sqz_delta *delta) {
    delta->index = 0;
    delta->phase = BIASES;
    if (delta->groups-- != 0) {
        return;
    }
    put_bits(delta, 0, (8u - delta->held_bits) & 7u);
    delta->place += delta->bit != 0;
    delta->phase = COMMAND;
}

static void step_values(sqz_delta *delta) {
    const unsigned value = in_order(delta->index, 256);
    delta->codes[value] = (uint16_t)(told_length(delta, IN_VALUE, old_length(delta, value)) << CODE_BITS);
    if (++delta->index == 256) {
        put_values(delta);
        assign(delta->codes, 256);
        delta->index = 0;
        delta->phase = PAIRS;
    }
}

static void step_pairs(sqz_delta *delta) {
    if (delta->index++ == delta->fields[NEW_PAIRS]) {
        next_group(delta);
        return;
    }
    const uint32_t which = number(delta, IN_PAIR);
    require(delta, which <= delta->fields[OLD_PAIRS]);
    for (uint32_t i = 0; i < 5 && delta->status == SQZ_DELTA_OK; ++i) {
        put_byte(delta, which == 0 ? digits(delta, 8) : old_byte(delta, delta->pairs_at + 5 * (which - 1) + i));
    }
}

static void step_biases(sqz_delta *delta) {
    const unsigned bits = delta->fields[OLD_BIAS];
    const uint32_t sign = (uint32_t)1 << (bits - 1), old = (old_bits(delta, bits) ^ sign) - sign;
    put_bits(delta, old + signed_number(delta, IN_BIAS), delta->fields[NEW_BIAS]);
    delta->phase = SCALES;
}

static void step_scales(sqz_delta *delta) {
    const uint32_t old = old_bits(delta, delta->fields[OLD_SCALE]);
    put_bits(delta, old + signed_number(delta, IN_SCALE), delta->fields[NEW_SCALE]);
    delta->phase = BIASES;
    if (++delta->index == delta->fields[CHANNELS]) {
        delta->left = delta->fields[QUADS_OF_GROUP];
        delta->phase = QUADS;
    }
}

static void step_quads(sqz_delta *delta) {
    if (delta->left-- == 0) {
        next_group(delta);
        return;
    }
    const unsigned old = old_symbol(delta, delta->mask_counts, delta->masks);
    uint8_t values[4];
    unsigned mask = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned byte = old >> i & 1u ? old_symbol(delta, delta->counts, delta->symbols) : 0;
        values[i] = (uint8_t)value_after(delta, (int8_t)byte);
        mask |= (unsigned)(values[i] != 0) << i;
    }
    put_code(delta, delta->mask_codes[mask]);
    for (unsigned i = 0; i < 4; ++i) {
        if (values[i] != 0) {
            put_code(delta, delta->codes[values[i]]);
        }
    }
}

/* Commands. */

static void step_command(sqz_delta *delta) {
    const uint32_t command = number(delta, IN_COMMAND);
    require(delta, command <= FILL);
    delta->command = (uint8_t)command;
    delta->index = 0;
    delta->phase = command == END ? ENDED : command == INSERT || command == FILL ? LENGTH : PLACE;
}

static void step_place(sqz_delta *delta) {
    delta->place += signed_number(delta, IN_PLACE);
    require(delta, delta->place <= delta->ends.old_bytes);
    delta->phase = delta->command == RECODE ? SHAPE : LENGTH;
}

static void step_length(sqz_delta *delta) {
    delta->left = number(delta, IN_LENGTH);
    require(delta, delta->left <= delta->ends.new_bytes - delta->made);
    if (delta->command == FILL) {
        delta->index = (uint16_t)digits(delta, 8);
    } else if (delta->command != INSERT) {
        require(delta, delta->left <= delta->ends.old_bytes - delta->place);
    }
    delta->phase = BYTES;
}

static void step_bytes(sqz_delta *delta) {
    if (delta->left == 0) {
        delta->phase = COMMAND;
        return;
    }
    --delta->left;
    if (delta->command == INSERT || delta->command == FILL) {
        put_byte(delta, delta->command == FILL ? delta->index : digits(delta, 8));
        return;
    }
    const uint8_t old = old_byte(delta, delta->place++);
    put_byte(delta, delta->command == COPY ? old : (uint8_t)value_after(delta, (int8_t)old));
}

static void step_begin(sqz_delta *delta) {
    for (unsigned i = 0; i < 4; ++i) {
        delta->code = delta->code << 8 | next_byte(delta);
    }
    delta->phase = COMMAND;
}

typedef void (*step)(sqz_delta *delta);

static const step steps[] = {step_begin,  step_command, step_place, step_length, step_bytes,  step_shape,
                             step_masks,  step_values,  step_pairs, step_biases, step_scales, step_quads};

/* Steps for which there is input enough, or all that there will be. */
static void go_on(sqz_delta *delta) {
    while (delta->status == SQZ_DELTA_OK && delta->phase != ENDED &&
           (delta->ended || delta->input_end - delta->input_at >= (int)STEP_BYTES)) {
        steps[delta->phase](delta);
    }
}

void sqz_delta_begin(sqz_delta *delta, const sqz_delta_ends *ends) {
    memset(delta, 0, sizeof *delta);
    delta->ends = *ends;
    delta->range = ~(uint32_t)0;
    delta->history = 3;
    for (unsigned i = 0; i < SQZ_DELTA_CONTEXTS; ++i) {
        delta->contexts[i] = 32768;
    }
}

int sqz_delta_write(sqz_delta *delta, const uint8_t *bytes, size_t count) {
    while (count != 0 && delta->status == SQZ_DELTA_OK) {
        const size_t kept = (size_t)(delta->input_end - delta->input_at), room = SQZ_DELTA_INPUT - kept;
        const size_t more = count < room ? count : room;
        require(delta, delta->phase != ENDED);
        memmove(delta->input, delta->input + delta->input_at, kept);
        memcpy(delta->input + kept, bytes, more);
        delta->input_at = 0;
        delta->input_end = (uint8_t)(kept + more);
        bytes += more;
        count -= more;
        go_on(delta);
    }
    return delta->status;
}

int sqz_delta_finish(sqz_delta *delta) {
    delta->ended = 1;
    go_on(delta);
    require(delta, delta->input_at == delta->input_end && delta->made == delta->ends.new_bytes);
    return delta->status;
}
