/* Stands for TFLite Micro's interpreter: it knows the answers to the pictures in the file STUB_ANSWERS. */
#pragma once
#include "stub.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#define TFLITE_SCHEMA_VERSION (3)

namespace tflite {

class MicroInterpreter {
 public:
  MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t arena_bytes);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor *input(size_t index);
  TfLiteTensor *output(size_t index);

 private:
  uint8_t *arena_;
  size_t arena_bytes_;
  TfLiteTensor input_ = {}, output_ = {};
};

}  // namespace tflite
