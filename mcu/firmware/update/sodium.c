/* A signature checked by libsodium; SODIUM=FOLDER of mcu/Makefile is where its sources are. Any other library does as well. */
#include "verify.h"

#include <sodium/crypto_sign_ed25519.h>

int sqz_verify(void *context, const uint8_t *public_key, const uint8_t *signature, const uint8_t *message, size_t bytes) {
    (void)context;
    return crypto_sign_ed25519_verify_detached(signature, message, bytes, public_key);
}
