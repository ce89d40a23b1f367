/* Camera rows to network rows. Each row is resized in width when it comes and kept in a ring, as many as one row of the
 * resized picture is made of; a row of the network is made when the last row that it needs has come. */
#include "sqz_image.h"

#define ONE_BITS 22 /* weights are fixed point: 1 is 2^22 */
#define HALF (1u << (ONE_BITS - 1))

static unsigned larger(unsigned a, unsigned b) {
    return a > b ? a : b;
}

/* One pass of the resize rule, n_in values to n_out. Distances of centres and weights before they are normalised are in
 * units of 1 / (2 n_in n_out); see the rule for t, w, S and F. */
typedef struct pass {
    int32_t in, out;
} pass;

/* w of input j for output i; not positive outside the window. */
static int32_t closeness(pass p, int32_t i, int32_t j) {
    const int32_t distance = (2 * j + 1) * p.out - (2 * i + 1) * p.in;
    const int32_t reach = 2 * (p.in > p.out ? p.in : p.out);
    return reach - (distance < 0 ? -distance : distance);
}

/* The first input of output i's window. */
static int32_t first_input(pass p, int32_t i) {
    const int32_t reach = 2 * (p.in > p.out ? p.in : p.out);
    const int32_t bound = (2 * i + 1) * p.in - p.out - reach; /* 2 j n_out is larger */
    return bound < 0 ? 0 : bound / (2 * p.out) + 1;
}

/* The input after the last of output i's window. */
static int32_t end_of_inputs(pass p, int32_t i) {
    const int32_t reach = 2 * (p.in > p.out ? p.in : p.out);
    const int32_t bound = (2 * i + 1) * p.in - p.out + reach; /* 2 j n_out is smaller */
    const int32_t end = (bound + 2 * p.out - 1) / (2 * p.out);
    return end > p.in ? p.in : end;
}

/* Writes the weights of output i's inputs, first_input to end_of_inputs; returns how many. */
static unsigned weigh(pass p, int32_t i, uint32_t *weights) {
    const int32_t first = first_input(p, i), end = end_of_inputs(p, i);
    uint32_t sum = 0;
    for (int32_t j = first; j < end; ++j) {
        sum += (uint32_t)closeness(p, i, j);
    }
    for (int32_t j = first; j < end; ++j) {
        const uint64_t w = (uint64_t)(uint32_t)closeness(p, i, j);
        weights[j - first] = (uint32_t)(((w << (ONE_BITS + 1)) + sum) / (2u * (uint64_t)sum));
    }
    return (unsigned)(end - first);
}

static uint8_t rounded(uint32_t sum) {
    const uint32_t value = sum >> ONE_BITS;
    return (uint8_t)(value > 255 ? 255 : value);
}

/* The part of the camera's picture that the network sees. */
static void crop(sqz_image *image, const sqz_image_config *config) {
    const uint32_t w = config->camera_width, h = config->camera_height;
    const uint32_t a = config->resize_width, b = config->resize_height;
    uint32_t cut_w = w, cut_h = h;
    if (config->fit == SQZ_FIT_CENTRE_CROP) {
        if (w * b > h * a) {
            cut_w = larger(1, h * a / b);
        } else {
            cut_h = larger(1, w * b / a);
        }
    }
    image->crop_width = (uint16_t)cut_w;
    image->crop_height = (uint16_t)cut_h;
    image->crop_left = (uint16_t)((w - cut_w) / 2);
    image->crop_top = (uint16_t)((h - cut_h) / 2);
}

static pass across(const sqz_image *image) {
    return (pass){image->crop_width, image->config->resize_width};
}

static pass down(const sqz_image *image) {
    return (pass){image->crop_height, image->config->resize_height};
}

/* Most inputs of one output. */
static unsigned most_inputs(pass p) {
    return p.in > p.out ? (unsigned)((2 * p.in + p.out - 1) / p.out) : 2;
}

static int is_side(unsigned side) {
    return side > 0 && side <= SQZ_IMAGE_MAX_SIDE;
}

static int is_valid(const sqz_image_config *c) {
    const int sides = is_side(c->camera_width) && is_side(c->camera_height) && is_side(c->resize_width) &&
                      is_side(c->resize_height) && is_side(c->width) && is_side(c->height);
    const int inside = c->width <= c->resize_width && c->height <= c->resize_height;
    const int kinds = (c->channels == 1 || c->channels == 3) && (unsigned)c->fit <= SQZ_FIT_CENTRE_CROP;
    return sides && inside && kinds;
}

