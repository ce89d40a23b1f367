/* The stub's library. The file STUB_ANSWERS holds the bytes of one input, of one output, and the number of pairs
 * (three uint32), then each input with its output, as another interpreter computed them. So the application's
 * answers are right only if it hands over the very bytes it should. */
#include "stub.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/system_setup.h"

static std::FILE *answers;
static uint32_t sizes[3];

bool StubFlag(const char *name) { return std::getenv(name) != nullptr; }

namespace tflite {

void InitializeTarget() {}

MicroInterpreter::MicroInterpreter(const Model *, const MicroOpResolver &, uint8_t *arena, size_t arena_bytes)
    : arena_(arena), arena_bytes_(arena_bytes) {}

TfLiteStatus MicroInterpreter::AllocateTensors() {
  answers = std::fopen(std::getenv("STUB_ANSWERS"), "rb");
  if (answers == nullptr || std::fread(sizes, sizeof sizes, 1, answers) != 1) return kTfLiteError;
  if (arena_bytes_ < size_t{sizes[0]} + sizes[1] || StubFlag("STUB_SMALL_ARENA")) return kTfLiteError;
  if (reinterpret_cast<uintptr_t>(arena_) % 16 != 0) return kTfLiteError;
  input_ = {kTfLiteInt8, {reinterpret_cast<int8_t *>(arena_)}, sizes[0]};
  output_ = {kTfLiteInt8, {reinterpret_cast<int8_t *>(arena_ + sizes[0])}, sizes[1]};
  if (StubFlag("STUB_FLOAT")) input_.type = kTfLiteFloat32;
  return kTfLiteOk;
}

TfLiteTensor *MicroInterpreter::input(size_t index) { return index == 0 ? &input_ : nullptr; }
TfLiteTensor *MicroInterpreter::output(size_t index) { return index == 0 ? &output_ : nullptr; }

TfLiteStatus MicroInterpreter::Invoke() {
  std::fseek(answers, sizeof sizes, SEEK_SET);
  for (uint32_t pair = 0; pair < sizes[2]; ++pair) {
    bool equal = true;
    for (uint32_t i = 0; i < sizes[0]; ++i) equal &= static_cast<int8_t>(std::fgetc(answers)) == input_.data.int8[i];
    int8_t *const output = output_.data.int8;
    if (equal) return std::fread(output, 1, sizes[1], answers) == sizes[1] ? kTfLiteOk : kTfLiteError;
    std::fseek(answers, static_cast<long>(sizes[1]), SEEK_CUR);
  }
  return kTfLiteError;
}

}  // namespace tflite
