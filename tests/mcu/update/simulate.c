/* Updates on a simulated flash: what a device does with them, with power cut at every operation.
 *
 *     simulate WORD SECTORS OLD.squ NEW.squ MODE [NUMBER …]
 *
 * OLD is a full update that the device begins with, confirmed. Modes:
 *   feed CHUNK      write NEW in chunks of that many bytes, 0: of any sizes; then boot and confirm. Prints each status
 *   file PATH …     the same with other files one after another, each on a device with OLD; prints the status and what runs
 *   cuts EVERY DEPTH WAYS STRIDE   cut power at every STRIDE-th operation of NEW's life, in WAYS of the four ways in turn;
 *                   send again after every EVERY-th cut, and cut that too if DEPTH is 2
 *   mutate N SEED   N damaged copies of NEW, whose signature counts as right
 *   bad N           a model that is never confirmed: begin another update, boot N times, print which model ran
 *   only N          OLD is not confirmed: boot N times, then take NEW
 *   last N          OLD, tried too often and then confirmed for want of another, before a NEW that never confirms itself: boot N times
 *   reject          NEW is rejected: say what runs, send it again, and again under a higher version
 *   torn N          the first N marks of OLD's confirmation are torn: confirm it after each, then say whether it stays
 *   slots A B NAME  slots at A and B and a product NAME: say what begin says
 *   factory PATH    slot 0 holds a file's bytes: boot and take NEW
 * Ends with 1 as soon as something else than a whole model runs. */
#include "flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(WITH_OPENSSL)
#include <openssl/evp.h>
#endif

typedef struct file {
    uint8_t *bytes;
    size_t count;
} file;

static flash device;
static sqz_update_config config;
static file old_update, new_update;
static uint8_t images[2][MOST_BYTES]; /* the old and the new */
static uint32_t image_bytes[2];
static unsigned long cuts, sent_again;
static unsigned every = 1, depth, depth_now, ways = 4, stride = 1;
static sqz_update update;
static sqz_update_key keys[2];

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static file load(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        die(path);
    }
    file loaded = {malloc(MOST_BYTES), 0};
    loaded.count = fread(loaded.bytes, 1, MOST_BYTES, f);
    loaded.bytes = realloc(loaded.bytes, loaded.count + (loaded.count == 0));
    fclose(f);
    return loaded;
}

#if defined(WITH_OPENSSL)
static int verify(void *context, const uint8_t *key, const uint8_t *signature, const uint8_t *message, size_t bytes) {
    EVP_PKEY *public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, 32);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    (void)context;
    const int right = EVP_DigestVerifyInit(digest, NULL, NULL, NULL, public_key) == 1 &&
                      EVP_DigestVerify(digest, signature, 64, message, bytes) == 1;
    EVP_MD_CTX_free(digest);
    EVP_PKEY_free(public_key);
    return right ? 0 : -1;
}
#else
static int verify(void *context, const uint8_t *key, const uint8_t *signature, const uint8_t *message, size_t bytes) {
    (void)context;
    (void)key;
    (void)signature;
    (void)message;
    return bytes == SQZ_UPDATE_SIGNED_BYTES ? 0 : 1;
}
#endif

static uint32_t at_random(uint32_t below) {
    return (uint32_t)rand() % below;
}

/* Write an update in chunks of a size, 0: of any. */
static sqz_update_status send(const sqz_update_running *running, const file *from, uint32_t chunk) {
    sqz_update_status status = sqz_update_begin(&update, &config, running);
    for (size_t at = 0; at < from->count && status == SQZ_UPDATE_OK;) {
        const size_t left = from->count - at, want = chunk ? chunk : at_random(at_random(300) + 1);
        const size_t count = want < left ? want : left;
        status = sqz_update_write(&update, from->bytes + at, count);
        at += count;
    }
    return status == SQZ_UPDATE_OK ? sqz_update_finish(&update) : status;
}

/* Boot; returns 0 if the old model runs, 1 if the new one does. */
static int boot(sqz_update_running *running) {
    const sqz_update_status status = sqz_update_boot(&config, running);
    if (status != SQZ_UPDATE_OK) {
        die(sqz_update_status_name(status));
    }
    for (int i = 0; i < 2; ++i) {
        if (running->bytes == image_bytes[i] && memcmp(device.memory + running->at, images[i], running->bytes) == 0) {
            return i;
        }
    }
    die("what runs is neither the old model nor the new one");
    return 0;
}

static void install_old(int confirmed) {
    sqz_update_running running;
    (void)sqz_update_boot(&config, &running);
    const sqz_update_status status = send(&running, &old_update, 4096);
    if (status != SQZ_UPDATE_OK) {
        die(sqz_update_status_name(status));
    }
    image_bytes[0] = image_bytes[1] = update.delta.ends.new_bytes;
    memcpy(images[0], device.memory + config.slots[0], image_bytes[0]);
    memcpy(images[1], images[0], image_bytes[0]);
    (void)boot(&running);
    if (confirmed && sqz_update_confirm(&config, &running) != SQZ_UPDATE_OK) {
        die("the old model cannot be confirmed");
    }
}

