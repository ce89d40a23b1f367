/* What a page calls: a picture, row by row, through the kit's own resize rule into the network's input, and one inference.
 *
 * The sizes that a picture is resized to come from the command line: SQZ_RESIZE_WIDTH, SQZ_RESIZE_HEIGHT and SQZ_WARP. */
#include <string.h>

#include "model.h"
#include "sqz_image.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u

extern unsigned char __heap_base; /* the linker's: where memory is free */

#ifdef SQZ_SLOT_BYTES
static _Alignas(16) uint8_t slot[SQZ_SLOT_BYTES]; /* the image that runs, which an update takes the place of */
#endif
static _Alignas(MODEL_ARENA_ALIGN) unsigned char arena[MODEL_ARENA_BYTES];
static _Alignas(16) int8_t input[MODEL_INPUT_BYTES];
static _Alignas(16) int8_t output[MODEL_OUTPUT_BYTES];
static uint8_t rgba[4 * SQZ_IMAGE_MAX_SIDE]; /* one row of the picture */
static sqz_image image;
static sqz_image_config config;
static int8_t *next_row;

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    return __builtin_memcpy(to, from, bytes);
}

void *memmove(void *to, const void *from, size_t bytes) {
    return __builtin_memmove(to, from, bytes);
}

void *memset(void *to, int value, size_t bytes) {
    return __builtin_memset(to, value, bytes);
}

int memcmp(const void *left, const void *right, size_t bytes) {
    const unsigned char *a = left, *b = right;
    for (; bytes != 0; --bytes, ++a, ++b) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}

static sqz_status keep(void *context, const int8_t *row) {
    (void)context;
    memcpy(next_row, row, MODEL_INPUT_ROW_BYTES);
    next_row += MODEL_INPUT_ROW_BYTES;
    return SQZ_OK;
}

/* So many bytes behind all variables, NULL if the browser has no more. */
static void *room(size_t bytes) {
    const size_t pages = ((size_t)&__heap_base + bytes + PAGE - 1) / PAGE, has = __builtin_wasm_memory_size(0);
    const int refused = pages > has && __builtin_wasm_memory_grow(0, pages - has) == (size_t)-1;
    return refused ? NULL : &__heap_base;
}

/* Begins a picture; a size that is none gives the status that sqz_image_begin gives. */
EXPORT(begin) int begin(unsigned width, unsigned height) {
    if (width > SQZ_IMAGE_MAX_SIDE || height > SQZ_IMAGE_MAX_SIDE) {
        return SQZ_ERROR_SIZE;
    }
    config = (sqz_image_config){.width = MODEL_INPUT_WIDTH,
                                .height = MODEL_INPUT_HEIGHT,
                                .channels = MODEL_INPUT_CHANNELS,
                                .resize_width = SQZ_RESIZE_WIDTH,
                                .resize_height = SQZ_RESIZE_HEIGHT,
                                .fit = SQZ_WARP ? SQZ_FIT_WARP : SQZ_FIT_CENTRE_CROP,
                                .camera_width = (uint16_t)width,
                                .camera_height = (uint16_t)height,
                                .push = keep};
    config.memory_bytes = sqz_image_bytes(&config);
    config.memory = room(config.memory_bytes);
    next_row = input;
    return sqz_image_begin(&image, &config);
}

/* Takes the row of red, green, blue and alpha, which is left out, that lies at rgba_row(). */
EXPORT(row) int row(void) {
    for (unsigned x = 0; x < config.camera_width; ++x) {
        memmove(rgba + 3 * x, rgba + 4 * x, 3);
    }
    return sqz_rgb888_row(&image, rgba);
}

EXPORT(invoke) int invoke(void) {
    return model_invoke(arena, input, output);
}

#ifdef SQZ_SLOT_BYTES
EXPORT(slot_at) uint8_t *slot_at(void) {
    return slot;
}

/* Runs the image that lies at slot_at() from now on, if it is right by its own test. */
EXPORT(open_slot) int open_slot(unsigned bytes) {
    const sqz_status status = model_open(slot, bytes);
    return status == SQZ_OK ? model_self_test(arena, input, output) : status;
}

EXPORT(output_scale) float output_scale(void) {
    return model_output(0)->scale;
}

EXPORT(output_zero_point) int output_zero_point(void) {
    return model_output(0)->zero_point;
}
#endif

EXPORT(rgba_row) uint8_t *rgba_row(void) {
    return rgba;
}

EXPORT(input_at) int8_t *input_at(void) {
    return input;
}

EXPORT(output_at) int8_t *output_at(void) {
    return output;
}
