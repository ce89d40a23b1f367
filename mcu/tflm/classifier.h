/* An exported model behind TFLite Micro's interpreter: rows of pixels in, scores out.
 *
 * The rows are written straight into the interpreter's input tensor, so there is no second copy of the picture.
 * No heap; the arena and the interpreter are static. */
#ifndef SQZ_TFLM_CLASSIFIER_H
#define SQZ_TFLM_CLASSIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "settings.h"

namespace sqz_app {

/* A program's exit code, too. */
enum Status {
  kOk = 0,
  kModelFailed = 1,    /* the model is of another schema than the library */
  kOperatorMissing = 2, /* the library has no such operator */
  kArenaTooSmall = 3,  /* AllocateTensors failed: raise SQZ_ARENA_BYTES in settings.h */
  kEdgesDiffer = 4,    /* input or output are not what settings.h says: generate both from the same model */
  kInvokeFailed = 5,
  kInputCut = 6, /* the input ended inside a picture */
};

constexpr size_t kRowBytes = size_t{SQZ_INPUT_WIDTH} * SQZ_INPUT_CHANNELS;

/* Sets the interpreter up; once. */
Status Begin();

/* Returns where row `y` of the picture goes, kRowBytes of it: pixels 0...255, R, G, B for each pixel from the left. */
uint8_t *Row(unsigned y);

/* Tells that row `y` is there. */
void EndRow(unsigned y);

/* Runs the model on the picture that was written; `scores` gets the address of SQZ_CLASS_COUNT int8 values. */
Status Classify(const int8_t **scores);

}  // namespace sqz_app

#endif  // SQZ_TFLM_CLASSIFIER_H
