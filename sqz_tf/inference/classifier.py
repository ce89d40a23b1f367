"""Classify pictures with one of the kit's `.tflite` files: NumPy, Pillow and a TFLite runtime, no TensorFlow.

    from sqz_tf.runtime import Classifier

    for index, label, probability in Classifier("model_int8.tflite").classify("photo.jpg")[:5]:
        print(f"{probability:6.1%}  {label}")

Everything is read from the file itself: size, dtype and quantization from the interpreter, labels and
preprocessing from the zip behind the FlatBuffer (docs/formats/tflite.md).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.tflite import pixels
from sqz_tf.base.errors import ConfigError, DataError, translated
from sqz_tf.base.pixels import to_int8
from sqz_tf.base.quiet import quiet_stderr
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.images import resize
from sqz_tf.images.given import Picture, decoded
from sqz_tf.inference import worker
from sqz_tf.inference.apart import Apart, NoWorkerError, Worker
from sqz_tf.inference.model_file import ModelError, ModelFile, read, require_int8

DTYPES = ("float32", "int8", "uint8")


Answer = tuple[int, str, float]


@dataclass(frozen=True)
class Port:
    """The model's input or output: real = scale * (q - zero_point); scale 0 says that it is not quantized."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


class Classifier:
    """A `.tflite` file of this kit (float, int8 or uint8), ready to classify pictures.

    Attributes:
      labels: one name per output; names may repeat (ImageNet has two cranes), so key results by index.
      wnids: one WordNet id per output, empty strings where unknown; empty if none is known.
      preprocess: how a picture becomes the input.
      input, output: shape, dtype and quantization.
      runtime: the package that runs the model.

    One classifier may be used from several threads; they take turns.

    Interpreters trust a model, and a bad one ends their process. So it runs in a worker process with limits of time and
    memory, and what it does there is a ModelError here; `isolated=False` runs it in this process.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int | None = None,
        labels: Sequence[str] | None = None,
        preprocess: PreprocessSpec | None = None,
        isolated: bool = True,
    ) -> None:
        """Load a model.

        Args:
          path: the `.tflite` file.
          threads: processors to use for one picture, at least 1; None leaves it to the runtime, which takes one.
          labels, preprocess: take the place of what the file carries; a plain `.tflite` needs both.
          isolated: run the model in a process of its own. False is for a model that you made or trust: the first
            answer comes about a tenth of a second sooner.

        Raises:
          ModelError: the file is no whole `.tflite`, describes itself wrongly or not at all, ends its interpreter, or
            no runtime is here.
          ConfigError: `threads` is not a positive integer.
        """
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise ConfigError(f"threads is {threads!r}", expected="an integer from 1")
        file = read(Path(path), labels, preprocess)
        self.path, self.labels, self.wnids, self.preprocess = file.path, file.labels, file.wnids, file.preprocess
        self._engine = _engine(file, threads, isolated)
        self.runtime = self._engine.package
        self.input, self.output = _ports(self.path, self._engine.ports())
        if self.input.dtype not in DTYPES:
            require_int8(self.path, file.content)
        _check_fit(self)
        self._turn = threading.Lock()

    def classify(self, image: Picture) -> list[Answer]:
        """Return (index, label, probability) of every class, best first; of equal ones the lower index comes first.

        Args:
          image: a file's path or bytes, a Pillow image, or pixels as uint8 [H, W, 3], [H, W, 1] or [H, W].

        Raises:
          ImageError: it is no picture.
        """
        probabilities = self.scores(self.pixels(image)[None])[0]
        # A stable sort keeps equal ones in order of index. Floats: -(-128) would overflow in int8.
        order = np.argsort(-probabilities, kind="stable")
        return [(int(index), self.labels[index], float(probabilities[index])) for index in order]

    def pixels(self, image: Picture, name: str = "") -> np.ndarray:
        """Return a picture as the device sees it: uint8 [height, width, channels].

        Args:
          image: as for `classify`.
          name: what to call it in an error, if it is not a path.

        Raises:
          ImageError: it is no picture.
        """
        with decoded(image, name) as pixels:
            return resize.preprocess(pixels, self.preprocess)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Return what the model gives for preprocessed pictures, dequantized.

        Args:
          batch: uint8 [N, height, width, channels], as `pixels` returns them.

        Returns:
          float32 [N, classes], probabilities.

        Raises:
          DataError: the batch has another shape or dtype.
          ModelError: the runtime failed.
        """
        batch = np.asarray(batch)
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != self.input.shape[1:]:
            raise DataError(
                f"the batch is {batch.dtype} {list(batch.shape)}",
                expected=f"uint8 {['N', *self.input.shape[1:]]}, pixels 0 to 255 as Classifier.pixels gives them",
            )
        raw = np.empty((len(batch), self.output.shape[1]), self.output.dtype)
        values = _quantized(batch, self.input.dtype, self.preprocess)
        with self._turn:
            for row, value in enumerate(values):
                raw[row] = self._run(value)
        return _dequantized(raw, self.output)

    def _run(self, value: np.ndarray) -> np.ndarray:
        with translated(ModelError, f"{self.runtime} failed on {self.path}", of=(ValueError, RuntimeError)):
            result = self._engine.run(value[None])
        if (result.shape, result.dtype.name) != (self.output.shape, self.output.dtype):
            raise ModelError(
                f"{self.path} gave {result.dtype} {list(result.shape)}",
                expected=f"{self.output.dtype} {list(self.output.shape)}, as the file says",
            )
        return np.asarray(result[0])


