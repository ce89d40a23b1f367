"""Run a `.tflite` in a process of its own, which a bad model may end without harm to anyone else.

A plain file, started as a script, so that it also runs on tflite-runtime's own Python (3.11 or older, numpy < 2):
it imports NumPy and one runtime, never sqz_tf. Interpreters trust a model: some end their process on it (the
reference kernels and TFLite-Micro on whole ones, too), others take all the time or memory there is.

    python worker.py < REQUESTS > REPLIES

Requests come on standard input, one reply to each goes to standard output, until the input ends. Both are messages:
a length (uint32, little-endian), so many bytes of JSON, and the bytes of the arrays that the JSON describes.

- `{"do": "load", "runtime": R, "threads": T, "preserve": P}` and the array `model`, uint8 [bytes]: sets a model up.
  R is a key of `ENGINES`, `litert-ref` for instance. The reply names the `package` that runs it and its `ports`.
- `{"do": "run", "tensors": [index, ...]}` and `input` [1, ...], in the model's own dtype: the reply holds `output`
  [1, ...] and a `tensor_INDEX` each.
- `{"do": "time"}`: runs once more on the same input; the reply says how many `milliseconds` that took.
- `{"do": "arena"}`, `model` and `input`: TFLite-Micro's own account of its arena in bytes, `total`, `head` and
  `tail`, and `smallest`, an arena that was seen to suffice.

What fails is answered by `{"error": name, "message": text}`. No request takes more processor time than its `seconds`
say, nor more than MEMORY and a few times the model's size, where the system can hold a process to that (`resource`).
"""

from __future__ import annotations

import importlib
import json
import operator
import os
import re
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any

if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):  # started as a script
    del sys.path[0]  # our neighbours are not what `import process` means in a runtime

import numpy as np

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter", "Interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter", "Interpreter"),
    ("tensorflow", "tensorflow", "lite.Interpreter"),
)
"""Where an interpreter may come from, the first that can be imported: package, module, attribute."""

_given = os.environ.get("SQZ_TF_WORKER_SECONDS", "")
SECONDS = int(_given) if _given.isdecimal() and int(_given) else 20  # of processor time for one request
MEMORY = 880 << 20  # bytes beside those of the process itself and of the model
STACK = 16 << 20  # bytes of a thread
COPIES = 3  # of the model that a runtime makes: its own, packed weights, and what the message held
ARENA_LIMIT = 1 << 29
LARGEST_HEAD = 1 << 20  # bytes of a message's JSON
LARGEST_MESSAGE = 1 << 31  # bytes of its arrays
WRITTEN = 16 << 20  # bytes that a worker may write into a file

Head = dict[str, Any]
Arrays = dict[str, np.ndarray]


class NoRuntimeError(Exception):
    """No interpreter can be imported; the message says why."""


# Messages -----------------------------------------------------------------------------------------------------


