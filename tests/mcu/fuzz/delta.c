/* Feed the decoder of deltas with anything, for libFuzzer with its sanitizers (`make fuzz-decoders`).
 *
 * The first bytes say how long the older result is, how long the new one may be, and in which chunks the stream comes; then
 * come the older result and the stream. Both lie in blocks of just their sizes. */
#include "sqz_delta.h"

#include <stdlib.h>
#include <string.h>

#define CHOICES 4u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

typedef struct ends {
    const uint8_t *old;
    uint8_t *new;
    uint32_t old_bytes, new_bytes, made;
} ends;

static int read_old(void *context, uint32_t at, void *to, uint32_t bytes) {
    const ends *e = context;
    if (at > e->old_bytes || bytes > e->old_bytes - at) {
        abort();
    }
    memcpy(to, e->old + at, bytes);
    return 0;
}

static int write_new(void *context, const uint8_t *bytes, uint32_t count) {
    ends *e = context;
    if (count > e->new_bytes - e->made) {
        abort();
    }
    memcpy(e->new + e->made, bytes, count);
    e->made += count;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes) {
    if (bytes < CHOICES) {
        return 0;
    }
    const size_t left = bytes - CHOICES, wanted = (size_t)input[0] << 3, old_bytes = wanted < left ? wanted : left;
    const size_t stream_bytes = left - old_bytes, chunk = 1u + input[2];
    ends e = {.old_bytes = (uint32_t)old_bytes, .new_bytes = (uint32_t)input[1] << (input[3] % 8)};
    uint8_t *old = malloc(old_bytes + 1), *stream = malloc(stream_bytes + 1);
    sqz_delta *delta = malloc(sizeof *delta);
    e.new = malloc(e.new_bytes + 1);
    if (old != NULL && stream != NULL && delta != NULL && e.new != NULL) {
        memcpy(old, input + CHOICES, old_bytes);
        memcpy(stream, input + CHOICES + old_bytes, stream_bytes);
        e.old = old;
        const sqz_delta_ends all = {.context = &e, .read = read_old, .write = write_new, .old_bytes = e.old_bytes,
                                    .new_bytes = e.new_bytes};
        sqz_delta_begin(delta, &all);
        for (size_t at = 0; at < stream_bytes; at += chunk) {
            (void)sqz_delta_write(delta, stream + at, stream_bytes - at < chunk ? stream_bytes - at : chunk);
        }
        if (sqz_delta_finish(delta) == SQZ_DELTA_OK && e.made != e.new_bytes) {
            abort();
        }
    }
    free(old);
    free(stream);
    free(delta);
    free(e.new);
    return 0;
}