/* Bytes from one row to the next, in the ring: a multiple of four, which are made together. */
static size_t row_stride(const sqz_image_config *config) {
    return ((size_t)config->width * config->channels + 3) / 4 * 4;
}

/* Lays the tables and rows into memory, without touching it; returns the bytes they take. */
static size_t lay_out(sqz_image *image, const sqz_image_config *config) {
    image->config = config;
    crop(image, config);
    image->ring_rows = (uint16_t)most_inputs(down(image));
    const size_t row = row_stride(config);
    const size_t weights = 2u * larger(image->crop_width, config->resize_width); /* two outputs of each input */
    uint8_t *at = config->memory;
    size_t bytes = 0;
    image->weights = (uint32_t *)(void *)at;
    bytes += weights * sizeof(uint32_t);
    image->row_weights = (uint32_t *)(void *)(at ? at + bytes : NULL);
    bytes += image->ring_rows * sizeof(uint32_t);
    image->columns = (sqz_image_column *)(void *)(at ? at + bytes : NULL);
    bytes += config->width * sizeof(sqz_image_column);
    image->ring = at ? at + bytes : NULL;
    bytes += image->ring_rows * row;
    image->out = (int8_t *)(at ? at + bytes : NULL);
    return bytes + row;
}

size_t sqz_image_bytes(const sqz_image_config *config) {
    sqz_image image;
    return config != NULL && is_valid(config) ? lay_out(&image, config) : 0;
}

static sqz_status check(const sqz_image *image, const sqz_image_config *config) {
    if (image == NULL || config == NULL || config->push == NULL || config->memory == NULL) {
        return SQZ_ERROR_NULL;
    }
    if ((uintptr_t)config->memory % sizeof(uint32_t) != 0) {
        return SQZ_ERROR_ALIGNMENT;
    }
    if (!is_valid(config)) {
        return SQZ_ERROR_SIZE;
    }
    return config->memory_bytes < sqz_image_bytes(config) ? SQZ_ERROR_ARENA : SQZ_OK;
}

sqz_status sqz_image_begin(sqz_image *image, const sqz_image_config *config) {
    const sqz_status status = check(image, config);
    if (status != SQZ_OK) {
        return status;
    }
    (void)lay_out(image, config);
    image->taken = 0;
    image->made = 0;
    const int32_t left = (config->resize_width - config->width) / 2;
    uint32_t *weights = image->weights;
    for (int32_t x = 0; x < config->width; ++x) {
        sqz_image_column *column = &image->columns[x];
        column->first = (uint16_t)(image->crop_left + first_input(across(image), left + x));
        column->count = (uint16_t)weigh(across(image), left + x, weights);
        weights += column->count;
    }
    return SQZ_OK;
}

/* Reads pixel x of a camera row as red, green, blue. */
typedef void (*reader)(const void *row, unsigned x, uint8_t *rgb);

static inline void split_565(unsigned pixel, uint8_t *rgb) {
    const unsigned r = pixel >> 11, g = pixel >> 5 & 63, b = pixel & 31;
    rgb[0] = (uint8_t)(r << 3 | r >> 2);
    rgb[1] = (uint8_t)(g << 2 | g >> 4);
    rgb[2] = (uint8_t)(b << 3 | b >> 2);
}

static inline void read_rgb888(const void *row, unsigned x, uint8_t *rgb) {
    const uint8_t *pixel = (const uint8_t *)row + (size_t)3 * x;
    rgb[0] = pixel[0];
    rgb[1] = pixel[1];
    rgb[2] = pixel[2];
}

static inline void read_rgb565(const void *row, unsigned x, uint8_t *rgb) {
    split_565(((const uint16_t *)row)[x], rgb);
}

static inline void read_rgb565_bytes(const void *row, unsigned x, uint8_t *rgb) {
    const uint8_t *pixel = (const uint8_t *)row + (size_t)2 * x;
    split_565((unsigned)pixel[0] << 8 | pixel[1], rgb);
}

static inline void read_gray(const void *row, unsigned x, uint8_t *rgb) {
    rgb[0] = rgb[1] = rgb[2] = ((const uint8_t *)row)[x];
}

static inline uint8_t gray_of(const uint8_t *rgb) {
    return (uint8_t)((77u * rgb[0] + 150u * rgb[1] + 29u * rgb[2] + 128u) >> 8);
}

