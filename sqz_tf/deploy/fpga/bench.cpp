// Feeds pictures to the accelerator in Verilator, cycle by cycle, and writes down what comes out.
//
//   bench PICTURES SUMS COUNTS TRACE JOBS CLASSES PICTURE_BYTES STALLS
//
// SUMS: for each picture CLASSES int32 and then the cycles since the picture before, uint32.
// COUNTS: for each job of the last picture, and for what follows, seven uint32: cycles of each activity.
// TRACE: for each word written address, bytes (uint32), mask and done (uint8). Empty name: not written.
// STALLS: of 256 cycles so many, by chance, have no pixel or take no sum.
#include "Vaccelerator.h"
#include "verilated.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

constexpr int ACTIVITIES = 7, LOAD = 1, STEP = 4, QUADS = 5;

using File = std::unique_ptr<FILE, int (*)(FILE *)>;

File opened(const char *name, const char *mode) {
    File file(std::fopen(name, mode), std::fclose);
    if (!file) {
        std::fprintf(stderr, "cannot open %s\n", name);
        std::exit(2);
    }
    return file;
}

template <typename T> void put(FILE *file, T value) {
    std::fwrite(&value, sizeof value, 1, file);
}

struct Chance {
    uint32_t state = 1, out_of_256;
    bool strikes() {
        state = state * 1664525u + 1013904223u;
        return (state >> 24) < out_of_256;
    }
};

void tick(Vaccelerator &chip) {
    chip.clk = 1;
    chip.eval();
    chip.clk = 0;
    chip.eval();
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 9) {
        return 2;
    }
    File pictures = opened(argv[1], "rb"), sums = opened(argv[2], "wb"), counted = opened(argv[3], "wb");
    File trace(nullptr, std::fclose);
    if (argv[4][0] != '\0') {
        trace = opened(argv[4], "wb");
    }
    const size_t jobs = std::strtoul(argv[5], nullptr, 10), classes = std::strtoul(argv[6], nullptr, 10);
    const size_t picture_bytes = std::strtoul(argv[7], nullptr, 10);
    Chance chance{1, static_cast<uint32_t>(std::strtoul(argv[8], nullptr, 10))};

    std::vector<uint8_t> pixels;
    for (int byte; (byte = std::fgetc(pictures.get())) != EOF;) {
        pixels.push_back(static_cast<uint8_t>(byte));
    }
    const size_t count = pixels.size() / picture_bytes;
    std::vector<uint32_t> counts((jobs + 1) * ACTIVITIES);

    Vaccelerator chip;
    chip.clk = 0;
    chip.rst = 1;
    chip.pixel_valid = 0;
    chip.sum_ready = 0;
    chip.eval();
    tick(chip);
    chip.rst = 0;

    size_t next = 0, done = 0, job = 0;
    uint32_t cycles = 0, idle = 0;
    while (done < count) {
        chip.pixel_valid = next < pixels.size() && !chance.strikes();
        chip.pixel = next < pixels.size() ? pixels[next] : 0;
        chip.sum_ready = !chance.strikes();
        chip.eval();
        ++cycles;
        const bool steps = chip.trace_activity == STEP || chip.trace_activity == QUADS;  // of the job begun last
        ++counts[(job - steps) * ACTIVITIES + chip.trace_activity];
        job += chip.trace_activity == LOAD && job < jobs;
        if (trace && chip.trace_write) {
            put<uint32_t>(trace.get(), chip.trace_address);
            put<uint32_t>(trace.get(), chip.trace_bytes);
            put<uint8_t>(trace.get(), chip.trace_mask);
            put<uint8_t>(trace.get(), chip.trace_done);
        }
        const bool taken = chip.pixel_valid && chip.pixel_ready, given = chip.sum_valid && chip.sum_ready;
        if (given) {
            put<int32_t>(sums.get(), static_cast<int32_t>(chip.sum));
            if (chip.sum_last) {
                put<uint32_t>(sums.get(), cycles);
                cycles = 0;
                job = 0;
                if (++done < count) {
                    counts.assign(counts.size(), 0);
                }
            }
        }
        idle = taken || given || chip.trace_write ? 0 : idle + 1;
        if (idle > 10000000u) {
            std::fprintf(stderr, "nothing has happened for %u cycles\n", idle);
            return 3;
        }
        tick(chip);
        next += taken;
    }
    std::fwrite(counts.data(), sizeof counts[0], counts.size(), counted.get());
    return 0;
}
