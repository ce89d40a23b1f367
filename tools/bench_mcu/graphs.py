"""Write the benchmark's networks: SqueezeNet v1.1, SAME padding everywhere, int8 per channel, seeded; no TensorFlow.

Iandola et al. 2016 (arXiv:1602.07360), version 1.1: conv1 3×3/2, pools 3×3/2 after conv1, fire3 and fire5. The weights
are random (He et al. 2015, arXiv:1502.01852, so that values neither grow nor die); the same graph gives the same bytes.

    python -m tools.bench_mcu.graphs OUT      writes OUT/a.tflite, OUT/b.tflite and OUT/c.tflite
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

SAME, INT8 = schema.Padding.SAME, schema.TensorType.INT8
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))  # squeeze, each expand

POOL_NUMBERS = {2: 1, 4: 3, 6: 5}
FIRST_SCALES = {"conv10": 16 / 255, "pool10": 4 / 255}  # before anything has been measured
LAYER = "squeezenet/"  # before a layer's name in the name of its output, as converters write it
LARGEST_LOGIT = 8  # so that the classes' probabilities differ
FIRST_SCALE = 5 / 255  # of maps after ReLU, whose values then have a mean square near 1


@dataclass(frozen=True)
class Graph:
    """One network of the benchmark."""

    size: int
    width: float
    classes: int
    macs: int


GRAPHS = {
    "a": Graph(96, 0.25, 10, 4_087_296),
    "b": Graph(32, 0.5, 10, 1_585_152),
    "c": Graph(224, 1.0, 1000, 387_358_720),
}


def squeezenet(graph: Graph, seed: int = 1) -> bytes:
    """Return the `.tflite`: int8 pixels [1, size, size, 3] (scale 1/255, zero point −128) to int8 softmax [1, classes].

    Every map's scale is such that a seeded noise image just fills its range.
    """
    scales, gain = dict(FIRST_SCALES), 1.0
    for _ in range(2):  # the second time with values that the first has made fine enough to measure
        scales = _filling(_Writer(graph, np.random.default_rng(seed), scales, gain).model(), seed)
        further = LARGEST_LOGIT / (scales["pool10"] * 127)
        scales |= {name: scales[name] * further for name in ("conv10", "pool10")}
        gain *= further
    return _Writer(graph, np.random.default_rng(seed), scales, gain).model()


def _filling(model: bytes, seed: int) -> dict[str, float]:
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    engine = Interpreter(
        model_content=model, experimental_op_resolver_type=kernels, experimental_preserve_all_tensors=True
    )
    engine.allocate_tensors()
    source = engine.get_input_details()[0]
    pixels = np.random.default_rng(seed).integers(-128, 128, source["shape"]).astype(np.int8)
    engine.set_tensor(source["index"], pixels)
    engine.invoke()
    measured = {}
    for details in engine.get_tensor_details():
        scale, zero_point = details["quantization"]
        if details["dtype"] == np.int8 and details["name"].startswith(LAYER) and scale:
            span = 255 if zero_point == -128 else 127
            values = engine.get_tensor(details["index"]).astype(np.int32) - zero_point
            measured[details["name"].split("/")[1]] = float(scale) * max(1, int(np.abs(values).max())) / span
    return measured


@dataclass
class _Writer:
    graph: Graph
    rng: np.random.Generator
    scales: dict[str, float]
    gain: float
    form: Any = field(default_factory=schema.ModelT)
    subgraph: Any = field(default_factory=schema.SubGraphT)

    def model(self) -> bytes:
        self.form.version, self.form.subgraphs, self.form.operatorCodes = 3, [self.subgraph], []
        self.form.buffers, self.subgraph.tensors, self.subgraph.operators = [schema.BufferT()], [], []
        source = self._tensor("input", (1, self.graph.size, self.graph.size, 3), INT8, [1 / 255], -128)
        result = self._classifier(self._features(self._convolution("conv1", source, self._channels(64), 3, 2)))
        self.subgraph.inputs, self.subgraph.outputs = [source], [result]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.form.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _channels(self, full: int) -> int:
        return max(1, round(full * self.graph.width))

    def _features(self, x: int) -> int:
        for number, (squeeze, expand) in enumerate(FIRES, start=2):
            if number in POOL_NUMBERS:
                x = self._pool(f"pool{POOL_NUMBERS[number]}", x)
            x = self._fire(f"fire{number}", x, self._channels(squeeze), self._channels(expand))
        return x

    def _fire(self, name: str, x: int, squeeze: int, expand: int) -> int:
        squeezed = self._convolution(f"{name}_squeeze1x1", x, squeeze, 1)
        joined = f"{name}_concat"  # whose scale both inputs share, as CONCATENATION demands
        expanded = [self._convolution(f"{name}_expand{k}x{k}", squeezed, expand, k, scaled_as=joined) for k in (1, 3)]
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        target = self._map(joined, (*self._shape(squeezed)[:3], 2 * expand))
        return self._op("CONCATENATION", "ConcatenationOptions", options, expanded, target)

    def _classifier(self, x: int) -> int:
        classes = self.graph.classes
        scores = self._convolution("conv10", x, classes, 1, relu=False)
        axes = self._constant("axes", np.array([1, 2], np.int32))
        mean = self._map("pool10", (1, classes), zero_point=0)
        self._op("MEAN", "ReducerOptions", schema.ReducerOptionsT(), [scores, axes], mean)
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        result = self._tensor(f"{LAYER}softmax/output", (1, classes), INT8, [1 / 256], -128)
        return self._op("SOFTMAX", "SoftmaxOptions", options, [mean], result)

    def _convolution(
        self, name: str, x: int, channels: int, kernel: int, stride: int = 1, *, relu: bool = True, scaled_as: str = ""
    ) -> int:
        _, height, width, depth = self._shape(x)
        real = self.rng.normal(0, np.sqrt(2 / (kernel * kernel * depth)), (channels, kernel, kernel, depth))
        real *= 1 if relu else self.gain
        scale = (np.abs(real).max(axis=(1, 2, 3)) / 127).astype(np.float32)
        weights = np.rint(real / scale[:, None, None, None]).astype(np.int8)
        bias_scale = np.float32(self._scale(x)) * scale
        bias = np.rint(self.rng.normal(0, 0.1, channels) / bias_scale).astype(np.int32)
        shape = (1, -(-height // stride), -(-width // stride), channels)
        target = self._map(name, shape, scaled_as, zero_point=-128 if relu else 0)
        options = schema.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = SAME, stride, stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU if relu else 0
        inputs = [
            x,
            self._constant(f"{name}_weights", weights, scale),
            self._constant(f"{name}_bias", bias, bias_scale),
        ]
        return self._op("CONV_2D", "Conv2DOptions", options, inputs, target)

    def _pool(self, name: str, x: int) -> int:
        _, height, width, depth = self._shape(x)
        options = schema.Pool2DOptionsT()
        options.padding, options.strideH, options.strideW = SAME, 2, 2
        options.filterHeight = options.filterWidth = 3
        target = self._tensor(
            f"{LAYER}{name}/output", (1, -(-height // 2), -(-width // 2), depth), INT8, [self._scale(x)], -128
        )
        return self._op("MAX_POOL_2D", "Pool2DOptions", options, [x], target)

    def _op(self, name: str, kind: str, options: Any, inputs: list[int], target: int) -> int:
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = self._code(name), inputs, [target]
        op.builtinOptionsType, op.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self.subgraph.operators.append(op)
        return target

    def _code(self, name: str) -> int:
        number = getattr(schema.BuiltinOperator, name)
        numbers = [code.builtinCode for code in self.form.operatorCodes]
        if number not in numbers:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 3
            self.form.operatorCodes.append(code)
            numbers.append(number)
        return numbers.index(number)

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.subgraph.tensors[tensor].shape)

    def _scale(self, tensor: int) -> float:
        return float(self.subgraph.tensors[tensor].quantization.scale[0])

    def _map(self, name: str, shape: tuple[int, ...], scaled_as: str = "", *, zero_point: int = -128) -> int:
        return self._tensor(
            f"{LAYER}{name}/output", shape, INT8, [self.scales.get(scaled_as or name, FIRST_SCALE)], zero_point
        )

    def _constant(self, name: str, data: np.ndarray, scale: np.ndarray | None = None) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        self.form.buffers.append(buffer)
        kind = getattr(schema.TensorType, str(data.dtype).upper())
        result = self._tensor(name, data.shape, kind, scale, 0)
        self.subgraph.tensors[result].buffer = len(self.form.buffers) - 1
        return result

    def _tensor(self, name: str, shape: tuple[int, ...], kind: int, scale: Any, zero_point: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), kind
        if scale is not None:
            scales = np.asarray(scale, np.float32)
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1


def main(arguments: list[str] | None = None) -> int:
    """Write all graphs into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    folder: Path = parser.parse_args(arguments).out
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in GRAPHS.items():
        (folder / f"{name}.tflite").write_bytes(squeezenet(graph))
    return 0


if __name__ == "__main__":
    sys.exit(main())