/* Resizes a camera row in width, into the ring. A copy of it is compiled for each reader. */
static inline void resize_row(const sqz_image *image, const void *row, reader read) {
    const unsigned channels = image->config->channels;
    const unsigned slot = (unsigned)(image->taken - image->crop_top) % image->ring_rows;
    uint8_t *to = image->ring + slot * row_stride(image->config);
    const uint8_t *const end = to + row_stride(image->config);
    const uint32_t *weight = image->weights;
    for (unsigned x = 0; x < image->config->width; ++x) {
        const sqz_image_column column = image->columns[x];
        uint32_t red = HALF, green = HALF, blue = HALF;
        for (unsigned k = 0; k < column.count; ++k, ++weight) {
            uint8_t rgb[3];
            read(row, column.first + k, rgb);
            if (channels == 1) {
                red += *weight * gray_of(rgb);
            } else {
                red += *weight * rgb[0];
                green += *weight * rgb[1];
                blue += *weight * rgb[2];
            }
        }
        *to++ = rounded(red);
        if (channels == 3) {
            *to++ = rounded(green);
            *to++ = rounded(blue);
        }
    }
    while (to != end) {
        *to++ = 0;
    }
}

/* The row of the resized picture that is the network's next. */
static int32_t next_row(const sqz_image *image) {
    return (image->config->resize_height - image->config->height) / 2 + image->made;
}

/* Four bytes of the row in the making, from byte `at` on: Σ weight * byte over `count` rows of the ring from `slot`. */
static void make_four(const sqz_image *image, unsigned slot, unsigned count, size_t at) {
    const size_t stride = row_stride(image->config), end = at + image->ring_rows * stride;
    const uint32_t *weight = image->row_weights;
    uint32_t a = HALF, b = HALF, c = HALF, d = HALF;
    for (size_t from = at + slot * stride; count > 0; --count, ++weight) {
        const uint8_t *bytes = image->ring + from;
        a += *weight * bytes[0];
        b += *weight * bytes[1];
        c += *weight * bytes[2];
        d += *weight * bytes[3];
        from = from + stride == end ? at : from + stride;
    }
    int8_t *out = image->out + at;
    out[0] = (int8_t)(rounded(a) - 128);
    out[1] = (int8_t)(rounded(b) - 128);
    out[2] = (int8_t)(rounded(c) - 128);
    out[3] = (int8_t)(rounded(d) - 128);
}

/* Makes row i of the resized picture from the ring, as int8. */
static void make_row(const sqz_image *image, int32_t i) {
    const size_t bytes = row_stride(image->config);
    const unsigned count = weigh(down(image), i, image->row_weights);
    const unsigned slot = (unsigned)first_input(down(image), i) % image->ring_rows;
    for (size_t at = 0; at < bytes; at += 4) {
        make_four(image, slot, count, at);
    }
}

/* Makes and pushes the network rows that the newest camera row completes. */
static sqz_status push_rows(sqz_image *image) {
    const sqz_image_config *config = image->config;
    const int32_t come = image->taken - image->crop_top; /* rows of the part that is seen */
    while (image->made < config->height && end_of_inputs(down(image), next_row(image)) <= come) {
        make_row(image, next_row(image));
        ++image->made;
        const sqz_status status = config->push(config->context, image->out);
        if (status != SQZ_OK) {
            return status;
        }
    }
    return SQZ_OK;
}

/* Whether a row that the network needs is made of the next camera row. */
static int is_needed(const sqz_image *image) {
    const int32_t y = image->taken - image->crop_top;
    return y < image->crop_height && image->made < image->config->height &&
           y >= first_input(down(image), next_row(image));
}

static inline sqz_status take(sqz_image *image, const void *row, reader read) {
    if (image == NULL || row == NULL) {
        return SQZ_ERROR_NULL;
    }
    if (image->config == NULL || image->taken >= image->config->camera_height) {
        return SQZ_ERROR_STATE;
    }
    const int needed = is_needed(image);
    if (needed) {
        resize_row(image, row, read);
    }
    ++image->taken;
    return needed ? push_rows(image) : SQZ_OK;
}

sqz_status sqz_rgb888_row(sqz_image *image, const uint8_t *row) {
    return take(image, row, read_rgb888);
}

sqz_status sqz_rgb565_row(sqz_image *image, const uint16_t *row) {
    return take(image, row, read_rgb565);
}

sqz_status sqz_rgb565_bytes_row(sqz_image *image, const uint8_t *row) {
    return take(image, row, read_rgb565_bytes);
}

sqz_status sqz_gray_row(sqz_image *image, const uint8_t *row) {
    return take(image, row, read_gray);
}
