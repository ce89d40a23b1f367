/* sqz-tf: what every compiled model shares. Public: a caller sees this header, NAME.h and, if rows come from a camera,
 * sqz_image.h; nothing else. */
#ifndef SQZ_H
#define SQZ_H
#include <stddef.h>
#include <stdint.h>

#include "sqz_names.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SQZ_FORMAT_VERSION 4 /* of the tables in NAME.c; a generated file checks that it meets its library */
#define SQZ_ARENA_ALIGN 16   /* every arena starts at a multiple of so many bytes */

/* Every function that can fail returns one of these; 0 is success, failures are negative. */
typedef enum sqz_status {
    SQZ_OK = 0,
    SQZ_ERROR_NULL = -1,      /* a pointer is null */
    SQZ_ERROR_ALIGNMENT = -2, /* the arena is not aligned to NAME_ARENA_ALIGN */
    SQZ_ERROR_ARENA = -3,     /* the arena is smaller than NAME_ARENA_BYTES */
    SQZ_ERROR_STATE = -4,     /* not begun, a row too many, or finished before the last row */
    SQZ_ERROR_SIZE = -5,      /* sqz_image: sizes that cannot be, or do not go together */
    SQZ_ERROR_IMAGE = -6,     /* sqz_slot: no whole image of a model's numbers and weights */
    SQZ_ERROR_NETWORK = -7,   /* sqz_slot: the image of another network than the program is for */
    SQZ_ERROR_TEST = -8       /* sqz_slot: the test that the image carries gave other outputs */
} sqz_status;

/* For messages: the code as it is written above. */
static inline const char *sqz_status_name(sqz_status status) {
    switch (status) {
    case SQZ_OK:
        return "SQZ_OK";
    case SQZ_ERROR_NULL:
        return "SQZ_ERROR_NULL";
    case SQZ_ERROR_ALIGNMENT:
        return "SQZ_ERROR_ALIGNMENT";
    case SQZ_ERROR_ARENA:
        return "SQZ_ERROR_ARENA";
    case SQZ_ERROR_STATE:
        return "SQZ_ERROR_STATE";
    case SQZ_ERROR_SIZE:
        return "SQZ_ERROR_SIZE";
    case SQZ_ERROR_IMAGE:
        return "SQZ_ERROR_IMAGE";
    case SQZ_ERROR_NETWORK:
        return "SQZ_ERROR_NETWORK";
    case SQZ_ERROR_TEST:
        return "SQZ_ERROR_TEST";
    }
    return "unknown sqz_status";
}

#ifdef __cplusplus
}
#endif
#endif