def send(stream: IO[bytes], head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a message: plain JSON values, and arrays of numbers by name."""
    described = [[name, values.dtype.str, list(values.shape)] for name, values in arrays.items()]
    text = json.dumps({**head, "arrays": described}).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for values in arrays.values():
        stream.write(values.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Head, Arrays] | None:
    """Read a message, None at the stream's end.

    Raises:
      ValueError: it is none, or too long; whoever writes is not trusted.
      EOFError: the stream ends in it.
    """
    if not (first := stream.read(1)):
        return None
    (length,) = struct.unpack("<I", first + _exactly(stream, 3))
    if length > LARGEST_HEAD:
        raise ValueError(f"a message of {length} bytes")
    head = json.loads(_exactly(stream, length))
    return head, {name: _array(stream, dtype, shape) for name, dtype, shape in head.pop("arrays")}


def _array(stream: IO[bytes], dtype: str, shape: list[int]) -> np.ndarray:
    kind, count = np.dtype(dtype), 1
    for size in shape:
        count *= size
    if kind.kind not in "biufc" or count < 0 or count * kind.itemsize > LARGEST_MESSAGE:
        raise ValueError(f"an array of {dtype} {shape}")
    return np.frombuffer(_exactly(stream, count * kind.itemsize), kind).reshape(shape)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


# Engines ------------------------------------------------------------------------------------------------------


def first_runtime() -> tuple[str, Any]:
    """Return the first interpreter of RUNTIMES that can be imported, and its package's name.

    Raises:
      NoRuntimeError: there is none.
    """
    reasons = []
    for package, module, attribute in RUNTIMES:
        try:
            return package, operator.attrgetter(attribute)(importlib.import_module(module))
        except (ImportError, AttributeError) as error:  # AttributeError: built for another NumPy
            said = str(error).strip() or type(error).__name__
            reasons.append(f"{package}: {said.splitlines()[0]}")
    raise NoRuntimeError("; ".join(reasons))


class TfliteEngine:
    """An interpreter of TFLite: a package's name, its class, and what else that is to be told."""

    def __init__(self, package: str, kind: Any, model: bytes, **options: Any) -> None:
        self.package = package
        self.interpreter = kind(model_content=model, **options)
        self.interpreter.allocate_tensors()
        self._inputs = self.interpreter.get_input_details()
        self._outputs = self.interpreter.get_output_details()

    def ports(self) -> Head:
        """Return the inputs and outputs: index, shape, dtype, scale and zero point of each, plain values."""
        return {"inputs": [_port(each) for each in self._inputs], "outputs": [_port(each) for each in self._outputs]}

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the output [1, ...] for one input [1, ...]; several one after another, [1, values]."""
        self.interpreter.set_tensor(self._inputs[0]["index"], image)
        self.interpreter.invoke()
        found = [self.tensor(each["index"]) for each in self._outputs]
        return found[0] if len(found) == 1 else np.concatenate([each.reshape(1, -1) for each in found], axis=1)

    def tensor(self, index: int) -> np.ndarray:
        """Return a copy of a tensor after `run`."""
        return np.array(self.interpreter.get_tensor(index))


def _port(details: Mapping[str, Any]) -> Head:
    scale, zero_point = details["quantization"]
    shape = [int(size) for size in details["shape"]]
    dtype = np.dtype(details["dtype"]).name
    values = {"index": int(details["index"]), "shape": shape, "dtype": dtype}
    return {**values, "scale": float(scale), "zero_point": int(zero_point)}


class TflmEngine:
    """TFLite-Micro; `preserve` gives each tensor its own place in the arena."""

    package = "tflite-micro"

    def __init__(self, model: bytes, preserve: bool, arena_size: int = 0) -> None:
        from tflite_micro.python.tflite_micro import runtime

        config = runtime.InterpreterConfig
        kind = config.kPreserveAllTensors if preserve else config.kAllocationRecording
        size = arena_size or 1 << 20
        while True:
            try:
                self.interpreter = runtime.Interpreter.from_bytes(model, arena_size=size, intrepreter_config=kind)
                return
            except RuntimeError:
                size *= 2
                if arena_size or size > ARENA_LIMIT:
                    raise

    def ports(self) -> Head:
        """Return nothing: TFLite-Micro is asked to run only."""
        return {}

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the output [1, ...] for one input [1, ...]."""
        self.interpreter.set_input(image, 0)
        self.interpreter.invoke()
        return np.array(self.interpreter.get_output(0))

    def tensor(self, index: int) -> np.ndarray:
        """Return a copy of a tensor after `run`."""
        return np.array(self.interpreter.GetTensor(index, 0)["tensor_data"])


def first_engine(model: bytes, threads: int | None) -> TfliteEngine:
    """Return the engine of the first runtime there is, as it comes.

    Raises:
      NoRuntimeError: there is none.
    """
    return TfliteEngine(*first_runtime(), model, num_threads=threads)


def _litert(resolver: str, model: bytes, threads: int | None, preserve: bool) -> TfliteEngine:
    from ai_edge_litert import interpreter

    return _resolved("ai-edge-litert", interpreter, resolver, model, threads, preserve)


def _tflite_runtime(resolver: str, model: bytes, threads: int | None, preserve: bool) -> TfliteEngine:
    from tflite_runtime import interpreter

    return _resolved("tflite-runtime", interpreter, resolver, model, threads, preserve)


def _resolved(
    package: str, module: Any, resolver: str, model: bytes, threads: int | None, preserve: bool
) -> TfliteEngine:
    return TfliteEngine(
        package,
        module.Interpreter,
        model,
        num_threads=threads,
        experimental_op_resolver_type=getattr(module.OpResolverType, resolver),
        experimental_preserve_all_tensors=preserve,
    )


# Runtime → what makes its engine of a model, a number of threads and whether all tensors are kept.
ENGINES: dict[str, Any] = {
    "first": lambda model, threads, preserve: first_engine(model, threads),
    "litert-ref": lambda *given: _litert("BUILTIN_REF", *given),
    "litert-builtin": lambda *given: _litert("BUILTIN_WITHOUT_DEFAULT_DELEGATES", *given),
    "litert-xnnpack": lambda *given: _litert("AUTO", *given),
    "tflite-runtime": lambda *given: _tflite_runtime("BUILTIN_REF", *given),
    "tflm": lambda model, threads, preserve: TflmEngine(model, preserve),
}
MODULES = {
    "first": None,
    "tflite-runtime": "tflite_runtime.interpreter",
    "tflm": "tflite_micro.python.tflite_micro.runtime",
}


# TFLite-Micro's arena -----------------------------------------------------------------------------------------


def arena(model: bytes, image: np.ndarray) -> Head:
    """Return TFLite-Micro's account of its arena after one run, and an arena that suffices."""
    machine = TflmEngine(model, False)
    machine.run(image)
    used = {part: int(size) for part, size in re.findall(r"allocation (\w+) (\d+) bytes", _account(machine))}
    return {**used, "smallest": smallest_arena(model, used["total"])}


def _account(machine: TflmEngine) -> str:
    """Return what `print_allocations` writes to file descriptor 2, from C++."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            machine.interpreter.print_allocations()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        held.seek(0)
        return held.read().decode()


def smallest_arena(model: bytes, recorded: int) -> int:
    """Return `recorded` if the model can be set up in so many bytes, else the fewest in which it can, to 16.

    Setting up needs memory of its own, above all for planning, which running gives back.
    """
    low = high = recorded
    while not _fits(model, high):
        low, high = high, 2 * high
    while high - low > 16:
        middle = (low + high) // 2
        low, high = (low, middle) if _fits(model, middle) else (middle, high)
    return high


def _fits(model: bytes, size: int) -> bool:
    try:
        TflmEngine(model, False, size)
    except RuntimeError:
        if size > ARENA_LIMIT:
            raise
        return False
    return True


# Limits -------------------------------------------------------------------------------------------------------


def _limit(kind: str, most: int) -> None:
    """Hold the process to a limit, where the system has it."""
    if resource is None or not hasattr(resource, kind):
        return
    hard = resource.getrlimit(getattr(resource, kind))[1]
    try:
        resource.setrlimit(getattr(resource, kind), (most if hard < 0 else min(most, hard), hard))
    except (ValueError, OSError):  # macOS refuses some
        return


def _limit_time(seconds: int) -> None:
    """Let what comes next take so much processor time, 0 for any.

    A timer counts from now on. RLIMIT_CPU counts a process's whole life, in ticks, which run ahead of
    `time.process_time()`: by 20 s after some minutes beside other work.
    """
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit_memory(more: int) -> None:
    """Let the process have `more` bytes than now. Only Linux says what it has."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
    except (OSError, ValueError):
        return
    _limit("RLIMIT_AS", pages * os.sysconf("SC_PAGE_SIZE") + more)


# Serving ------------------------------------------------------------------------------------------------------


class Server:
    """Answers requests; holds the model that was loaded last."""

    def __init__(self) -> None:
        self.engine: Any = None

    def answer(self, head: Head, arrays: Arrays) -> tuple[Head, Arrays]:
        """Return the reply to a request."""
        _limit_time(head["seconds"])
        doing = {"load": self._load, "run": self._run, "time": self._time, "arena": self._arena}
        return doing[head["do"]](head, arrays)

    def _load(self, head: Head, arrays: Arrays) -> tuple[Head, Arrays]:
        runtime, model = head["runtime"], arrays["model"].tobytes()
        _import(runtime)
        _limit_memory(MEMORY + COPIES * len(model) + STACK * (head["threads"] or 1))
        self.engine = ENGINES[runtime](model, head["threads"], head["preserve"])
        return {"package": self.engine.package, "ports": self.engine.ports()}, {}

    def _run(self, head: Head, arrays: Arrays) -> tuple[Head, Arrays]:
        found = {"output": self.engine.run(arrays["input"])}
        return {}, {**found, **{f"tensor_{index}": self.engine.tensor(index) for index in head["tensors"]}}

    def _time(self, head: Head, arrays: Arrays) -> tuple[Head, Arrays]:
        start = time.perf_counter()
        self.engine.interpreter.invoke()
        return {"milliseconds": 1e3 * (time.perf_counter() - start)}, {}

    def _arena(self, head: Head, arrays: Arrays) -> tuple[Head, Arrays]:
        model = arrays["model"].tobytes()
        _import("tflm")
        _limit_memory(MEMORY + COPIES * len(model))
        return arena(model, arrays["input"]), {}


def _import(runtime: str) -> None:
    """Import what runs a model, before memory is counted."""
    module = MODULES.get(runtime, "ai_edge_litert.interpreter")
    importlib.import_module(module) if module else first_runtime()


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    if hasattr(signal, "SIGPROF"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # whatever whoever started us does with it
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_FSIZE", WRITTEN)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no reply
    server = Server()
    while (request := receive(requests)) is not None:
        try:
            reply = server.answer(*request)
        except Exception as error:
            reply = {"error": type(error).__name__, "message": str(error)[:2000]}, {}
        _limit_time(0)  # none, until the next request is here
        del request
        send(replies, *reply)


if __name__ == "__main__":
    main()