/* The whole life of an update. */
static void live(uint32_t chunk) {
    sqz_update_running running;
    if (boot(&running) == 0) {
        const sqz_update_status status = send(&running, &new_update, chunk);
        if (status != SQZ_UPDATE_OK) {
            die(sqz_update_status_name(status));
        }
        if (boot(&running) != 1) {
            die("the new model does not run after it was sent");
        }
    }
    if (sqz_update_confirm(&config, &running) != SQZ_UPDATE_OK) {
        die("the new model cannot be confirmed");
    }
    if (boot(&running) != 1 || !running.confirmed) {
        die("the new model does not stay");
    }
}

/* Power is cut in this operation, in every way: what runs then, and does the update come to its end when it is sent again? */
static void cut(flash *f, const flash_op *op) {
    static uint8_t memory[2][MOST_BYTES], programmed[2][MOST_BYTES / 4];
    static sqz_update kept[2];
    const unsigned level = depth_now;
    const unsigned long number = f->operations;
    if (number % stride != 0) {
        return;
    }
    void (*const before)(flash *, const flash_op *) = f->before;
    memcpy(memory[level], f->memory, f->bytes);
    memcpy(programmed[level], f->programmed, f->bytes / f->word);
    kept[level] = update;
    for (unsigned way = 0; way < ways; ++way) {
        const unsigned variant = (unsigned)(number + way) % 4;
        sqz_update_running running;
        flash_partly(f, op, variant);
        f->before = NULL;
        (void)boot(&running);
        if (++cuts % every == 0) {
            ++sent_again;
            depth_now = level + 1;
            f->before = depth_now < depth ? cut : NULL;
            live(variant == 0 ? 1 : variant == 1 ? 64 : 0);
            depth_now = level;
        }
        f->before = before;
        memcpy(f->memory, memory[level], f->bytes);
        memcpy(f->programmed, programmed[level], f->bytes / f->word);
        update = kept[level];
    }
}

static void say(sqz_update_status status) {
    sqz_update_running running;
    const int which = boot(&running);
    printf("%s %s %u\n", sqz_update_status_name(status), which ? "new" : "old", (unsigned)running.version);
}

static void mutate(unsigned count) {
    static flash kept;
    const file right = new_update;
    file wrong = {malloc(right.count + 64), 0};
    unsigned refused = 0;
    kept = device;
    for (unsigned i = 0; i < count; ++i) {
        sqz_update_running running;
        const uint32_t flips = at_random(4);
        wrong.count = right.count - (at_random(4) == 0 ? at_random((uint32_t)right.count) : 0);
        memcpy(wrong.bytes, right.bytes, wrong.count);
        for (uint32_t k = 0; k <= flips && wrong.count != 0; ++k) {
            const uint32_t limit = (uint32_t)wrong.count, at = at_random(at_random(2) ? limit : limit < 300 ? limit : 300);
            wrong.bytes[at] = (uint8_t)(at_random(3) ? wrong.bytes[at] ^ 1u << at_random(8) : at_random(256));
        }
        if (boot(&running) == 1) {
            die("a damaged update was taken");
        }
        refused += send(&running, &wrong, 0) != SQZ_UPDATE_OK;
        if (boot(&running) == 1) { /* nothing was changed but its version, say */
            device = kept;
        }
    }
    free(wrong.bytes);
    printf("%u of %u refused\n", refused, count);
}

static void try_files(int count, char **paths) {
    static uint8_t memory[MOST_BYTES], programmed[MOST_BYTES / 4];
    memcpy(memory, device.memory, device.bytes);
    memcpy(programmed, device.programmed, device.bytes / device.word);
    for (int i = 0; i < count; ++i) {
        const file given = load(paths[i]);
        sqz_update_running running;
        (void)boot(&running);
        say(send(&running, &given, 0));
        free(given.bytes);
        memcpy(device.memory, memory, device.bytes);
        memcpy(device.programmed, programmed, device.bytes / device.word);
    }
}

/* The image that the new update makes, found by sending it to a device of its own. */
static void learn_new(const char *sectors, uint32_t word) {
    static flash before;
    sqz_update_running running;
    before = device;
    (void)boot(&running);
    const sqz_update_status status = send(&running, &new_update, 0);
    if (status == SQZ_UPDATE_OK) {
        image_bytes[1] = update.delta.ends.new_bytes;
        memcpy(images[1], device.memory + config.slots[update.slot], image_bytes[1]);
    }
    (void)sectors;
    (void)word;
    device = before;
}

