#include "sqz_update.h"
#include "sqz_crc.h"
#include "sqz_sha256.h"

#include <string.h>

/* Places in the header of an update. */
enum { FORMAT = 4, BODY = 6, KIND = 7, NETWORK = 8, MODEL = 40, VERSION = 56, IMAGE_BYTES = 60, BODY_BYTES = 64, OLD_BYTES = 68 };
enum { SHA = 72, OLD_SHA = 104, KEY = 136, SIGNATURE = 144, MODEL_BYTES = 16, KEY_BYTES = 8, HASH_BYTES = 32 };

/* Places in a slot's record, and in an image's header. */
enum { SEQUENCE = 4, RECORD_VERSION = 8, RECORD_IMAGE = 12, RECORD_SHA = 16, RECORD_CRC = 60, RECORD = 64 };
enum { TRIED = 64, CONFIRMED = 160, REJECTED = 224, MARKS = 2, IMAGE_SIZE = 4, IMAGE_NETWORK = 8, IMAGE_HEADER = 64 };

static uint32_t number_at(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_number(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static int read_flash(const sqz_update_config *config, uint32_t at, void *to, uint32_t bytes) {
    return config->flash.read(config->flash.context, at, to, bytes) == 0;
}

static int program(const sqz_update_config *config, uint32_t at, const void *from, uint32_t bytes) {
    return config->flash.program(config->flash.context, at, from, bytes) == 0;
}

/* Where a slot's record begins. */
static uint32_t record_of(const sqz_update_config *config, uint32_t slot) {
    return config->slots[slot] + config->slot_bytes - SQZ_UPDATE_RECORD_BYTES;
}

/* Where the last sector of a slot begins, or the slot's end if it is no whole sectors. */
static uint32_t last_sector(const sqz_update_config *config, uint32_t slot) {
    uint32_t left = config->slot_bytes;
    for (uint32_t at = config->slots[slot];;) {
        const uint32_t bytes = config->flash.size(config->flash.context, at);
        if (bytes == 0 || bytes > left) {
            return config->slots[slot] + config->slot_bytes;
        }
        if (bytes == left) {
            return at;
        }
        left -= bytes;
        at += bytes;
    }
}

static int is_possible(const sqz_update_config *config) {
    if (config == NULL || config->network == NULL || config->model == NULL || config->flash.read == NULL ||
        config->flash.erase == NULL || config->flash.program == NULL || config->flash.size == NULL) {
        return 0;
    }
    const uint32_t apart = config->slots[1] - config->slots[0]; /* modulo 2^32, so is its negative */
    return config->slot_bytes >= SQZ_UPDATE_RECORD_BYTES && apart >= config->slot_bytes && 0u - apart >= config->slot_bytes &&
           memchr(config->model, '\0', MODEL_BYTES + 1) != NULL && last_sector(config, 0) <= record_of(config, 0) &&
           last_sector(config, 1) <= record_of(config, 1);
}

/* Marks. */

typedef enum mark { BLANK, SET, TORN, UNREAD } mark;

static mark read_mark(const sqz_update_config *config, uint32_t at) {
    uint8_t bytes[SQZ_UPDATE_WORD];
    unsigned blank = 0, set = 0;
    if (!read_flash(config, at, bytes, sizeof bytes)) {
        return UNREAD;
    }
    for (unsigned i = 0; i < sizeof bytes; ++i) {
        blank += bytes[i] == 0xFF;
        set += bytes[i] == 0xA5;
    }
    return blank == sizeof bytes ? BLANK : set == sizeof bytes ? SET : TORN;
}

/* Whether one place is set, or all are torn: each was to be set when power failed. */
static int is_set(const sqz_update_config *config, uint32_t at, unsigned places) {
    int torn = 1;
    for (; places != 0; --places, at += SQZ_UPDATE_WORD) {
        const mark found = read_mark(config, at);
        if (found == SET) {
            return 1;
        }
        torn &= found == TORN;
    }
    return torn;
}

/* Set the first place that is blank. Returns whether it is set, or none was blank. */
static int set_mark(const sqz_update_config *config, uint32_t at, unsigned places) {
    uint8_t bytes[SQZ_UPDATE_WORD];
    memset(bytes, 0xA5, sizeof bytes);
    for (; places != 0; --places, at += SQZ_UPDATE_WORD) {
        if (read_mark(config, at) == BLANK) {
            return program(config, at, bytes, sizeof bytes) && read_mark(config, at) == SET;
        }
    }
    return 1;
}

/* Slots. */

/* Whether the first bytes of a slot have a SHA-256. */
static int has_hash(const sqz_update_config *config, uint32_t slot, uint32_t bytes, const uint8_t *expected) {
    sqz_sha256 sha;
    uint8_t some[HASH_BYTES];
    sqz_sha256_begin(&sha);
    for (uint32_t at = 0; at < bytes; at += sizeof some) {
        const uint32_t count = bytes - at < sizeof some ? bytes - at : (uint32_t)sizeof some;
        if (!read_flash(config, config->slots[slot] + at, some, count)) {
            return 0;
        }
        sqz_sha256_add(&sha, some, count);
    }
    sqz_sha256_end(&sha, some);
    return memcmp(some, expected, sizeof some) == 0;
}

/* Whether a slot begins with an image of so many bytes for this program. */
static int is_ours(const sqz_update_config *config, uint32_t slot, uint32_t bytes) {
    static const uint8_t magic[4] = {'S', 'Q', 'Z', 'I'};
    uint8_t header[IMAGE_NETWORK + HASH_BYTES];
    return bytes >= IMAGE_HEADER && read_flash(config, config->slots[slot], header, sizeof header) &&
           memcmp(header, magic, sizeof magic) == 0 && number_at(header + IMAGE_SIZE) == bytes &&
           memcmp(header + IMAGE_NETWORK, config->network, HASH_BYTES) == 0;
}

static const uint8_t record_magic[4] = {'S', 'Q', 'Z', 'R'};

/* Whether a slot holds a model, and which. */
static int look_at(const sqz_update_config *config, uint32_t slot, sqz_update_running *found) {
    uint8_t record[RECORD];
    if (!read_flash(config, record_of(config, slot), record, sizeof record) || memcmp(record, record_magic, sizeof record_magic) != 0 ||
        sqz_crc(record, RECORD_CRC) != number_at(record + RECORD_CRC)) {
        return 0;
    }
    found->slot = slot;
    found->at = config->slots[slot];
    found->bytes = number_at(record + RECORD_IMAGE);
    found->version = number_at(record + RECORD_VERSION);
    found->sequence = number_at(record + SEQUENCE);
    found->confirmed = (uint8_t)is_set(config, record_of(config, slot) + CONFIRMED, MARKS);
    memcpy(found->sha256, record + RECORD_SHA, HASH_BYTES);
    return found->bytes <= config->slot_bytes - SQZ_UPDATE_RECORD_BYTES && is_ours(config, slot, found->bytes) &&
           has_hash(config, slot, found->bytes, found->sha256);
}

/* Whether a model may run, counting a try if it is on trial and was not tried often enough. */
static int may_run(const sqz_update_config *config, const sqz_update_running *model) {
    const uint32_t record = record_of(config, model->slot);
    if (model->confirmed) {
        return 1;
    }
    if (is_set(config, record + REJECTED, MARKS)) {
        return 0;
    }
    for (uint32_t place = 0; place < SQZ_UPDATE_TRIES; ++place) {
        if (read_mark(config, record + TRIED + place * SQZ_UPDATE_WORD) == BLANK) {
            return set_mark(config, record + TRIED, SQZ_UPDATE_TRIES);
        }
    }
    return 0;
}

sqz_update_status sqz_update_boot(const sqz_update_config *config, sqz_update_running *running) {
    sqz_update_running found[2];
    if (running == NULL) {
        return SQZ_UPDATE_ERROR_CONFIG;
    }
    memset(running, 0, sizeof *running);
    running->slot = SQZ_NO_SLOT;
    if (!is_possible(config)) {
        return SQZ_UPDATE_ERROR_CONFIG;
    }
    const int holds[2] = {look_at(config, 0, &found[0]), look_at(config, 1, &found[1])};
    const unsigned newer = holds[1] && (!holds[0] || found[1].sequence > found[0].sequence), older = 1 - newer;
    if (!holds[newer]) {
        return SQZ_UPDATE_ERROR_NONE;
    }
    const int runs = may_run(config, &found[newer]), falls_back = !runs && holds[older] && may_run(config, &found[older]);
    *running = found[falls_back ? older : newer];
    running->last_resort = !(runs | falls_back);
    return SQZ_UPDATE_OK;
}

/* Mark the model that runs, unless it is confirmed. */
static sqz_update_status decide(const sqz_update_config *config, const sqz_update_running *running, uint32_t place) {
    if (!is_possible(config) || running == NULL) {
        return SQZ_UPDATE_ERROR_CONFIG;
    }
    if (running->slot >= SQZ_NO_SLOT) {
        return SQZ_UPDATE_ERROR_NONE;
    }
    return running->confirmed || set_mark(config, record_of(config, running->slot) + place, MARKS) ? SQZ_UPDATE_OK : SQZ_UPDATE_ERROR_FLASH;
}

sqz_update_status sqz_update_confirm(const sqz_update_config *config, sqz_update_running *running) {
    const sqz_update_status status = decide(config, running, CONFIRMED);
    if (status == SQZ_UPDATE_OK) {
        running->confirmed = 1;
    }
    return status;
}

sqz_update_status sqz_update_reject(const sqz_update_config *config, const sqz_update_running *running) {
    return decide(config, running, REJECTED);
}

/* Updates. */

static int is_delta(const sqz_update *update) {
    return update->header[BODY] == 1;
}

static sqz_update_status failed(sqz_update *update, sqz_update_status status) {
    update->status = status;
    return status;
}

static int program_held(sqz_update *update) {
    const uint32_t at = update->config->slots[update->slot] + update->programmed;
    memset(update->held + update->held_bytes, 0xFF, sizeof update->held - update->held_bytes);
    update->programmed += SQZ_UPDATE_WORD;
    update->held_bytes = 0;
    return program(update->config, at, update->held, sizeof update->held);
}

static int hold(void *context, const uint8_t *bytes, uint32_t count) {
    sqz_update *update = context;
    for (; count != 0; --count) {
        update->held[update->held_bytes++] = *bytes++;
        if (update->held_bytes == sizeof update->held && !program_held(update)) {
            return 1;
        }
    }
    return 0;
}

static int read_old(void *context, uint32_t at, void *to, uint32_t bytes) {
    const sqz_update *update = context;
    return !read_flash(update->config, update->running->at + at, to, bytes);
}

static sqz_update_status check_signature(const sqz_update *update, int *may_go_down) {
    const sqz_update_config *config = update->config;
    for (size_t i = 0; i < config->key_count; ++i) {
        const sqz_update_key *key = &config->keys[i];
        if (memcmp(key->public_key, update->header + KEY, KEY_BYTES) != 0) {
            continue;
        }
        *may_go_down = key->may_go_down;
        return config->verify(config->verify_context, key->public_key, update->header + SIGNATURE, update->header,
                              SQZ_UPDATE_SIGNED_BYTES) == 0
                   ? SQZ_UPDATE_OK
                   : SQZ_UPDATE_ERROR_SIGNATURE;
    }
    return SQZ_UPDATE_ERROR_KEY;
}

static int is_our_model(const sqz_update *update) {
    uint8_t model[MODEL_BYTES] = {0};
    for (unsigned i = 0; i < MODEL_BYTES && update->config->model[i] != '\0'; ++i) {
        model[i] = (uint8_t)update->config->model[i];
    }
    return memcmp(model, update->header + MODEL, sizeof model) == 0;
}

static int is_of_format(const uint8_t *header) {
    static const uint8_t magic[6] = {'S', 'Q', 'Z', 'U', 1, 0};
    return memcmp(header, magic, sizeof magic) == 0 && header[BODY] <= 1 && header[KIND] == 1;
}

/* Whether the other slot holds the record of the same version and image, rejected. One that was tried too often without
 * being rejected may have met power cuts alone, and may come again. */
static int was_rejected(const sqz_update *update) {
    const uint32_t at = record_of(update->config, update->slot);
    uint8_t record[RECORD_SHA + HASH_BYTES];
    return read_flash(update->config, at, record, sizeof record) && memcmp(record + RECORD_SHA, update->header + SHA, HASH_BYTES) == 0 &&
           memcmp(record + RECORD_VERSION, update->header + VERSION, 4) == 0 && is_set(update->config, at + REJECTED, MARKS);
}

/* All that a header can be refused for, in the order of the format. */
static sqz_update_status check_header(const sqz_update *update) {
    const uint8_t *header = update->header;
    const sqz_update_running *running = update->running;
    const uint32_t bytes = number_at(header + IMAGE_BYTES);
    int may_go_down = 0;
    if (!is_of_format(header)) {
        return SQZ_UPDATE_ERROR_FORMAT;
    }
    const sqz_update_status status = check_signature(update, &may_go_down);
    if (status != SQZ_UPDATE_OK) {
        return status;
    }
    if (!is_our_model(update)) {
        return SQZ_UPDATE_ERROR_MODEL;
    }
    if (memcmp(header + NETWORK, update->config->network, HASH_BYTES) != 0) {
        return SQZ_UPDATE_ERROR_NETWORK;
    }
    if (running->slot < SQZ_NO_SLOT && number_at(header + VERSION) <= running->version && !may_go_down) {
        return SQZ_UPDATE_ERROR_VERSION;
    }
    if (running->confirmed && was_rejected(update) && !may_go_down) {
        return SQZ_UPDATE_ERROR_REJECTED;
    }
    if (bytes > update->config->slot_bytes - SQZ_UPDATE_RECORD_BYTES) {
        return SQZ_UPDATE_ERROR_SPACE;
    }
    if (!is_delta(update)) {
        return number_at(header + BODY_BYTES) == bytes ? SQZ_UPDATE_OK : SQZ_UPDATE_ERROR_FORMAT;
    }
    const int same = running->slot < SQZ_NO_SLOT && number_at(header + OLD_BYTES) == running->bytes &&
                     memcmp(header + OLD_SHA, running->sha256, HASH_BYTES) == 0;
    return same ? SQZ_UPDATE_OK : SQZ_UPDATE_ERROR_BASE;
}

/* The sector with the record first: from then on the slot holds nothing. */
static int erase_slot(const sqz_update_config *config, uint32_t slot) {
    const uint32_t last = last_sector(config, slot);
    if (config->flash.erase(config->flash.context, last) != 0) {
        return 0;
    }
    for (uint32_t at = config->slots[slot]; at < last; at += config->flash.size(config->flash.context, at)) {
        if (config->flash.erase(config->flash.context, at) != 0) {
            return 0;
        }
    }
    return 1;
}

/* The header is whole: check it and make room for the image. */
static sqz_update_status prepare(sqz_update *update) {
    const sqz_update_status status = check_header(update);
    if (status != SQZ_UPDATE_OK) {
        return status;
    }
    const sqz_delta_ends ends = {.context = update,
                                 .read = read_old,
                                 .write = hold,
                                 .old_bytes = update->running->bytes,
                                 .new_bytes = number_at(update->header + IMAGE_BYTES)};
    sqz_delta_begin(&update->delta, &ends);
    return erase_slot(update->config, update->slot) ? SQZ_UPDATE_OK : SQZ_UPDATE_ERROR_FLASH;
}

static sqz_update_status from_delta(int status) {
    return status == SQZ_DELTA_OK      ? SQZ_UPDATE_OK
           : status == SQZ_DELTA_FLASH ? SQZ_UPDATE_ERROR_FLASH
                                       : SQZ_UPDATE_ERROR_DAMAGED;
}

static sqz_update_status take_body(sqz_update *update, const uint8_t *bytes, uint32_t count) {
    if (is_delta(update)) {
        return from_delta(sqz_delta_write(&update->delta, bytes, count));
    }
    return hold(update, bytes, count) == 0 ? SQZ_UPDATE_OK : SQZ_UPDATE_ERROR_FLASH;
}

sqz_update_status sqz_update_begin(sqz_update *update, const sqz_update_config *config, const sqz_update_running *running) {
    if (update == NULL) {
        return SQZ_UPDATE_ERROR_CONFIG;
    }
    memset(update, 0, sizeof *update);
    if (!is_possible(config) || running == NULL || config->verify == NULL || config->keys == NULL) {
        return SQZ_UPDATE_ERROR_CONFIG;
    }
    sqz_update_running other;
    update->config = config;
    update->running = running;
    update->slot = running->slot == 0 ? 1 : 0;
    if (running->slot < SQZ_NO_SLOT && !running->confirmed && look_at(config, update->slot, &other) && other.confirmed) {
        return SQZ_UPDATE_ERROR_TRIAL;
    }
    update->begun = 1;
    return SQZ_UPDATE_OK;
}

sqz_update_status sqz_update_write(sqz_update *update, const void *bytes, size_t count) {
    const uint8_t *from = bytes;
    if (update == NULL || !update->begun || update->status != SQZ_UPDATE_OK) {
        return SQZ_UPDATE_ERROR_STATE;
    }
    for (; count != 0 && update->received < SQZ_UPDATE_HEADER_BYTES; --count) {
        update->header[update->received++] = *from++;
        if (update->received == SQZ_UPDATE_HEADER_BYTES) {
            const sqz_update_status status = prepare(update);
            if (status != SQZ_UPDATE_OK) {
                return failed(update, status);
            }
        }
    }
    if (count == 0) {
        return SQZ_UPDATE_OK;
    }
    const uint32_t left = number_at(update->header + BODY_BYTES) - (update->received - SQZ_UPDATE_HEADER_BYTES);
    if (count > left) {
        return failed(update, SQZ_UPDATE_ERROR_DAMAGED);
    }
    update->received += (uint32_t)count;
    const sqz_update_status status = take_body(update, from, (uint32_t)count);
    return status == SQZ_UPDATE_OK ? status : failed(update, status);
}

/* Whether the image in the slot is the one that was signed, as the flash holds it. */
static int is_right(const sqz_update *update) {
    const uint32_t bytes = number_at(update->header + IMAGE_BYTES);
    return is_ours(update->config, update->slot, bytes) && has_hash(update->config, update->slot, bytes, update->header + SHA);
}

static int write_record(const sqz_update *update) {
    uint8_t record[RECORD] = {0};
    const uint32_t before = update->running->slot < SQZ_NO_SLOT ? update->running->sequence : 0;
    memcpy(record, record_magic, sizeof record_magic);
    put_number(record + SEQUENCE, before + 1);
    memcpy(record + RECORD_VERSION, update->header + VERSION, 4);
    memcpy(record + RECORD_IMAGE, update->header + IMAGE_BYTES, 4);
    memcpy(record + RECORD_SHA, update->header + SHA, HASH_BYTES);
    put_number(record + RECORD_CRC, sqz_crc(record, RECORD_CRC));
    return program(update->config, record_of(update->config, update->slot), record, sizeof record);
}

sqz_update_status sqz_update_finish(sqz_update *update) {
    if (update == NULL || !update->begun || update->status != SQZ_UPDATE_OK) {
        return SQZ_UPDATE_ERROR_STATE;
    }
    update->begun = 0;
    if (update->received < SQZ_UPDATE_HEADER_BYTES ||
        update->received - SQZ_UPDATE_HEADER_BYTES != number_at(update->header + BODY_BYTES)) {
        return failed(update, SQZ_UPDATE_ERROR_DAMAGED);
    }
    const sqz_update_status status = is_delta(update) ? from_delta(sqz_delta_finish(&update->delta)) : SQZ_UPDATE_OK;
    if (status != SQZ_UPDATE_OK) {
        return failed(update, status);
    }
    if (update->held_bytes != 0 && !program_held(update)) {
        return failed(update, SQZ_UPDATE_ERROR_FLASH);
    }
    if (!is_right(update)) {
        return failed(update, SQZ_UPDATE_ERROR_DAMAGED);
    }
    return write_record(update) ? SQZ_UPDATE_OK : failed(update, SQZ_UPDATE_ERROR_FLASH);
}

const char *sqz_update_status_name(sqz_update_status status) {
    static const char *const names[] = {"OK",      "ERROR_CONFIG", "ERROR_STATE", "ERROR_FORMAT",  "ERROR_KEY",
                                        "ERROR_SIGNATURE", "ERROR_MODEL",  "ERROR_NETWORK", "ERROR_VERSION", "ERROR_SPACE",
                                        "ERROR_BASE", "ERROR_TRIAL", "ERROR_DAMAGED", "ERROR_FLASH", "ERROR_NONE",
                                        "ERROR_REJECTED"};
    const unsigned number = (unsigned)-(int)status;
    return number < sizeof names / sizeof names[0] ? names[number] : "?";
}
