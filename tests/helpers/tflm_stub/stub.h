/* What the stub's headers share. The real names come from TFLite Micro's public headers; nothing else does. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum TfLiteStatus { kTfLiteOk, kTfLiteError };
enum TfLiteType { kTfLiteNoType = 0, kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };
union TfLitePtrUnion {
  int8_t *int8;
  float *f;
};
struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  size_t bytes;
};

/* Whether an environment variable is set: how a test makes something fail. */
bool StubFlag(const char *name);
