"""One way to run a `.tflite` on every interpreter there is, and to measure what TFLite-Micro needs.

| runtime          | interpreter                                      | arithmetic                               |
|------------------|--------------------------------------------------|------------------------------------------|
| `litert-ref`     | ai-edge-litert, `BUILTIN_REF`                    | the definition                           |
| `litert-builtin` | ai-edge-litert, no default delegate              | the same bytes, many times as fast       |
| `litert-xnnpack` | ai-edge-litert as it comes                       | XNNPACK: other rounding, not byte equal  |
| `tflite-runtime` | tflite-runtime 2.14.0, `BUILTIN_REF`, own Python | the same bytes                           |
| `tflm`           | TFLite-Micro's wheel                             | the same bytes                           |
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.errors import SqzError

RUNTIMES = ("litert-ref", "litert-builtin", "litert-xnnpack", "tflite-runtime", "tflm")
RESOLVERS = {
    "litert-ref": "BUILTIN_REF",
    "litert-builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "litert-xnnpack": "AUTO",
}
PYTHON_VARIABLE = "SQZ_TF_TFLITE_RUNTIME_PYTHON"
ENVIRONMENT = ".venv-tflite-runtime"
TENSOR_IMAGES = 2
ARENA_ALIGN = 16


class InterpreterError(SqzError):
    """An interpreter refused the model or its input."""


class Unavailable(SqzError):
    """A runtime is not installed on this machine."""


@dataclass(frozen=True)
class Result:
    """What an interpreter gave: `outputs` [N, classes] in the model's own dtype, and for the first images every
    activation by tensor index, [M, ...] (empty unless asked for)."""

    outputs: np.ndarray
    tensors: dict[int, np.ndarray]


@dataclass(frozen=True)
class ArenaUse:
    """Bytes of TFLite-Micro's arena: `measured` on this machine, `margin` for optimized kernels' scratch, and
    their `total`, rounded up to 16. `head` (activations) and `tail` (structures) are the recording allocator's."""

    measured: int
    margin: int
    total: int
    head: int
    tail: int


def run(
    model: bytes,
    inputs: np.ndarray,
    runtime: str,
    *,
    all_tensors: bool = False,
    tensor_images: int = TENSOR_IMAGES,
    threads: int = 1,
) -> Result:
    """Run a model with one input and one output, one image at a time.

    Args:
      model: the `.tflite`, batch 1.
      inputs: [N, ...] in the model's own dtype, N >= 1; nothing is converted.
      runtime: one of `RUNTIMES`.
      all_tensors: bring back every op's output for the first `tensor_images` images (XNNPACK has none to give).
      threads: of the interpreter, where it has any (the two fast LiteRT paths).

    Raises:
      Unavailable: the runtime is not installed.
      InterpreterError: the model or the inputs do not fit.
    """
    if runtime not in RUNTIMES:
        raise InterpreterError(f"runtime is {runtime!r}", expected=f"one of {', '.join(RUNTIMES)}")
    if not len(inputs):
        raise InterpreterError("there is no image to run", expected="at least 1")
    # XNNPACK computes inside its delegate: the tensors between its ops hold nothing.
    wanted = sorted(activation_names(model)) if all_tensors and runtime != "litert-xnnpack" else []
    if runtime in RESOLVERS:
        return _run_litert(model, inputs, RESOLVERS[runtime], wanted, tensor_images, threads)
    return _run_worker(_interpreter_command(runtime), model, inputs, wanted, tensor_images, runtime)


def available(runtime: str) -> str | None:
    """Return None where a runtime can be used, else the reason why not."""
    try:
        if runtime in RESOLVERS:
            _litert()
        else:
            _interpreter_command(runtime)
    except Unavailable as error:
        return str(error)
    return None


def activation_names(model: bytes) -> dict[int, str]:
    """Return the tensor index and name of every op's output, in the order the ops run."""
    graph = _object_model(model).subgraphs[0]
    outputs = [int(index) for op in graph.operators for index in op.outputs]
    return {index: graph.tensors[index].name.decode() for index in outputs}


