/* A device whose model is updated: it runs what its slots hold, and does what comes down the line, message after message:
 *
 *   'U', bytes as uint32 (little-endian), an update    take it, say its status, and reset if it was taken
 *   'C', an input (int8, as the model takes it)        classify it and say every score
 *   'E'                                                end, which a device in the field does not
 *
 * A device that holds no model, as from the factory, waits for a full update. */
#include "../../boards/board.h"
#include "../../boards/cortex_m/flash.h"
#include "../model.h"
#include "../text.h"
#include "verify.h"

#include <stdbool.h>
#include <string.h>

enum { VERDICT_GOOD = 0, VERDICT_LINE = 1 }; /* 1: what came down the line is no message */
enum { CHUNK = 64 };

static const uint8_t public_key[32] = {SQZ_UPDATE_KEY};
static const sqz_update_key keys[] = {{public_key, 0}};
static sqz_update_config config;
static sqz_update_running running;
static bool runs; /* a model */

/* Never needed at the same time. */
static union {
    _Alignas(SQZ_MODEL_ARENA_ALIGN) uint8_t arena[SQZ_MODEL_ARENA_BYTES];
    sqz_update update;
} memory;
_Alignas(4) static int8_t row[SQZ_MODEL_INPUT_ROW_BYTES];
static int8_t scores[SQZ_MODEL_OUTPUT_BYTES];

sqz_update_status sqz_take_update(uint32_t bytes);

static void configure(void) {
    const uint32_t first = (uint32_t)(uintptr_t)sqz_slots;
    config = (sqz_update_config){.flash = board_flash,
                                 .slots = {first, first + FLASH_SLOT_BYTES},
                                 .slot_bytes = FLASH_SLOT_BYTES,
                                 .network = sqz_model_network(),
                                 .model = SQZ_UPDATE_PRODUCT,
                                 .keys = keys,
                                 .key_count = sizeof keys / sizeof keys[0],
                                 .verify = sqz_verify};
}

static void say_status(const char *what, sqz_update_status status) {
    const char *name = sqz_update_status_name(status);
    board_write(what, strlen(what));
    board_write(name, strlen(name));
    put("\n");
}

/* A model stays once it was opened and, the first time, gave the scores that its image expects. */
static bool is_good(void) {
    sqz_status status = sqz_model_open((const void *)(uintptr_t)running.at, running.bytes);
    if (status == SQZ_OK && !running.confirmed) {
        status = sqz_model_self_test(memory.arena, row, scores);
    }
    return status == SQZ_OK;
}

static void start(void) {
    const sqz_update_status booted = sqz_update_boot(&config, &running);
    if (booted != SQZ_UPDATE_OK) {
        say_status("boot ", booted);
        return;
    }
    put_number("slot ", (int32_t)running.slot, ' ');
    put_number("version ", (int32_t)running.version, ' ');
    put_number("confirmed ", running.confirmed, '\n');
    if (running.last_resort) { /* it may end in a fault each time it is tried: an update comes first */
        put("this model was tried too often\n");
        return;
    }
    runs = is_good();
    if (runs) {
        (void)sqz_update_confirm(&config, &running); /* if the flash refuses: again after the next reset */
        return;
    }
    put("this model does not run\n");
    (void)sqz_update_reject(&config, &running);
    if (sqz_update_begin(&memory.update, &config, &running) == SQZ_UPDATE_ERROR_TRIAL) {
        board_reset(); /* the one before it runs; without one all that is left is another update */
    }
}

/* A model that ends here while it is tried is tried three times; a watchdog would do the same for one that hangs. */
void board_fault(void) { board_reset(); }

/* The whole of an update is taken from the line, whatever is wrong with it. */
__attribute__((noinline)) sqz_update_status sqz_take_update(uint32_t bytes) {
    uint8_t some[CHUNK];
    sqz_update_status status = sqz_update_begin(&memory.update, &config, &running);
    while (bytes != 0) {
        const size_t count = board_read(some, bytes < CHUNK ? bytes : CHUNK);
        if (count == 0) {
            break;
        }
        bytes -= (uint32_t)count;
        if (status == SQZ_UPDATE_OK) {
            status = sqz_update_write(&memory.update, some, count);
        }
    }
    return status == SQZ_UPDATE_OK ? sqz_update_finish(&memory.update) : status;
}

static int update(void) {
    uint8_t size[4];
    if (board_read(size, sizeof size) != sizeof size) {
        return VERDICT_LINE;
    }
    const uint32_t bytes = size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24;
    const sqz_update_status status = sqz_take_update(bytes);
    say_status("update ", status);
    if (status == SQZ_UPDATE_OK) {
        put_number("stack ", (int32_t)board_stack_bytes(), '\n');
        board_reset();
    }
    return VERDICT_GOOD;
}

static int classify(void) {
    sqz_status status = runs ? sqz_model_begin(memory.arena, sizeof memory.arena) : SQZ_ERROR_STATE;
    for (uint32_t y = 0; y < SQZ_MODEL_INPUT_HEIGHT; y++) {
        if (board_read(row, sizeof row) != sizeof row) {
            return VERDICT_LINE;
        }
        status = status == SQZ_OK ? sqz_model_push_row(memory.arena, row) : status;
    }
    status = status == SQZ_OK ? sqz_model_finish(memory.arena, scores) : status;
    if (status != SQZ_OK) {
        put("no scores\n");
        return VERDICT_GOOD;
    }
    put("scores");
    for (uint32_t i = 0; i < SQZ_MODEL_OUTPUT_BYTES; i++) {
        put_number(" ", scores[i], i + 1 < SQZ_MODEL_OUTPUT_BYTES ? ',' : '\n');
    }
    return VERDICT_GOOD;
}

int main(void) {
    char kind;
    int verdict = VERDICT_GOOD;
    board_start();
    configure();
    start();
    while (verdict == VERDICT_GOOD && board_read(&kind, 1) == 1 && kind != 'E') {
        verdict = kind == 'U' ? update() : kind == 'C' ? classify() : VERDICT_LINE;
    }
    put_number("stack ", (int32_t)board_stack_bytes(), '\n');
    put_number("verdict ", verdict, '\n');
    board_exit(verdict);
}
