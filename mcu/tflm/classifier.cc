#include "classifier.h"

#include "model_data.h"
#include "op_resolver.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace sqz_app {
namespace {

alignas(16) uint8_t arena[SQZ_ARENA_BYTES];
sqz::OpResolver resolver;
int8_t *input = nullptr;

tflite::MicroInterpreter &Interpreter() {
  static tflite::MicroInterpreter interpreter(tflite::GetModel(sqz_model_data), resolver, arena, sizeof arena);
  return interpreter;
}

bool IsInt8(const TfLiteTensor *tensor, size_t bytes) {
  return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->bytes == bytes;
}

}  // namespace

Status Begin() {
  tflite::InitializeTarget();
  if (tflite::GetModel(sqz_model_data)->version() != TFLITE_SCHEMA_VERSION) return kModelFailed;
  if (sqz::RegisterOps(resolver) != kTfLiteOk) return kOperatorMissing;
  if (Interpreter().AllocateTensors() != kTfLiteOk) return kArenaTooSmall;
  if (!IsInt8(Interpreter().input(0), SQZ_INPUT_BYTES)) return kEdgesDiffer;
  if (!IsInt8(Interpreter().output(0), SQZ_OUTPUT_BYTES)) return kEdgesDiffer;
  input = Interpreter().input(0)->data.int8;
  return kOk;
}

uint8_t *Row(unsigned y) { return reinterpret_cast<uint8_t *>(input) + y * kRowBytes; }

void EndRow(unsigned y) {
  const uint8_t *const pixels = Row(y);
  int8_t *const row = input + y * kRowBytes;
  for (size_t i = 0; i < kRowBytes; ++i) row[i] = SQZ_INPUT_FROM_PIXEL(pixels[i]);
}

Status Classify(const int8_t **scores) {
  if (Interpreter().Invoke() != kTfLiteOk) return kInvokeFailed;
  *scores = Interpreter().output(0)->data.int8;
  return kOk;
}

}  // namespace sqz_app
