/* Cases: images to classify and, for each, the bytes that should come out.
 *
 * A file of cases, little-endian: "SQZC", then three uint32: how many cases, bytes of one input, bytes of one expected
 * output (0: none are expected); then each case: its input (int8, as the model takes it), its expected output. */
#ifndef SQZ_FIRMWARE_CASES_H
#define SQZ_FIRMWARE_CASES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cases {
    uint32_t count;
    bool with_outputs;
} cases;

/* Returns false if there are none, or they are for another model. */
bool cases_open(cases *found);

/* The next bytes of the file. Returns false if it ends too early. */
bool cases_read(void *to, size_t bytes);
#endif