def input_details(model: bytes) -> dict[str, Any]:
    """Return LiteRT's description of the input tensor: index, name, shape, dtype, quantization."""
    details: dict[str, Any] = _litert_interpreter(model, "BUILTIN_REF", False, 1).get_input_details()[0]
    return details


def output_details(model: bytes) -> dict[str, Any]:
    """Return LiteRT's description of the output tensor; see `input_details`."""
    details: dict[str, Any] = _litert_interpreter(model, "BUILTIN_REF", False, 1).get_output_details()[0]
    return details


def arena_bytes(model: bytes) -> ArenaUse:
    """Measure the arena TFLite-Micro needs, and add what optimized kernels on a 32-bit target may need on top.

    `measured` is the larger of two numbers from the tflite-micro wheel (reference kernels, 64 bit): the recording
    allocator's total, and the smallest arena with which the model can be set up and run, by bisection. They differ
    when setting up needs more than running. On 32-bit targets the structures are smaller.

    Raises:
      Unavailable: the tflite-micro wheel is not installed.
      InterpreterError: TFLite-Micro cannot run the model.
    """
    command = _interpreter_command("tflm", task="arena")
    details = input_details(model)
    with tempfile.TemporaryDirectory() as folder:
        model_path, sample_path = Path(folder, "model.tflite"), Path(folder, "input.npz")
        model_path.write_bytes(model)
        np.savez(sample_path, inputs=np.zeros(details["shape"], details["dtype"]))
        done = _call([*command, str(model_path), str(sample_path)], "tflm")
    used = {part: int(size) for part, size in re.findall(r"Arena allocation (\w+) (\d+) bytes", done.stderr)}
    measured = max(int(done.stdout), used["total"])
    margin = scratch_margin(model)
    return ArenaUse(measured, margin, _round_up(measured + margin, ARENA_ALIGN), used["head"], used["tail"])


def scratch_margin(model: bytes) -> int:
    """Bound the scratch bytes that CMSIS-NN's int8 kernels request, over all ops (they share one place).

    Per op, the larger of the DSP and the Helium formula, from CMSIS-NN's `*_get_buffer_size` functions:
      CONV_2D            4 * round_up(kh * kw * cin, 16)        arm_convolve_s8_get_buffer_size, …_mve
                         (covers arm_convolve_1x1_s8_fast_get_buffer_size, 4 * cin, and arm_convolve_1_x_n_s8_…)
      DEPTHWISE_CONV_2D  kh * kw * max(2 * cin, 4 * 124)        arm_depthwise_conv_s8_opt_get_buffer_size_{dsp,mve}
      AVERAGE_POOL_2D    4 * channels                           arm_avgpool_s8_get_buffer_size_dsp
      FULLY_CONNECTED    4 * outputs                            arm_fully_connected_s8_get_buffer_size_mve
    Each op also gets 16 bytes for its buffer's handle and alignment.
    """
    object_model = _object_model(model)
    graph = object_model.subgraphs[0]
    sizes = [_op_scratch(object_model, graph, op) for op in graph.operators]
    return max(sizes, default=0) + 16 * len(sizes)


CH_IN_BLOCK_MVE = 124


