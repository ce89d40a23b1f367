"""Run a `.tflite` on tflite-runtime 2.14 in that runtime's own environment (Python <= 3.11, numpy < 2).

A plain file, started as a script: it imports nothing but NumPy and tflite_runtime, least of all sqz_tf.

    python _tflite_runtime_worker.py MODEL.tflite REQUEST.npz REPLY.npz

REQUEST holds `inputs` [N, ...] in the model's own dtype, `tensors`, the indices of the tensors to bring back,
and `tensor_images`, for how many of the first inputs. REPLY holds `outputs` [N, ...] and `tensor_INDEX` arrays.
"""

import sys

import numpy as np


def main(model_path: str, request_path: str, reply_path: str) -> None:
    """Answer one request with the reference kernels."""
    from tflite_runtime.interpreter import Interpreter, OpResolverType

    with np.load(request_path) as request:
        inputs, indices = request["inputs"], [int(index) for index in request["tensors"]]
        tensor_images = int(request["tensor_images"])
    interpreter = Interpreter(
        model_path,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=bool(indices),
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    outputs, kept = [], {index: [] for index in indices}
    for number, image in enumerate(inputs):
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result)[0])
        for index in indices if number < tensor_images else ():
            kept[index].append(interpreter.get_tensor(index)[0])
    arrays = {f"tensor_{index}": np.stack(values) for index, values in kept.items()}
    np.savez(reply_path, outputs=np.stack(outputs), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
