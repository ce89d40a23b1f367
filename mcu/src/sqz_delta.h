/* Makes a result of an older one while what tells their difference streams in (docs/formats/squ.md). Internal: sqz_update.c.
 *
 * The older result is read at random, the new one is handed out forward. Nothing but its own structure is written, whatever
 * comes in. */
#ifndef SQZ_DELTA_H
#define SQZ_DELTA_H
#include <stddef.h>
#include <stdint.h>

#include "sqz_names.h"

#define SQZ_DELTA_CONTEXTS 224u
#define SQZ_DELTA_INPUT 96u  /* what one step may need, and a little */
#define SQZ_DELTA_WINDOW 16u /* bytes of the older result that are read at once */
#define SQZ_DELTA_LONGEST 10u
#define SQZ_DELTA_FIELDS 9u

typedef enum sqz_delta_status {
    SQZ_DELTA_OK = 0,
    SQZ_DELTA_DAMAGED = 1, /* it tells what cannot be */
    SQZ_DELTA_FLASH = 2    /* reading or writing failed */
} sqz_delta_status;

/* What reads the older result and takes the new one; both return 0 if they could. */
typedef struct sqz_delta_ends {
    void *context;
    int (*read)(void *context, uint32_t at, void *to, uint32_t bytes);
    int (*write)(void *context, const uint8_t *bytes, uint32_t count);
    uint32_t old_bytes, new_bytes;
} sqz_delta_ends;

typedef struct sqz_delta {
    sqz_delta_ends ends;
    uint32_t range, code; /* of the coder */
    uint32_t place, made; /* in the older result; of the new one */
    uint32_t left;        /* bytes of a command, or weights of a group */
    uint32_t groups;      /* still to come */
    uint32_t window_at, window_end;
    uint32_t pairs_at; /* where the older section's scales begin */
    uint32_t fields[SQZ_DELTA_FIELDS];
    uint16_t contexts[SQZ_DELTA_CONTEXTS];
    uint16_t codes[256]; /* of the new values: bits << 10 | code */
    uint16_t mask_codes[16];
    uint16_t index; /* of what a phase goes through */
    uint16_t held;  /* bits of the new section that make no byte yet */
    uint8_t symbols[256], counts[SQZ_DELTA_LONGEST + 1]; /* values of the older section by their codes */
    uint8_t masks[16], mask_lengths[16], mask_counts[16]; /* masks by their codes */
    uint8_t window[SQZ_DELTA_WINDOW];
    uint8_t input[SQZ_DELTA_INPUT];
    uint8_t input_at, input_end, ended;
    uint8_t phase, command, history, status;
    uint8_t bit;       /* of the byte at `place`, from its highest */
    uint8_t held_bits; /* of `held` */
} sqz_delta;

void sqz_delta_begin(sqz_delta *delta, const sqz_delta_ends *ends);
/* Takes bytes of the stream. Returns a sqz_delta_status. */
int sqz_delta_write(sqz_delta *delta, const uint8_t *bytes, size_t count);
/* After the last byte: makes what is left, and tells whether all was told. */
int sqz_delta_finish(sqz_delta *delta);
#endif
