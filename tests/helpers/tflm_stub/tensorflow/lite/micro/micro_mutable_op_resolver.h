/* Stands for TFLite Micro's resolver: counts what is registered; STUB_FULL leaves room for one operator too few. */
#pragma once
#include "stub.h"

namespace tflite {

struct TFLMRegistration {};
inline TFLMRegistration Register_ADD_INT8() { return {}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D_INT8() { return {}; }
inline TFLMRegistration Register_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {}; }
inline TFLMRegistration Register_MAX_POOL_2D_INT8() { return {}; }
inline TFLMRegistration Register_SOFTMAX_INT8() { return {}; }

class MicroOpResolver {
 public:
  unsigned registered = 0;
};

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddAdd(const TFLMRegistration & = {}) { return Add(); }
  TfLiteStatus AddConcatenation(const TFLMRegistration & = {}) { return Add(); }
  TfLiteStatus AddConv2D(const TFLMRegistration & = {}) { return Add(); }
  TfLiteStatus AddMaxPool2D(const TFLMRegistration & = {}) { return Add(); }
  TfLiteStatus AddMean() { return Add(); }
  TfLiteStatus AddPad() { return Add(); }
  TfLiteStatus AddSoftmax(const TFLMRegistration & = {}) { return Add(); }

 private:
  TfLiteStatus Add() {
    if (registered + (StubFlag("STUB_FULL") ? 1u : 0u) >= tOpCount) return kTfLiteError;
    ++registered;
    return kTfLiteOk;
  }
};

}  // namespace tflite
