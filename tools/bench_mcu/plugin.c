/* A QEMU plugin that counts executed guest instructions, exactly, by address.
 *
 *   -plugin libinsn_count.so,out=FILE[,start=HEX,stop=HEX+HEX…][,mark=HEX+HEX…][,quit=1][,reads=FROM+TO]
 *
 * A region opens when the instruction at `start` is about to run and closes when one of `stop` is; without them the
 * whole run is one region. quit=1 ends the emulator with the first region. FILE gets a line each:
 *   R number count       a region          M address total in_region   the instruction at `mark` is about to run
 *   T total              the whole run     A address count             executions of one instruction in the regions
 *   S total              a region that opens         J address count             … after which another than the next one ran
 *   B bytes              loaded in the regions from FROM up to TO, if reads= is given; and then also
 *   U address count      cycles that a Cortex-M4 adds for the accesses of one instruction that are not aligned
 */
#include "qemu_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_BITS 20
#define TABLE (1u << TABLE_BITS)
#define MOST_ADDRESSES 4096

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;

typedef struct counter {
    uint64_t address, executed, before, in_regions; /* before: `executed` when the region opened */
    uint64_t jumps, unaligned;
} counter;

typedef struct block {
    uint64_t start, end;
    counter *last;
} block;

typedef struct addresses {
    uint64_t at[MOST_ADDRESSES];
    int count;
} addresses;

static counter *table[TABLE], *all[TABLE];
static size_t counters;
static uint64_t total, region_start, start = UINT64_MAX;
static addresses stops, marks, reads;
static uint64_t bytes_read;
static const block *previous;
static int in_region, regions, quit;
static FILE *out;

static counter *counter_of(uint64_t address) {
    uint64_t slot = ((address >> 1) * 0x9E3779B97F4A7C15u) >> (64 - TABLE_BITS);
    while (table[slot] && table[slot]->address != address) {
        slot = (slot + 1) % TABLE;
    }
    if (!table[slot]) {
        table[slot] = calloc(1, sizeof(counter));
        table[slot]->address = address;
        all[counters++] = table[slot];
    }
    return table[slot];
}

static int counting(void) {
    return in_region || start == UINT64_MAX;
}

static void open_region(void) {
    in_region = 1;
    region_start = total;
    fprintf(out, "S %llu\n", (unsigned long long)total);
    for (size_t i = 0; i < counters; i++) {
        all[i]->before = all[i]->executed;
    }
}

static void close_region(void) {
    fprintf(out, "R %d %llu\n", regions++, (unsigned long long)(total - region_start));
    for (size_t i = 0; i < counters; i++) {
        all[i]->in_regions += all[i]->executed - all[i]->before;
        all[i]->before = all[i]->executed;
    }
    in_region = 0;
}

static void write_counter(char kind, uint64_t address, uint64_t value) {
    fprintf(out, "%c %llx %llu\n", kind, (unsigned long long)address, (unsigned long long)value);
}

static void write_counters(void) {
    fprintf(out, "T %llu\n", (unsigned long long)total);
    for (size_t i = 0; i < counters; i++) {
        if (all[i]->in_regions) {
            write_counter('A', all[i]->address, all[i]->in_regions);
        }
        if (all[i]->jumps) {
            write_counter('J', all[i]->address, all[i]->jumps);
        }
        if (all[i]->unaligned) {
            write_counter('U', all[i]->address, all[i]->unaligned);
        }
    }
    fprintf(out, "B %llu\n", (unsigned long long)bytes_read);
    fclose(out);
}

static void on_start(unsigned vcpu, void *data) {
    (void)vcpu, (void)data;
    if (!in_region) {
        open_region();
    }
}

static void on_stop(unsigned vcpu, void *data) {
    (void)vcpu, (void)data;
    if (in_region) {
        close_region();
        if (quit) {
            write_counters();
            _exit(0);
        }
    }
}

static void on_mark(unsigned vcpu, void *data) {
    (void)vcpu;
    fprintf(out, "M %llx %llu %d\n", (unsigned long long)(uintptr_t)data, (unsigned long long)total, in_region);
}

/* Of a block's last instruction QEMU tells too many bytes where it has looked at the next one, which lies across two pages. */
static void on_block(unsigned vcpu, void *data) {
    (void)vcpu;
    const block *now = data;
    if (previous && (now->start <= previous->last->address || now->start > previous->end) && counting()) {
        previous->last->jumps++;
    }
    previous = now;
}

/* A word is loaded as two halfwords, or as bytes and a halfword; a halfword as two bytes. */
static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
    (void)vcpu;
    if (!counting()) {
        return;
    }
    const uint64_t bytes = 1u << qemu_plugin_mem_size_shift(info);
    if (bytes == 4 && (address & 3)) {
        ((counter *)data)->unaligned += address & 1 ? 2 : 1;
    } else if (bytes == 2 && (address & 1)) {
        ((counter *)data)->unaligned++;
    }
    if (!qemu_plugin_mem_is_store(info) && address >= reads.at[0] && address < reads.at[1]) {
        bytes_read += bytes;
    }
}

static int holds(const addresses *list, uint64_t address) {
    for (int i = 0; i < list->count; i++) {
        if (list->at[i] == address) {
            return 1;
        }
    }
    return 0;
}

static void watch_block(struct qemu_plugin_tb *of) {
    const size_t count = qemu_plugin_tb_n_insns(of);
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(of, count - 1);
    block *now = malloc(sizeof *now);
    now->start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(of, 0));
    now->end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
    now->last = counter_of(qemu_plugin_insn_vaddr(last));
    qemu_plugin_register_vcpu_tb_exec_cb(of, on_block, QEMU_PLUGIN_CB_NO_REGS, now);
}

/* Callbacks come before the additions, so a count never includes the instruction it stops at. */
static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *of) {
    (void)id;
    watch_block(of);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(of); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(of, i);
        const uint64_t at = qemu_plugin_insn_vaddr(insn);
        if (holds(&stops, at)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_stop, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
        if (at == start) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_start, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
        if (holds(&marks, at)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)at);
        }
        if (reads.count == 2) {
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, counter_of(at));
        }
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &total, 1);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counter_of(at)->executed, 1);
    }
}

static void on_exit_of_emulator(qemu_plugin_id_t id, void *data) {
    (void)id, (void)data;
    if (in_region || start == UINT64_MAX) {
        close_region();
    }
    write_counters();
}

static void parse(addresses *list, char *text) {
    while (*text && list->count < MOST_ADDRESSES) {
        list->at[list->count++] = strtoull(text, &text, 16);
        text += *text == '+';
    }
}

static int option(char *text) {
    char *value = strchr(text, '=');
    if (!value) {
        return -1;
    }
    *value++ = '\0';
    if (!strcmp(text, "start")) {
        start = strtoull(value, NULL, 16);
    } else if (!strcmp(text, "stop")) {
        parse(&stops, value);
    } else if (!strcmp(text, "mark")) {
        parse(&marks, value);
    } else if (!strcmp(text, "reads")) {
        parse(&reads, value);
    } else if (!strcmp(text, "quit")) {
        quit = atoi(value);
    } else if (!strcmp(text, "out")) {
        out = fopen(value, "w");
    } else {
        return -1;
    }
    return 0;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (option(argv[i])) {
            return -1;
        }
    }
    if (!out) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_emulator, NULL);
    return 0;
}