def _engine(file: ModelFile, threads: int | None, isolated: bool) -> Apart | worker.TfliteEngine:
    refused = translated(
        ModelError,
        f"no TFLite runtime can run {file.path}",
        expected="a whole .tflite of operators it knows",
        fix="copy it again, or update the runtime",
        of=(ValueError, RuntimeError),
    )
    try:
        if isolated:
            started = Worker()  # it gets ready while the kit reads the model
            _look_at(file)
            with refused:
                return Apart(file.content, threads=threads, started=started)
        with refused, quiet_stderr():  # it announces its delegate
            return worker.first_engine(file.content, threads)
    except worker.NoRuntimeError as error:
        raise ModelError(
            f"no TFLite runtime can be imported ({error})",
            expected="one of " + ", ".join(package for package, *_ in worker.RUNTIMES),
            fix="pip install ai-edge-litert",
        ) from error
    except NoWorkerError as error:
        raise ModelError(
            f"{file.path} has no process to run in: {error}", fix="pass isolated=False if you trust the model"
        ) from error


def _look_at(file: ModelFile) -> None:
    """Make sure that a model is well-formed, with the kit's own reader where its packages are installed.

    Raises:
      ModelError: it is not.
    """
    try:
        from converters.tflite import reader
    except ImportError:  # tflite-runtime comes without the schema; the worker's limits hold all the same
        return
    try:
        reader.read_model(file.content)
    except reader.Unread:
        return  # the runtime may know it
    except ValueError as error:
        raise ModelError(
            f"{file.path} is damaged or no model to run: {error}", fix="copy it again, or ask whoever gave it to you"
        ) from error


def _ports(path: Path, ports: dict[str, Any]) -> tuple[Port, Port]:
    inputs, outputs = ports["inputs"], ports["outputs"]
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs", expected="one of each")
    return _port(**inputs[0]), _port(**outputs[0])


def _port(index: int, shape: Sequence[int], dtype: str, scale: float, zero_point: int) -> Port:
    return Port(index, tuple(shape), dtype, scale, zero_point)


def _check_fit(model: Classifier) -> None:
    """Make sure that the model takes pictures as they are prepared, and gives one number for each label.

    Raises:
      ModelError: it does not.
    """
    spec, source, result = model.preprocess, model.input, model.output
    shape = (1, spec.height, spec.width, spec.channels)
    if source.dtype not in DTYPES or source.shape != shape:
        raise ModelError(
            f"{model.path} takes {source.dtype} {list(source.shape)}",
            expected=f"{', '.join(DTYPES[:-1])} or {DTYPES[-1]} {list(shape)}, as its preprocessing says",
        )
    if result.dtype not in DTYPES or len(result.shape) != 2 or result.shape[0] != 1:
        raise ModelError(
            f"{model.path} gives {result.dtype} {list(result.shape)}",
            expected=f"{', '.join(DTYPES[:-1])} or {DTYPES[-1]} [1, classes]",
        )
    if result.shape[1] != len(model.labels):
        raise ModelError(
            f"{model.path} has {result.shape[1]} outputs and {len(model.labels)} labels",
            expected="a label for each output",
        )
    if result.dtype != "float32" and not result.scale > 0:
        raise ModelError(f"{model.path} gives {result.dtype} with scale {result.scale}", expected="a positive scale")
    _check_input_quantization(model)


def _check_input_quantization(model: Classifier) -> None:
    """Make sure that the byte of a quantized input is the pixel itself."""
    port = model.input
    if port.dtype == "float32":
        return
    if fault := pixels.fault(port.dtype, port.scale, port.zero_point, model.preprocess.scale, alone=True):
        raise ModelError(
            f"{model.path} takes {fault}",
            fix="fold the normalisation into the first convolution, as python -m sqz_tf.export does",
        )


def _quantized(batch: np.ndarray, dtype: str, spec: PreprocessSpec) -> np.ndarray:
    """Turn pixels into the model's input."""
    if dtype == "int8":
        return to_int8(batch)
    return batch if dtype == "uint8" else batch.astype(np.float32) * np.float32(spec.scale)


def _dequantized(raw: np.ndarray, port: Port) -> np.ndarray:
    """Turn the model's output into reals; the subtraction is exact in float32."""
    if port.dtype == "float32":
        return raw
    return (raw.astype(np.float32) - np.float32(port.zero_point)) * np.float32(port.scale)