def _op_scratch(object_model: Any, graph: Any, op: Any) -> int:
    from ai_edge_litert import schema_py_generated as schema

    code = object_model.operatorCodes[op.opcodeIndex]
    kind = max(code.builtinCode, code.deprecatedBuiltinCode)
    builtin = schema.BuiltinOperator
    shapes = [[int(size) for size in graph.tensors[index].shape] for index in op.inputs if index >= 0]
    if kind == builtin.CONV_2D:
        height, width, channels = shapes[1][1:]
        return 4 * _round_up(height * width * channels, 16)
    if kind == builtin.DEPTHWISE_CONV_2D:
        height, width, channels = shapes[1][1:]
        return int(height * width * max(2 * channels, 4 * CH_IN_BLOCK_MVE))
    if kind == builtin.AVERAGE_POOL_2D:
        return 4 * int(shapes[0][-1])
    if kind == builtin.FULLY_CONNECTED:
        return 4 * int(shapes[1][0])
    return 0


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _object_model(model: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def _litert() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise Unavailable("ai-edge-litert is not installed", fix="pip install ai-edge-litert") from error
    return interpreter


def _litert_interpreter(model: bytes, resolver: str, preserve: bool, threads: int) -> Any:
    litert = _litert()
    try:
        engine = litert.Interpreter(
            model_content=model,
            experimental_op_resolver_type=getattr(litert.OpResolverType, resolver),
            experimental_preserve_all_tensors=preserve,
            num_threads=threads,
        )
        engine.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InterpreterError(f"LiteRT refuses the model: {error}") from error
    return engine


def _run_litert(
    model: bytes, inputs: np.ndarray, resolver: str, wanted: list[int], tensor_images: int, threads: int
) -> Result:
    engine = _litert_interpreter(model, resolver, bool(wanted), threads)
    source, result = engine.get_input_details()[0], engine.get_output_details()[0]
    _check_input(inputs, source["shape"], source["dtype"])
    outputs, kept = [], {index: [] for index in wanted}  # type: ignore[var-annotated]
    for number, image in enumerate(inputs):
        engine.set_tensor(source["index"], image[None])
        engine.invoke()
        outputs.append(engine.get_tensor(result["index"])[0])
        for index in wanted if number < tensor_images else ():
            kept[index].append(engine.get_tensor(index)[0])
    return Result(np.stack(outputs), {index: np.stack(values) for index, values in kept.items()})


def _check_input(inputs: np.ndarray, shape: np.ndarray, dtype: Any) -> None:
    if inputs.shape[1:] != tuple(shape[1:]) or inputs.dtype != dtype:
        raise InterpreterError(
            f"the images are {inputs.dtype} {list(inputs.shape[1:])}",
            expected=f"{np.dtype(dtype)} {[int(size) for size in shape[1:]]}, as the model's input",
        )


def _run_worker(
    command: list[str], model: bytes, inputs: np.ndarray, wanted: list[int], tensor_images: int, runtime: str
) -> Result:
    details = input_details(model)
    _check_input(inputs, details["shape"], details["dtype"])
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("model.tflite", "request.npz", "reply.npz")]
        paths[0].write_bytes(model)
        np.savez(
            paths[1], inputs=inputs, tensors=np.array(wanted, np.int64), tensor_images=np.array(tensor_images)
        )
        _call([*command, *map(str, paths)], runtime)
        with np.load(paths[2]) as reply:
            tensors = {index: reply[f"tensor_{index}"] for index in wanted}
            return Result(reply["outputs"], tensors)


def _call(command: list[str], runtime: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise InterpreterError(
            f"{runtime} failed on the model (exit code {done.returncode}): {lines[-1] if lines else 'no message'}"
        )
    return done


def _interpreter_command(runtime: str, task: str = "run") -> list[str]:
    """Return the command that runs a worker, up to its file arguments."""
    if runtime == "tflite-runtime":
        return [str(_tflite_runtime_python()), str(Path(__file__).with_name("_tflite_runtime_worker.py"))]
    import importlib.util

    if importlib.util.find_spec("tflite_micro") is None:
        raise Unavailable("tflite-micro is not installed", fix="pip install --pre tflite-micro")
    return [sys.executable, str(Path(__file__).with_name("_tflm_worker.py")), task]


def _tflite_runtime_python() -> Path:
    """Find the Python that has tflite-runtime 2.14.0: the variable, beside the virtual environment, or here."""
    if named := os.environ.get(PYTHON_VARIABLE):
        if Path(named).is_file():
            return Path(named)
        raise Unavailable(f"{PYTHON_VARIABLE} names {named}, which is not a file")
    for place in (Path(sys.prefix).parent, Path.cwd()):
        if (python := place / ENVIRONMENT / "bin" / "python").is_file():
            return python
    raise Unavailable(
        f"there is no {ENVIRONMENT} with tflite-runtime 2.14.0 (Python 3.11 or older, numpy < 2)",
        fix=f"make tflite-runtime, or name such a Python in {PYTHON_VARIABLE}",
    )
