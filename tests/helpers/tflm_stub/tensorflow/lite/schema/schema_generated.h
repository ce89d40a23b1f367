/* Stands for the generated schema: a model is its bytes. */
#pragma once
#include "stub.h"

namespace tflite {

struct Model {
  unsigned version() const { return StubFlag("STUB_OLD_SCHEMA") ? 2u : 3u; }
};
inline const Model *GetModel(const void *bytes) { return static_cast<const Model *>(bytes); }

}  // namespace tflite
