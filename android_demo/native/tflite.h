/* As much of TFLite's C API (2.21) as fast.c calls; libjnitensorflowlite.so exports all of it. */
#ifndef SQZ_TFLITE_H
#define SQZ_TFLITE_H
#include <stddef.h>
#include <stdint.h>

typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteTensor TfLiteTensor;
typedef struct TfLiteDelegate TfLiteDelegate;

#define TFLITE_OK 0

/* The first field is all that is set here; TfLiteXNNPackDelegateOptionsDefault fills the others. There is room for more
 * of them than there are: the result is returned through a pointer, and what is behind the library's own is not touched. */
typedef struct TfLiteXNNPackDelegateOptions {
    int32_t num_threads;
    uint64_t others[63];
} TfLiteXNNPackDelegateOptions;

TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate *TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions *options);
void TfLiteXNNPackDelegateDelete(TfLiteDelegate *delegate);

TfLiteModel *TfLiteModelCreate(const void *file, size_t bytes); /* the file stays where it is until the model is deleted */
void TfLiteModelDelete(TfLiteModel *model);

TfLiteInterpreterOptions *TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions *options);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions *options, int32_t threads);
void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions *options, TfLiteDelegate *delegate);

TfLiteInterpreter *TfLiteInterpreterCreate(const TfLiteModel *model, const TfLiteInterpreterOptions *options);
void TfLiteInterpreterDelete(TfLiteInterpreter *interpreter);
int TfLiteInterpreterAllocateTensors(TfLiteInterpreter *interpreter);
int TfLiteInterpreterInvoke(TfLiteInterpreter *interpreter);
TfLiteTensor *TfLiteInterpreterGetInputTensor(const TfLiteInterpreter *interpreter, int32_t index);
const TfLiteTensor *TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter *interpreter, int32_t index);
int TfLiteTensorCopyFromBuffer(TfLiteTensor *tensor, const void *data, size_t bytes);
int TfLiteTensorCopyToBuffer(const TfLiteTensor *tensor, void *data, size_t bytes);

#endif
