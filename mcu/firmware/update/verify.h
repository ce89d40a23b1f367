/* The check of a signature, which a library does: sodium.c beside this file, or yours (VERIFY=FILE.c of mcu/Makefile). */
#ifndef SQZ_FIRMWARE_VERIFY_H
#define SQZ_FIRMWARE_VERIFY_H
#include <stddef.h>
#include <stdint.h>

/* 0 if 64 bytes are the Ed25519 signature of a message by a public key of 32. */
int sqz_verify(void *context, const uint8_t *public_key, const uint8_t *signature, const uint8_t *message, size_t bytes);
#endif
