/* org.sqztf.core.FastEngine: TFLite's interpreter with XNNPACK, whose threads are set in its own options: those of the
 * interpreter alone do not reach a delegate that was made before it. */
#include <stdlib.h>

#include "jni_calls.h"
#include "tflite.h"

typedef struct fast {
    TfLiteModel *model;
    TfLiteDelegate *delegate;
    TfLiteInterpreter *interpreter;
    jlong input_bytes, output_bytes;
} fast;

static void free_all(fast *engine) {
    if (engine->interpreter) {
        TfLiteInterpreterDelete(engine->interpreter);
    }
    if (engine->delegate) {
        TfLiteXNNPackDelegateDelete(engine->delegate);
    }
    if (engine->model) {
        TfLiteModelDelete(engine->model);
    }
    free(engine);
}

static TfLiteDelegate *delegate_of(int32_t threads) {
    TfLiteXNNPackDelegateOptions options = TfLiteXNNPackDelegateOptionsDefault();
    options.num_threads = threads;
    return TfLiteXNNPackDelegateCreate(&options);
}

static TfLiteInterpreter *interpreter_of(const fast *engine, int32_t threads) {
    TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(options, threads);
    TfLiteInterpreterOptionsAddDelegate(options, engine->delegate);
    TfLiteInterpreter *interpreter = TfLiteInterpreterCreate(engine->model, options);
    TfLiteInterpreterOptionsDelete(options);
    return interpreter;
}

/* NULL, or why the engine cannot be used. */
static const char *prepare(fast *engine, const void *file, size_t bytes, int32_t threads) {
    engine->model = TfLiteModelCreate(file, bytes);
    if (!engine->model) {
        return "TFLite cannot read the model";
    }
    engine->delegate = delegate_of(threads);
    if (!engine->delegate) {
        return "XNNPACK does not know this processor";
    }
    engine->interpreter = interpreter_of(engine, threads);
    if (!engine->interpreter || TfLiteInterpreterAllocateTensors(engine->interpreter) != TFLITE_OK) {
        return "TFLite refuses the model";
    }
    return NULL;
}

JNIEXPORT jlong JNICALL Java_org_sqztf_core_FastEngine_open(JNIEnv *env, jclass type, jobject file, jlong bytes,
                                                            jint threads, jlong input_bytes, jlong output_bytes) {
    (void)type;
    const void *memory = sqz_memory(env, file, bytes);
    fast *engine = memory ? calloc(1, sizeof *engine) : NULL;
    if (!engine) {
        return 0;
    }
    engine->input_bytes = input_bytes;
    engine->output_bytes = output_bytes;
    const char *fault = prepare(engine, memory, (size_t)bytes, threads);
    if (fault) {
        free_all(engine);
        sqz_throw(env, fault);
        return 0;
    }
    return (jlong)(intptr_t)engine;
}

JNIEXPORT void JNICALL Java_org_sqztf_core_FastEngine_run(JNIEnv *env, jclass type, jlong handle, jobject input,
                                                          jobject output) {
    (void)type;
    const fast *engine = (const fast *)(intptr_t)handle;
    const void *in = sqz_memory(env, input, engine->input_bytes);
    void *out = in ? sqz_memory(env, output, engine->output_bytes) : NULL;
    if (!out) {
        return;
    }
    TfLiteTensor *to = TfLiteInterpreterGetInputTensor(engine->interpreter, 0);
    const int done = TfLiteTensorCopyFromBuffer(to, in, (size_t)engine->input_bytes) == TFLITE_OK &&
                     TfLiteInterpreterInvoke(engine->interpreter) == TFLITE_OK &&
                     TfLiteTensorCopyToBuffer(TfLiteInterpreterGetOutputTensor(engine->interpreter, 0), out,
                                              (size_t)engine->output_bytes) == TFLITE_OK;
    if (!done) {
        sqz_throw(env, "TFLite failed, or the model's input or output has another size");
    }
}

JNIEXPORT void JNICALL Java_org_sqztf_core_FastEngine_close(JNIEnv *env, jclass type, jlong handle) {
    (void)env;
    (void)type;
    free_all((fast *)(intptr_t)handle);
}
