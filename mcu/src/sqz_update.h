/* Updates of a model over the air: two slots of flash, of which one runs while the other is written (docs/formats/squ.md).
 *
 * At start-up sqz_update_boot says which slot to run. An update is begun, written in chunks of any size as they come, and finished; the
 * next start-up runs it, and it stays if sqz_update_confirm is called, for instance after NAME_self_test. Power may
 * fail at any time: what runs is a whole model, the old one or the new one. No heap, no globals. */
#ifndef SQZ_UPDATE_H
#define SQZ_UPDATE_H
#include <stddef.h>
#include <stdint.h>

#include "sqz_delta.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SQZ_UPDATE_HEADER_BYTES 208u
#define SQZ_UPDATE_SIGNED_BYTES 144u
#define SQZ_UPDATE_RECORD_BYTES 288u /* the end of a slot, which no image reaches */
#define SQZ_UPDATE_WORD 32u          /* the most bytes that a part programs at once, and what is programmed together here */
#define SQZ_UPDATE_TRIES 3u
#define SQZ_NO_SLOT 2u

typedef enum sqz_update_status {
    SQZ_UPDATE_OK = 0,
    SQZ_UPDATE_ERROR_CONFIG = -1,    /* the configuration cannot be: slots that are no whole sectors, no functions */
    SQZ_UPDATE_ERROR_STATE = -2,     /* not begun, or after an error */
    SQZ_UPDATE_ERROR_FORMAT = -3,    /* no update for a device, or of another format */
    SQZ_UPDATE_ERROR_KEY = -4,       /* signed by a key that is not known */
    SQZ_UPDATE_ERROR_SIGNATURE = -5, /* the signature is not that key's */
    SQZ_UPDATE_ERROR_MODEL = -6,     /* another product's model */
    SQZ_UPDATE_ERROR_NETWORK = -7,   /* for another program than the one that runs */
    SQZ_UPDATE_ERROR_VERSION = -8,   /* not above the version that runs */
    SQZ_UPDATE_ERROR_SPACE = -9,     /* larger than a slot */
    SQZ_UPDATE_ERROR_BASE = -10,     /* a delta against another model than the one that runs */
    SQZ_UPDATE_ERROR_TRIAL = -11,    /* the model that runs is not confirmed, and a predecessor is still needed */
    SQZ_UPDATE_ERROR_DAMAGED = -12,  /* what came is not what was signed */
    SQZ_UPDATE_ERROR_FLASH = -13,    /* the flash refused */
    SQZ_UPDATE_ERROR_NONE = -14,     /* no slot holds a model */
    SQZ_UPDATE_ERROR_REJECTED = -15  /* this version was tried here and rejected */
} sqz_update_status;

const char *sqz_update_status_name(sqz_update_status status);

/* The flash that both slots lie in; addresses are its own. The first three return 0 if they could. */
typedef struct sqz_flash {
    void *context;
    int (*read)(void *context, uint32_t at, void *to, uint32_t bytes);
    int (*erase)(void *context, uint32_t at);                                      /* the sector that begins there, to FF */
    int (*program)(void *context, uint32_t at, const void *from, uint32_t bytes); /* whole words, each once after an erase */
    uint32_t (*size)(void *context, uint32_t at); /* bytes of the sector that begins there; 0 if none does */
} sqz_flash;

typedef struct sqz_update_key {
    const uint8_t *public_key; /* Ed25519: 32 bytes */
    uint8_t may_go_down;       /* whether it may sign versions that are not above the one that runs */
} sqz_update_key;

typedef struct sqz_update_config {
    sqz_flash flash;
    uint32_t slots[2];      /* where they begin; they share nothing */
    uint32_t slot_bytes;    /* whole sectors, the last one of at least SQZ_UPDATE_RECORD_BYTES */
    const uint8_t *network; /* NAME_network() */
    const char *model;      /* the product's identity, at most 16 bytes */
    const sqz_update_key *keys;
    size_t key_count;
    /* 0 if a signature is a key's, anything else if not or if it cannot be told: as crypto_ed25519_check of Monocypher,
     * crypto_sign_ed25519_verify_detached of libsodium and psa_verify_message say it. */
    int (*verify)(void *context, const uint8_t *public_key, const uint8_t *signature, const uint8_t *message, size_t bytes);
    void *verify_context;
} sqz_update_config;

/* The model that runs. */
typedef struct sqz_update_running {
    uint32_t slot; /* 0, 1 or SQZ_NO_SLOT */
    uint32_t at, bytes; /* of its image */
    uint32_t version, sequence;
    uint8_t confirmed;
    uint8_t last_resort; /* it was rejected or tried too often, and there is no other: take updates before anything of it is run */
    uint8_t sha256[32];
} sqz_update_running;

typedef struct sqz_update {
    const sqz_update_config *config;
    const sqz_update_running *running;
    uint32_t received;          /* bytes of the update */
    uint32_t slot, programmed;  /* where it goes, and how many bytes are there */
    int32_t status;             /* of the first call that failed */
    uint8_t begun, held_bytes;
    uint8_t held[SQZ_UPDATE_WORD]; /* of the image, not yet programmed */
    uint8_t header[SQZ_UPDATE_HEADER_BYTES];
    sqz_delta delta;
} sqz_update;

/* Once at start-up: which model to run. Counts a try of one that is not confirmed; after SQZ_UPDATE_TRIES the one before
 * it runs, if there is one. With SQZ_UPDATE_ERROR_NONE there is none, and only a full update can be taken. */
sqz_update_status sqz_update_boot(const sqz_update_config *config, sqz_update_running *running);

/* The model that runs is good: it stays. */
sqz_update_status sqz_update_confirm(const sqz_update_config *config, sqz_update_running *running);

/* The model that runs is bad, for instance since NAME_self_test failed: after a reset the one before it runs, if there is
 * one, and this version is not taken again. One that is confirmed stays. */
sqz_update_status sqz_update_reject(const sqz_update_config *config, const sqz_update_running *running);

/* An update: begin, write until all was written, finish. What both point at must stay. An error ends it; begin anew. */
sqz_update_status sqz_update_begin(sqz_update *update, const sqz_update_config *config, const sqz_update_running *running);
sqz_update_status sqz_update_write(sqz_update *update, const void *bytes, size_t count);
sqz_update_status sqz_update_finish(sqz_update *update);

#ifdef __cplusplus
}
#endif
#endif
