/* The models that a package brings compiled to C; the table is written when the package is built. */
#ifndef SQZ_EXACT_H
#define SQZ_EXACT_H
#include <stdint.h>

#define SQZ_EXACT_ALIGN 16 /* of every arena: SQZ_ARENA_ALIGN */

typedef struct sqz_exact_model {
    const char *sha256; /* of the .tflite, in hexadecimal */
    int (*invoke)(void *arena, const int8_t *input, int8_t *output);
    uint32_t arena_bytes, input_bytes, output_bytes;
} sqz_exact_model;

extern const sqz_exact_model sqz_exact_models[];
extern const int sqz_exact_count;

#endif
