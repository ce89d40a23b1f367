"""One way to run a `.tflite` on every interpreter there is, and to measure what TFLite-Micro needs.

- `litert-ref`: ai-edge-litert with the reference kernels, which define what an int8 model computes.
- `litert-builtin`: ai-edge-litert's fast kernels, without delegates, up to twenty times as fast. The same bytes where
  a ReLU follows each convolution; without one they round a few ties below zero up by one.
- `litert-xnnpack`: ai-edge-litert as it comes. XNNPACK rounds otherwise and is not byte equal.
- `tflite-runtime`: tflite-runtime 2.14.0, reference kernels, on a Python of its own.
- `tflm`: TFLite-Micro, from its wheel.
- `compiled-c`: the model compiled to C, built with this machine's C compiler. int8 alone; of the tensors those that it
  makes whole.

All but the last run in a worker (`apart`), which they end on some models. One such: an int8 SOFTMAX whose exponentials
add up to 512 times the largest or more (512 nearly equal classes) fails an assertion of the reference kernels.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.tflite.reader import Model, Op, read_model, weights_of
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.inference import host_c
from sqz_tf.inference.apart import Apart, NoWorkerError, Worker, WorkerError

SLOW = ("litert-ref", "tflite-runtime", "tflm")  # reference kernels
COMPILED = "compiled-c"
RUNTIMES = (*SLOW, "litert-builtin", "litert-xnnpack", COMPILED)
PYTHON_VARIABLE = "SQZ_TF_TFLITE_RUNTIME_PYTHON"
ENVIRONMENT = ".venv-tflite-runtime"
TENSOR_IMAGES = 2
ARENA_ALIGN = 16
CH_IN_BLOCK_MVE = 124  # CMSIS-NN's channels per block of a depthwise convolution on Helium
HANDLE_BYTES = 16  # a scratch buffer's entry in the arena and its alignment


class InterpreterError(SqzError):
    """An interpreter refused the model or its input, or ended on it."""


class Unavailable(SqzError):
    """A runtime is not installed on this machine."""


@dataclass(frozen=True)
class Result:
    """What an interpreter gave.

    `outputs`: [N, classes] in the model's own dtype. `tensors`: tensor index → [M, ...], every activation of the
    first M images; empty unless asked for.
    """

    outputs: np.ndarray
    tensors: dict[int, np.ndarray]


@dataclass(frozen=True)
class ArenaUse:
    """Bytes of TFLite-Micro's arena.

    `measured` on this machine, `margin` for optimized kernels' scratch, `total` of both rounded up to 16.
    Of what was measured `head` is activations, `tail` structures and tables.
    """

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
) -> Result:
    """Run a model with one input, one image at a time; several outputs are taken one after another, [N, values].

    Args:
      model: the `.tflite`, batch 1.
      inputs: [N, ...] in the model's own dtype, N >= 1; nothing is converted.
      runtime: one of `RUNTIMES`.
      all_tensors: bring back every op's output for the first `tensor_images` images. XNNPACK has none to give.

    Raises:
      Unavailable: the runtime is not installed.
      InterpreterError: the model or the inputs do not fit, or the interpreter ended on them.
    """
    if runtime not in RUNTIMES:
        raise InterpreterError(f"runtime is {runtime!r}", expected=f"one of {', '.join(RUNTIMES)}")
    graph = _read(model)
    if runtime == "tflm" and len(graph.outputs) > 1:
        raise InterpreterError(f"the model has {len(graph.outputs)} outputs", expected="one, for tflm")
    _check_inputs(graph, inputs)
    wanted = [index for op in graph.ops for index in op.outputs] if all_tensors else []
    if runtime == COMPILED:
        return _run_compiled(graph, model, inputs, wanted, tensor_images)
    if runtime == "litert-xnnpack":
        wanted = []  # XNNPACK computes inside its delegate: the tensors between its ops hold nothing.
    if runtime == "tflite-runtime":
        # Version 2.14 adds in place, whatever it is asked to preserve: the sum lies where its first input was.
        overwritten = {index for op in graph.ops if op.name == "ADD" for index in op.inputs}
        wanted = [index for index in wanted if index not in overwritten]
    python = _worker_python(runtime)
    with _failures(runtime), closing(Apart(model, runtime, preserve=bool(wanted), python=python)) as machine:
        return _run_images(machine, inputs, wanted, tensor_images)


def why_not(runtime: str) -> str | None:
    """Return None where a runtime can be used on this machine, else the reason why not."""
    try:
        if runtime == COMPILED:
            _c_compiler()
        else:
            _worker_python(runtime)
    except Unavailable as error:
        return str(error)
    return None


def arena_bytes(model: bytes, sample: np.ndarray | None = None) -> ArenaUse:
    """Measure the arena TFLite-Micro needs, and add what optimized kernels on a 32-bit target may need on top.

    `measured` is the recording allocator's total in the tflite-micro wheel (reference kernels, 64 bit), or more if
    setting up in so many bytes was seen to fail. On 32-bit targets pointers, so the structures, are smaller.

    Args:
      model: int8 `.tflite` bytes.
      sample: an input [1, h, w, c] to run it on, zeros by default. With 512 classes or more take a real picture:
        TFLite's reference softmax aborts where the scores hardly differ.

    Raises:
      Unavailable: the tflite-micro wheel is not installed.
      InterpreterError: TFLite-Micro cannot run the model.
    """
    source = _read(model).input_tensors()[0]
    inputs = np.zeros(source.shape, source.dtype) if sample is None else sample
    request = {"model": np.frombuffer(model, np.uint8), "input": inputs}
    with _failures("tflm"), closing(Worker(_worker_python("tflm"))) as worker:
        reply, _ = worker.ask({"do": "arena"}, request)
    measured, margin = int(reply["smallest"]), scratch_margin(model)
    total = _round_up(measured + margin, ARENA_ALIGN)
    return ArenaUse(measured, margin, total, int(reply["head"]), int(reply["tail"]))


def scratch_margin(model: bytes) -> int:
    """Bound the scratch that CMSIS-NN's int8 kernels ask of the arena: the largest op's, as they take turns.

    For each op the larger of the DSP and the Helium size, from the CMSIS-NN functions named:
      CONV_2D            4 round_up(kh kw cin, 16)       arm_convolve_s8_get_buffer_size and its _mve; no less
                                                         than arm_convolve_1x1_s8_fast_… and …_1_x_n_s8_…
      DEPTHWISE_CONV_2D  kh kw max(2 cin, 4 · 124)       arm_depthwise_conv_s8_opt_get_buffer_size_dsp and _mve
      AVERAGE_POOL_2D    4 channels                      arm_avgpool_s8_get_buffer_size_dsp
      FULLY_CONNECTED    4 outputs                       arm_fully_connected_s8_get_buffer_size_mve
    and 16 bytes an op for the buffer's handle and alignment. MAX_POOL_2D, CONCATENATION, ADD, MEAN, SOFTMAX and
    PAD ask for nothing more than the reference kernels. Not covered: other vendors' kernels (ESP-NN's
    convolutions for the ESP32-S3 copy filters into their scratch).
    """
    graph = _read(model)
    with translated(InterpreterError, "the scratch of the model's kernels cannot be told"):
        return max((_op_scratch(graph, op) for op in graph.ops), default=0) + HANDLE_BYTES * len(graph.ops)


def _op_scratch(graph: Model, op: Op) -> int:
    if op.name == "AVERAGE_POOL_2D":
        return 4 * graph.tensor(op.inputs[0]).shape[-1]
    if op.name == "FULLY_CONNECTED":
        return 4 * weights_of(graph, op).shape[0]
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    _, height, width, channels = weights_of(graph, op).shape
    if op.name == "CONV_2D":
        return 4 * _round_up(height * width * channels, 16)
    return height * width * max(2 * channels, 4 * CH_IN_BLOCK_MVE)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _read(model: bytes) -> Model:
    with translated(InterpreterError, "the model cannot be read"):
        graph = read_model(model)
    if len(graph.inputs) != 1:
        raise InterpreterError(f"the model has {len(graph.inputs)} inputs", expected="one")
    if len({each.dtype for each in graph.output_tensors()}) > 1:
        raise InterpreterError("the model's outputs differ in type", expected="one type for all")
    return graph


def _check_inputs(graph: Model, inputs: np.ndarray) -> None:
    source = graph.input_tensors()[0]
    if inputs.shape[:1] == (0,):
        raise InterpreterError("there is no image to run", expected="at least 1")
    if (
        not inputs.shape
        or inputs.shape[1:] != source.shape[1:]
        or str(inputs.dtype) != source.dtype
        or source.shape[:1] != (1,)
    ):
        raise InterpreterError(
            f"the images are {inputs.dtype} {list(inputs.shape)}",
            expected=f"{source.dtype} {['N', *source.shape[1:]]}, as the model's input",
        )


@contextmanager
def _failures(runtime: str) -> Iterator[None]:
    """Turn what befalls a worker into our errors."""
    try:
        with translated(InterpreterError, f"{runtime} failed on the model", of=(WorkerError,)):
            yield
    except NoWorkerError as error:
        raise Unavailable(f"{runtime} has no process to run in: {error}") from error


def timed(model: bytes, image: np.ndarray, threads: int = 1) -> Callable[[], float]:
    """Return what runs a model once on LiteRT's default path (XNNPACK) and returns the milliseconds that took.

    Args:
      model: the `.tflite`.
      image: an input [1, ...] in the model's own dtype.
      threads: processors to use.

    Raises:
      Unavailable: LiteRT is not installed.
      InterpreterError: it refuses the model, or ends on it.
    """
    _check_inputs(_read(model), image)
    with _failures("litert-xnnpack"):
        machine = Apart(model, "litert-xnnpack", threads=threads, python=_worker_python("litert-xnnpack"))
        machine.run(image)

    def once() -> float:
        with _failures("litert-xnnpack"):
            return machine.time()

    return once


def _c_compiler() -> None:
    if host_c.compiler() is None:
        raise Unavailable("there is no C compiler (cc)", fix="install one, or name it in CC")


def _run_compiled(graph: Model, model: bytes, inputs: np.ndarray, wanted: list[int], tensor_images: int) -> Result:
    _c_compiler()
    first, *others = graph.output_tensors()
    if inputs.dtype != np.int8 or first.dtype != "int8":
        raise InterpreterError("the model is not int8 at its edges", expected="an int8 model for compiled-c")
    with translated(InterpreterError, "the compiled C cannot run the model", of=(ValueError, host_c.HostError)):
        outputs, tensors = host_c.run(model, inputs, tensor_images if wanted else 0)
    shaped = {index: tensors[index].reshape(-1, *graph.tensor(index).shape[1:]) for index in wanted if index in tensors}
    return Result(outputs if others else outputs.reshape(-1, *first.shape[1:]), shaped)


def _run_images(machine: Apart, inputs: np.ndarray, wanted: list[int], tensor_images: int) -> Result:
    outputs: list[np.ndarray] = []
    kept: dict[int, list[np.ndarray]] = {index: [] for index in wanted}
    for number, image in enumerate(inputs):
        found = machine.run_all(image[None], wanted if number < tensor_images else ())
        outputs.append(found["output"])
        if number < tensor_images:
            for index, values in kept.items():
                values.append(found[f"tensor_{index}"])
    tensors = {index: np.concatenate(values) for index, values in kept.items()}
    return Result(np.concatenate(outputs), tensors)


def _worker_python(runtime: str) -> Path:
    """Return the Python that runs a worker for a runtime."""
    if runtime == "tflite-runtime":
        return _tflite_runtime_python()
    package, fix = ("tflite-micro", "'sqz-tf[tflm]'") if runtime == "tflm" else ("ai-edge-litert", "ai-edge-litert")
    if importlib.util.find_spec(package.replace("-", "_")) is None:
        raise Unavailable(f"{package} is not installed", fix=f"pip install {fix}")
    return Path(sys.executable)


def _tflite_runtime_python() -> Path:
    """Find tflite-runtime's Python: named by the variable, beside the virtual environment in use, or here."""
    if named := os.environ.get(PYTHON_VARIABLE):
        if Path(named).is_file():
            return Path(named)
        raise Unavailable(f"{PYTHON_VARIABLE} is {named}", expected="a Python that has tflite-runtime 2.14.0")
    for place in (Path(sys.prefix).parent, Path.cwd()):
        python = place / ENVIRONMENT / "bin" / "python"
        if python.is_file():
            return python
    raise Unavailable(
        f"tflite-runtime 2.14.0 has no environment ({ENVIRONMENT}; it needs Python 3.11 or older and numpy < 2)",
        fix=f"run: make tflite-runtime, or name its Python in {PYTHON_VARIABLE}",
    )
