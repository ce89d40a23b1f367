"""One way to run a `.tflite` on every interpreter there is, and to measure what TFLite-Micro needs.

- `litert-ref`: ai-edge-litert with the reference kernels, which define what an int8 model computes.
- `litert-builtin`: ai-edge-litert's fast kernels, without delegates, up to twenty times as fast. The same bytes where
  a ReLU follows each convolution; without one they round a few ties below zero up by one.
- `litert-xnnpack`: ai-edge-litert as it comes. XNNPACK rounds otherwise and is not byte equal.
- `tflite-runtime`: tflite-runtime 2.14.0, reference kernels, on a Python of its own.
- `tflm`: TFLite-Micro, from its wheel.
- `compiled-c`: the model compiled to C, built with this machine's C compiler. int8 alone; of the tensors those that it
  makes whole.

Reference kernels and TFLite-Micro run in a process of their own: they end it on some models. One such: an int8
SOFTMAX whose exponentials add up to 512 times the largest or more (512 nearly equal classes) fails an assertion.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.tflite.reader import Model, Op, read_model, weights_of
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.base.quiet import quiet_stderr
from sqz_tf.inference import host_c

IN_PROCESS = {"litert-builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "litert-xnnpack": "AUTO"}
IN_WORKER = ("litert-ref", "tflite-runtime", "tflm")
COMPILED = "compiled-c"
RUNTIMES = (*IN_WORKER, *IN_PROCESS, COMPILED)
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
    """Run a model with one input and one output, one image at a time.

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
    _check_inputs(graph, inputs)
    wanted = [index for op in graph.ops for index in op.outputs] if all_tensors else []
    if runtime == COMPILED:
        return _run_compiled(graph, model, inputs, wanted, tensor_images)
    if runtime in IN_PROCESS:
        # XNNPACK computes inside its delegate: the tensors between its ops hold nothing.
        return _run_here(model, inputs, runtime, [] if runtime == "litert-xnnpack" else wanted, tensor_images)
    if runtime == "tflite-runtime":
        # Version 2.14 adds in place, whatever it is asked to preserve: the sum lies where its first input was.
        overwritten = {index for op in graph.ops if op.name == "ADD" for index in op.inputs}
        wanted = [index for index in wanted if index not in overwritten]
    request = {"inputs": inputs, "tensors": np.array(wanted, np.int64), "tensor_images": np.array(tensor_images)}
    reply = _call_worker(runtime, model, request)
    return Result(reply["outputs"], {index: reply[f"tensor_{index}"] for index in wanted})


def why_not(runtime: str) -> str | None:
    """Return None where a runtime can be used on this machine, else the reason why not."""
    try:
        if runtime == COMPILED:
            _c_compiler()
        else:
            _litert() if runtime in IN_PROCESS else _worker_python(runtime)
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
    reply = _call_worker("tflm-arena", model, {"inputs": inputs})
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
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InterpreterError(
            f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs", expected="one of each"
        )
    return graph


def _check_inputs(graph: Model, inputs: np.ndarray) -> None:
    source = graph.input_tensors()[0]
    if not len(inputs):
        raise InterpreterError("there is no image to run", expected="at least 1")
    if inputs.shape[1:] != source.shape[1:] or str(inputs.dtype) != source.dtype or source.shape[:1] != (1,):
        raise InterpreterError(
            f"the images are {inputs.dtype} {list(inputs.shape)}",
            expected=f"{source.dtype} {['N', *source.shape[1:]]}, as the model's input",
        )


def _litert() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise Unavailable("ai-edge-litert is not installed", fix="pip install ai-edge-litert") from error
    return interpreter


def prepared(model: bytes, threads: int = 1) -> Any:
    """Return LiteRT's default interpreter (XNNPACK) with its tensors allocated, for timing.

    Raises:
      InterpreterError: it refuses the model.
    """
    with translated(InterpreterError, "LiteRT refuses the model", of=(ValueError, RuntimeError)), quiet_stderr():
        machine = _litert().Interpreter(model_content=model, num_threads=threads)
        machine.allocate_tensors()
    return machine


def _run_here(model: bytes, inputs: np.ndarray, runtime: str, wanted: list[int], tensor_images: int) -> Result:
    litert = _litert()
    with translated(InterpreterError, f"{runtime} refuses the model", of=(ValueError, RuntimeError)):
        with quiet_stderr():  # it announces its delegate
            machine = litert.Interpreter(
                model_content=model,
                experimental_op_resolver_type=getattr(litert.OpResolverType, IN_PROCESS[runtime]),
                experimental_preserve_all_tensors=bool(wanted),
            )
            machine.allocate_tensors()
        return _run_images(machine, inputs, wanted, tensor_images)


def _c_compiler() -> None:
    if host_c.compiler() is None:
        raise Unavailable("there is no C compiler (cc)", fix="install one, or name it in CC")


def _run_compiled(graph: Model, model: bytes, inputs: np.ndarray, wanted: list[int], tensor_images: int) -> Result:
    _c_compiler()
    if inputs.dtype != np.int8 or graph.output_tensors()[0].dtype != "int8":
        raise InterpreterError("the model is not int8 at its edges", expected="an int8 model for compiled-c")
    with translated(InterpreterError, "the compiled C cannot run the model", of=(ValueError, host_c.HostError)):
        outputs, tensors = host_c.run(model, inputs, tensor_images if wanted else 0)
    shaped = {index: tensors[index].reshape(-1, *graph.tensor(index).shape[1:]) for index in wanted if index in tensors}
    return Result(outputs.reshape(-1, *graph.output_tensors()[0].shape[1:]), shaped)


def _run_images(machine: Any, inputs: np.ndarray, wanted: list[int], tensor_images: int) -> Result:
    source, result = machine.get_input_details()[0]["index"], machine.get_output_details()[0]["index"]
    outputs: list[np.ndarray] = []
    kept: dict[int, list[np.ndarray]] = {index: [] for index in wanted}
    for number, image in enumerate(inputs):
        machine.set_tensor(source, image[None])
        machine.invoke()
        outputs.append(machine.get_tensor(result))
        if number < tensor_images:
            for index, values in kept.items():
                values.append(machine.get_tensor(index))
    tensors = {index: np.concatenate(values) for index, values in kept.items()}
    return Result(np.concatenate(outputs), tensors)


def _call_worker(runtime: str, model: bytes, request: dict[str, Any]) -> dict[str, np.ndarray]:
    python, worker = _worker_python(runtime), Path(__file__).with_name("worker.py")
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as folder:
        paths = [Path(folder, name) for name in ("model.tflite", "request.npz", "reply.npz")]
        paths[0].write_bytes(model)
        np.savez(paths[1], **request)
        command = [str(python), str(worker), runtime, *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise InterpreterError(f"{runtime} {_ending(done)}")
        with np.load(paths[2]) as reply:
            return dict(reply)


def _ending(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else "without a message"
    if done.returncode < 0:
        return f"was ended by signal {-done.returncode} while running the model ({last})"
    return f"failed on the model: {last}"


def _worker_python(runtime: str) -> Path:
    """Return the Python that runs a worker for a runtime."""
    if runtime == "tflite-runtime":
        return _tflite_runtime_python()
    if runtime == "litert-ref":
        _litert()
    elif importlib.util.find_spec("tflite_micro") is None:
        raise Unavailable("tflite-micro is not installed", fix="pip install 'sqz-tf[tflm]'")
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
