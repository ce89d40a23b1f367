/* sqz-tf: a model whose numbers and weights lie in an image, at an address known at run time (docs/formats/squ.md).
 * Callers see the statuses and sqz_edge; the rest is NAME.c's. */
#ifndef SQZ_SLOT_H
#define SQZ_SLOT_H
#include "sqz.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SQZ_IMAGE_HEADER_BYTES 64u
#define SQZ_NETWORK_BYTES 32u

/* What an output is: real = (q - zero_point) * scale. */
typedef struct sqz_edge {
    float scale;
    int32_t zero_point;
} sqz_edge;

/* A field of a program's parameters that the image fills, in the order of its numbers. */
typedef struct sqz_slot_field {
    uint16_t offset; /* among the parameters */
    uint8_t bytes;   /* 0: a pointer to a table, which the number tells the place of in the image */
} sqz_slot_field;

#define SQZ_SLOT_NUMBER(params, field) {offsetof(struct params, field), sizeof(((struct params *)0)->field)}
#define SQZ_SLOT_TABLE(params, field) {offsetof(struct params, field), 0}

typedef struct sqz_slot {
    uint8_t network[SQZ_NETWORK_BYTES];
    const sqz_slot_field *fields;
    size_t field_count;
    void *params; /* begins with a pointer to the image */
} sqz_slot;

struct sqz_model;

/* NAME_open, NAME_self_test and NAME_slot_labels are these. */
sqz_status sqz_slot_open(const sqz_slot *slot, const void *image, size_t image_bytes);
sqz_status sqz_slot_test(const struct sqz_model *model, const uint8_t *image, size_t classes, void *arena, int8_t *row,
                         int8_t *output);
/* Sets outputs that no class has to -128, unless there was an error. */
sqz_status sqz_slot_outputs(sqz_status status, int8_t *output, size_t classes, size_t bytes);
const char *sqz_slot_labels(const uint8_t *image, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