int main(int argc, char **argv) {
    if (argc < 6) {
        die("WORD SECTORS OLD NEW MODE");
    }
    const uint32_t word = (uint32_t)atoi(argv[1]);
    const char *mode = argv[5];
    const int number = argc > 6 ? atoi(argv[6]) : 0;
    old_update = load(argv[3]);
    new_update = load(argv[4]);
    flash_make(&device, argv[2], word);
    keys[0] = (sqz_update_key){old_update.bytes + 136, 0};
#if defined(WITH_OPENSSL)
    if (strcmp(mode, "file") == 0) { /* the first two files are public keys: one that must go up, one that need not */
        keys[0] = (sqz_update_key){load(argv[6]).bytes, 0};
        keys[1] = (sqz_update_key){load(argv[7]).bytes, 1};
        argv += 2;
        argc -= 2;
    }
#endif
    config = (sqz_update_config){.flash = flash_functions(&device), .slots = {0, device.bytes / 2}, .slot_bytes = device.bytes / 2,
                                 .network = old_update.bytes + 8, .model = "net", .keys = keys,
                                 .key_count = keys[1].public_key ? 2 : 1, .verify = verify};
    if (strcmp(mode, "slots") == 0) {
        sqz_update_running running = {.slot = SQZ_NO_SLOT};
        config.slots[0] = (uint32_t)number;
        config.slots[1] = (uint32_t)atoi(argv[7]);
        config.model = argv[8];
        printf("%s\n", sqz_update_status_name(sqz_update_begin(&update, &config, &running)));
        return 0;
    }
    if (strcmp(mode, "factory") == 0) {
        const file slot = load(argv[6]);
        sqz_update_running running;
        memcpy(device.memory, slot.bytes, slot.count);
        memset(device.programmed, 1, slot.count / device.word);
        const sqz_update_status status = sqz_update_boot(&config, &running);
        printf("%s %u %u confirmed %d\n", sqz_update_status_name(status), running.version, running.sequence, running.confirmed);
        printf("%s\n", sqz_update_status_name(send(&running, &new_update, 64)));
        return 0;
    }
    install_old(strcmp(mode, "only") != 0 && strcmp(mode, "last") != 0 && strcmp(mode, "torn") != 0);
    learn_new(argv[2], word);
    if (strcmp(mode, "feed") == 0) {
        sqz_update_running running;
        (void)boot(&running);
        say(send(&running, &new_update, (uint32_t)number));
        live(1);
    } else if (strcmp(mode, "file") == 0) {
        try_files(argc - 6, argv + 6);
    } else if (strcmp(mode, "cuts") == 0) {
        every = (unsigned)number;
        depth = (unsigned)atoi(argv[7]);
        ways = (unsigned)atoi(argv[8]);
        stride = (unsigned)atoi(argv[9]);
        device.before = cut;
        live(64);
        printf("%lu cuts, %lu sent again, %lu operations\n", cuts, sent_again, device.operations);
    } else if (strcmp(mode, "mutate") == 0) {
        srand((unsigned)atoi(argv[7]));
        mutate((unsigned)number);
    } else if (strcmp(mode, "only") == 0) {
        sqz_update_running running;
        for (int i = 0; i < number; ++i) {
            printf("%d", boot(&running));
        }
        printf(" confirmed %d last resort %d\n", running.confirmed, running.last_resort);
        say(send(&running, &new_update, 0));
    } else if (strcmp(mode, "last") == 0) {
        sqz_update_running running;
        for (int i = 0; i < 4; ++i) { /* it has three */
            (void)boot(&running);
        }
        printf("%s\n", sqz_update_status_name(sqz_update_confirm(&config, &running)));
        (void)boot(&running);
        say(send(&running, &new_update, 64));
        for (int i = 0; i < number; ++i) {
            printf("%d", boot(&running));
        }
        printf(" confirmed %d %s\n", running.confirmed, sqz_update_status_name(sqz_update_begin(&update, &config, &running)));
    } else if (strcmp(mode, "reject") == 0) {
        sqz_update_running running;
        (void)boot(&running);
        (void)send(&running, &new_update, 64);
        (void)boot(&running);
        printf("%s\n", sqz_update_status_name(sqz_update_reject(&config, &running)));
        (void)boot(&running);
        say(send(&running, &new_update, 64));
        (void)boot(&running);
        printf("%s\n", sqz_update_status_name(sqz_update_reject(&config, &running))); /* the old one is confirmed: it stays */
        ++new_update.bytes[56];
        say(send(&running, &new_update, 64));
    } else if (strcmp(mode, "torn") == 0) {
        sqz_update_running running;
        for (int i = 0; i < number; ++i) {
            const uint32_t place = config.slots[0] + config.slot_bytes - 288 + 160 + 32 * (uint32_t)i;
            device.memory[place] = 0xA5;
            memset(device.programmed + place / device.word, 1, 32 / device.word);
        }
        (void)boot(&running);
        printf("%s\n", sqz_update_status_name(sqz_update_confirm(&config, &running)));
        (void)boot(&running);
        printf("confirmed %d\n", running.confirmed);
    } else if (strcmp(mode, "bad") == 0) {
        sqz_update_running running;
        (void)boot(&running);
        say(send(&running, &new_update, 64));
        (void)boot(&running);
        printf("%s\n", sqz_update_status_name(sqz_update_begin(&update, &config, &running)));
        for (int i = 0; i < number; ++i) {
            printf("%d", boot(&running));
        }
        printf(" confirmed %d\n", running.confirmed);
    } else {
        die("no such mode");
    }
    return 0;
}
