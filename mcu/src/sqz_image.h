/* From camera rows to network rows: fit, resize and cut by the integer rule of docs/formats/preprocess.md, one row at a
 * time. Neither the picture nor the network's input need be in RAM. Byte equal to what the Python side computes.
 *
 *     static _Alignas(SQZ_ARENA_ALIGN) uint8_t arena[NAME_ARENA_BYTES];
 *     static _Alignas(4) uint8_t memory[SQZ_IMAGE_BYTES(320, 240, 224, 3, 256, 256)];
 *     static const sqz_image_config config = {
 *         .width = 224, .height = 224, .channels = 3, .resize_width = 256, .resize_height = 256,
 *         .fit = SQZ_FIT_CENTRE_CROP, .camera_width = 320, .camera_height = 240,
 *         .push = NAME_push_row, .context = arena, .memory = memory, .memory_bytes = sizeof memory};
 *     sqz_image image;
 *
 *     NAME_begin(arena, sizeof arena);
 *     sqz_image_begin(&image, &config);
 *     for each row of the camera, from the top:
 *         sqz_rgb565_row(&image, row);
 *     NAME_finish(arena, output);
 *
 * Rows of the camera that the fit leaves out are accepted and ignored. Each row gives none, one or, where the picture
 * is enlarged, several network rows.
 */
#ifndef SQZ_IMAGE_H
#define SQZ_IMAGE_H
#include "sqz.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SQZ_IMAGE_MAX_SIDE 16383 /* of the camera's and of the resized picture, in pixels */

/* Bytes of memory that are always enough. Arguments: those of sqz_image_config of the same names. sqz_image_bytes tells
 * how many are needed at least, which is a little less where the fit cuts much away. */
#define SQZ_IMAGE_BYTES(camera_width, camera_height, width, channels, resize_width, resize_height)                     \
    (8u * SQZ_IMAGE_LARGER_(camera_width, resize_width) + 4u * (width) +                                               \
     SQZ_IMAGE_ROWS_(camera_height, resize_height) * (4u + SQZ_IMAGE_ROW_(width, channels)) +                          \
     SQZ_IMAGE_ROW_(width, channels))
#define SQZ_IMAGE_ROW_(width, channels) (((width) * (channels) + 3u) / 4u * 4u)
#define SQZ_IMAGE_ROWS_(in, out) (2u * (in) > 2u * (out) ? (2u * (in) + (out)-1u) / (out) : 2u)
#define SQZ_IMAGE_LARGER_(a, b) (1u * (a) > 1u * (b) ? 1u * (a) : 1u * (b))

/* How a picture is brought to the shape resize_width : resize_height, before it is resized. */
typedef enum sqz_fit {
    SQZ_FIT_WARP = 0,       /* stretched */
    SQZ_FIT_CENTRE_CROP = 1 /* the largest centred part of that shape */
} sqz_fit;

/* Takes one network row, int8 [width, channels]: NAME_push_row, with its arena as context. */
typedef sqz_status (*sqz_push)(void *context, const int8_t *row);

typedef struct sqz_image_config {
    uint16_t width, height, channels;     /* the network's input; channels is 1 (grey) or 3 (red, green, blue) */
    uint16_t resize_width, resize_height; /* of the picture, from whose middle width x height are cut; not smaller */
    sqz_fit fit;
    uint16_t camera_width, camera_height; /* pixels of a row, and rows */
    sqz_push push;
    void *context;
    void *memory; /* aligned to 4 bytes; the caller's, in use until the last row */
    size_t memory_bytes;
} sqz_image_config;

/* The columns of a camera row that make one column of the resized picture. */
typedef struct sqz_image_column {
    uint16_t first, count;
} sqz_image_column;

/* State. The fields are the library's own. */
typedef struct sqz_image {
    const sqz_image_config *config;
    uint32_t *weights;         /* of all columns, one after the other; unsigned 8.22 fixed point */
    uint32_t *row_weights;     /* [ring_rows], of the row in the making */
    sqz_image_column *columns; /* [width] */
    uint8_t *ring;             /* uint8 [ring_rows, width, channels]: rows resized in width, padded to 4 bytes */
    int8_t *out;               /* [width, channels], padded to 4 bytes */
    uint16_t crop_top, crop_left, crop_width, crop_height;
    uint16_t ring_rows;
    uint16_t taken; /* rows of the camera so far */
    uint16_t made;  /* rows of the network so far */
} sqz_image;

/* Bytes of memory that a configuration needs; 0 if it is not valid. */
size_t sqz_image_bytes(const sqz_image_config *config);

/* Prepares for the first row of a picture. `config` must stay where it is until the last row.
 * SQZ_ERROR_NULL, SQZ_ERROR_ALIGNMENT and SQZ_ERROR_ARENA are about `memory`; SQZ_ERROR_SIZE: a size is 0 or too large,
 * channels is neither 1 nor 3, or the resized picture is smaller than the network's input. */
sqz_status sqz_image_begin(sqz_image *image, const sqz_image_config *config);

/* Give one camera row of camera_width pixels. They return SQZ_ERROR_NULL, SQZ_ERROR_STATE (a row too many, or `image`
 * is all zero and was never begun), or what `push` returned if that was not SQZ_OK. */
sqz_status sqz_rgb888_row(sqz_image *image, const uint8_t *row);  /* bytes red, green, blue */
sqz_status sqz_rgb565_row(sqz_image *image, const uint16_t *row); /* numbers, red in the highest 5 bits */
sqz_status sqz_gray_row(sqz_image *image, const uint8_t *row);    /* one byte a pixel */

/* As sqz_rgb565_row, two bytes a pixel, the one with red first: what OV2640, OV7670 and others send, and what a DMA
 * on a little-endian processor puts into memory as it comes. */
sqz_status sqz_rgb565_bytes_row(sqz_image *image, const uint8_t *row);

#ifdef __cplusplus
}
#endif
#endif
