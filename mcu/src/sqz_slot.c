#include "sqz_slot.h"
#include "sqz_crc.h"
#include "sqz_ops.h"

#include <string.h>

/* Places in an image's header. */
enum { MAGIC = 0, BYTES = 4, NETWORK = 8, COUNT = 40, SEED = 44, CRC = 48, LABELS = 52, LABEL_BYTES = 56 };

static const uint8_t magic[4] = {'S', 'Q', 'Z', 'I'};

static uint32_t number_at(const uint8_t *image, size_t at) {
    uint32_t value;
    memcpy(&value, image + at, sizeof value);
    return value;
}

/* Whether what an image says of its own size fits what there is, and the program. */
static int is_whole(const sqz_slot *slot, const uint8_t *image, size_t bytes) {
    if (bytes < SQZ_IMAGE_HEADER_BYTES || memcmp(image + MAGIC, magic, sizeof magic) != 0) {
        return 0;
    }
    const uint32_t said = number_at(image, BYTES);
    return said <= bytes && said % 4 == 0 && said >= SQZ_IMAGE_HEADER_BYTES + 4 * slot->field_count &&
           number_at(image, LABELS) <= said && number_at(image, LABEL_BYTES) <= said - number_at(image, LABELS);
}

/* The fields are filled byte by byte as the processor has them: numbers are little-endian, and so is it. */
static sqz_status fill(const sqz_slot *slot, const uint8_t *image) {
    for (size_t i = 0; i < slot->field_count; ++i) {
        const sqz_slot_field field = slot->fields[i];
        const uint8_t *number = image + SQZ_IMAGE_HEADER_BYTES + 4 * i;
        uint8_t *to = (uint8_t *)slot->params + field.offset;
        if (field.bytes != 0) {
            memcpy(to, number, field.bytes);
            continue;
        }
        const uint32_t place = number_at(number, 0);
        if (place >= number_at(image, BYTES) || place % 4 != 0) {
            return SQZ_ERROR_IMAGE;
        }
        const void *table = image + place;
        memcpy(to, &table, sizeof table);
    }
    return SQZ_OK;
}

sqz_status sqz_slot_open(const sqz_slot *slot, const void *image, size_t image_bytes) {
    const uint8_t *bytes = image, *opened = NULL;
    memcpy(slot->params, &opened, sizeof opened);
    if (image == NULL) {
        return SQZ_ERROR_NULL;
    }
    if ((uintptr_t)image % 4 != 0) {
        return SQZ_ERROR_ALIGNMENT;
    }
    if (image_bytes >= SQZ_IMAGE_HEADER_BYTES && memcmp(bytes + MAGIC, magic, sizeof magic) == 0 &&
        memcmp(bytes + NETWORK, slot->network, SQZ_NETWORK_BYTES) != 0) {
        return SQZ_ERROR_NETWORK;
    }
    if (!is_whole(slot, bytes, image_bytes) || number_at(bytes, COUNT) != slot->field_count) {
        return SQZ_ERROR_IMAGE;
    }
    const sqz_status status = fill(slot, bytes);
    if (status == SQZ_OK) {
        memcpy(slot->params, &bytes, sizeof bytes);
    }
    return status;
}

/* The next bytes of the test input. */
static void make_row(uint32_t *state, int8_t *row, size_t bytes) {
    uint32_t x = *state;
    for (size_t i = 0; i < bytes; ++i) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        row[i] = (int8_t)(x & 255u);
    }
    *state = x;
}

sqz_status sqz_slot_outputs(sqz_status status, int8_t *output, size_t classes, size_t bytes) {
    if (status == SQZ_OK) {
        memset(output + classes, -128, bytes - classes);
    }
    return status;
}

sqz_status sqz_slot_test(const sqz_model *model, const uint8_t *image, size_t classes, void *arena, int8_t *row, int8_t *output) {
    if (image == NULL) {
        return SQZ_ERROR_STATE;
    }
    uint32_t state = number_at(image, SEED);
    const sqz_stream *input = &model->streams[0];
    sqz_status status = row == NULL ? SQZ_ERROR_NULL : sqz_begin(model, arena, model->arena_bytes);
    for (unsigned y = 0; y < input->height && status == SQZ_OK; ++y) {
        make_row(&state, row, input->row_bytes);
        status = sqz_push_row(model, arena, row);
    }
    if (status == SQZ_OK) {
        status = sqz_slot_outputs(sqz_finish(model, arena, output), output, classes, model->output_bytes);
    }
    if (status != SQZ_OK) {
        return status;
    }
    const uint32_t crc = sqz_crc(output, model->output_bytes);
    return state != 0 && crc == number_at(image, CRC) ? SQZ_OK : SQZ_ERROR_TEST;
}

const char *sqz_slot_labels(const uint8_t *image, size_t *bytes) {
    *bytes = image == NULL ? 0 : number_at(image, LABEL_BYTES);
    return *bytes == 0 ? NULL : (const char *)image + number_at(image, LABELS);
}
