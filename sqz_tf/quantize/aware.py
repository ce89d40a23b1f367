"""Quantization-aware training with TF-MOT that keeps every pruned zero and starts from calibrated ranges.

TF-MOT's own sparsity-preserving scheme gives the layers that feed a Concatenate the plain weight quantizer, so
the expand layers of a Fire module lose a third of their zeros; its activation ranges start at ±6 and move by a
thousandth per step. This scheme uses TF-MOT's wrappers with quantizers of our own:

- weights: int8, symmetric, narrow range (−127…127), pruned positions masked; free scales follow the weights, powers
  of two stay where they are;
- activations: a fixed range per layer, from calibration; the layers that feed a Concatenate have none of their
  own, because TFLite gives a concatenation and its inputs one scale;
- input: the fixed range of the pixels, so that int8 input is `pixel ^ 0x80`.

Which scales are allowed, and how many a kernel has, is the grid's to say. Gradients pass straight through every
rounding, to float weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sqz_tf.base.errors import ConversionError
from sqz_tf.base.pixels import Range
from sqz_tf.quantize.schemes.free import FREE
from sqz_tf.quantize.schemes.grid import HIGHEST, LOWEST, NOTHING, SMALLEST_CHANNEL, Grid
from sqz_tf.train.keras import keras, tf, tfmot
from sqz_tf.train.squeezenet import StatelessDropout, convolutions, copy_model, has_batch_norm

layers = keras.layers
quantization: Any = tfmot.quantization.keras

Kernels = dict[str, np.ndarray]  # layer → a value for each output channel, or one


class FixedRangeQuantizer(quantization.quantizers.Quantizer):
    """Fake-quantize to 8 bits in a range that never moves; gradients pass inside it (straight-through)."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Make no variables: the range is a constant."""
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
        """Return `inputs` on the grid of 256 values in the range."""
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.low, self.high)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the quantizer."""
        return {"low": self.low, "high": self.high}


class MaskedWeightsQuantizer(quantization.quantizers.Quantizer):
    """Fake-quantize a kernel [H, W, I, O], with the zeros it was built with held at zero.

    Args:
      bound: magnitude of integer 127, one number or one for each output channel.
      follow: whether the bound follows the largest weight while training.
      gain: the kernel is `gain` times the variable that is trained, a power of two: where the kernel is small because
        its inputs are large, the optimizer's steps would be far too large for it.
    """

    def __init__(self, bound: Any, follow: bool, gain: float = 1.0) -> None:
        self.bound, self.follow, self.gain = np.asarray(bound, np.float32), follow, gain

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Remember the zeros of the wrapped layer's kernel and its ranges."""
        mask = tf.cast(getattr(layer.layer, name) != 0, tf.float32).numpy()
        bound = layer.add_weight(
            name=f"{name}_bound",
            shape=self.bound.shape,
            initializer=keras.initializers.Constant(self.bound),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        return {"mask": tf.constant(mask * self.gain), "bound": bound}

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> Any:
        """Return the masked kernel on the grid of −127…127 times each scale."""
        masked = inputs * weights["mask"]
        if training and self.follow:
            weights["bound"].assign(largest_weight(masked, per_channel=bool(self.bound.ndim)))
        return fake_quantize_kernel(masked, tf.identity(weights["bound"]))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the quantizer."""
        return {"bound": self.bound.tolist(), "follow": self.follow, "gain": self.gain}


def largest_weight(kernel: Any, per_channel: bool) -> Any:
    """Return the largest magnitude of a kernel [H, W, I, O] or of each output channel, never zero (`Grid.bound`)."""
    largest = tf.reduce_max(tf.abs(kernel), axis=(0, 1, 2) if per_channel else None)
    return tf.maximum(largest, tf.maximum(tf.reduce_max(largest), 1e-12) * SMALLEST_CHANNEL)


def fake_quantize_kernel(kernel: Any, bound: Any) -> Any:
    """Return a kernel [H, W, I, O] on the grid of −127…127, where 127 stands for `bound`, float32 [O] or []."""
    per_channel = len(bound.shape) == 1
    quantize = (
        tf.quantization.fake_quant_with_min_max_vars_per_channel
        if per_channel
        else (tf.quantization.fake_quant_with_min_max_vars)
    )
    return quantize(kernel, -bound, bound, narrow_range=True)


class LayerQuantizeConfig(quantization.QuantizeConfig):
    """How one layer is quantized: its kernel if it has one, its output if it has a range.

    Args:
      output_range: of the output, if it has one of its own.
      kernel: the arguments of the kernel's `MaskedWeightsQuantizer`, if it has one.
    """

    def __init__(self, output_range: Range | None = None, kernel: dict[str, Any] | None = None) -> None:
        self.output_range = None if output_range is None else (output_range[0], output_range[1])
        self.kernel = kernel

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Return the kernel with its quantizer."""
        return [(layer.kernel, MaskedWeightsQuantizer(**self.kernel))] if self.kernel else []

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Return nothing: the activation is inside the layer, so its output is what is quantized."""
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Put the quantized kernel in place for the forward pass."""
        if self.kernel:
            layer.kernel = quantize_weights[0]

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """Nothing to replace."""

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """Return the output's quantizer, if it has one of its own."""
        return [] if self.output_range is None else [FixedRangeQuantizer(*self.output_range)]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the config."""
        return {"output_range": self.output_range, "kernel": self.kernel}


class _QuantizeInput(quantization.graph_transformations.transforms.Transform):
    """Put a fixed-range quantizer behind the input layer."""

    def __init__(self, input_range: Range) -> None:
        self.input_range = input_range

    def pattern(self) -> Any:
        return quantization.graph_transformations.transforms.LayerPattern("InputLayer")

    def replacement(self, match_layer: Any) -> Any:
        quantizer = {
            "class_name": "FixedRangeQuantizer",
            "config": dict(zip(("low", "high"), self.input_range, strict=True)),
        }
        config = {"name": "quantize_input", "trainable": True, "dtype": "float32", "quantizer": quantizer}
        layer = {"class_name": "QuantizeLayer", "config": config, "name": "quantize_input"}
        return quantization.graph_transformations.transforms.LayerNode(layer, input_layers=[match_layer])

    def custom_objects(self) -> dict[str, Any]:
        return _custom_objects()


class _Layout(quantization.QuantizeLayoutTransform):
    """The only change to the graph: the input quantizer. Batch norm is folded, activations are inside."""

    def __init__(self, input_range: Range) -> None:
        self.input_range = input_range

    def apply(self, model: Any, layer_quantize_map: Any) -> Any:
        transformer = quantization.graph_transformations.model_transformer.ModelTransformer(
            model, [_QuantizeInput(self.input_range)], set(layer_quantize_map), layer_quantize_map
        )
        return transformer.transform()


class _Registry(quantization.QuantizeRegistry):
    """Knows no layer by itself: every layer is annotated."""

    def supports(self, layer: Any) -> bool:
        return False

    def get_quantize_config(self, layer: Any) -> Any:
        raise ConversionError(f"layer {layer.name} has no quantize config")


class KeepZerosScheme(quantization.QuantizeScheme):
    """8-bit scheme for nets whose layers are annotated with `LayerQuantizeConfig`."""

    def __init__(self, input_range: Range) -> None:
        self.input_range = input_range

    def get_layout_transformer(self) -> Any:
        """Return the change to the graph: an input quantizer."""
        return _Layout(self.input_range)

    def get_quantize_registry(self) -> Any:
        """Return the (empty) table of default configs."""
        return _Registry()


def _custom_objects() -> dict[str, Any]:
    return {"FixedRangeQuantizer": FixedRangeQuantizer, "LayerQuantizeConfig": LayerQuantizeConfig}


def quantize_aware(
    model: Any,
    ranges: dict[str, Range],
    input_range: Range,
    grid: Grid = FREE,
    bounds: Kernels | None = None,
    gains: dict[str, float] | None = None,
) -> Any:
    """Return a copy of `model` for quantization-aware training.

    Args:
      model: the plain graph (batch norm folded, activations inside the convolutions), pruned or not.
      ranges: output range of every layer that gets one, as `activation_ranges` returns them.
      input_range: the numbers that pixels 0 and 255 are to the model.
      grid: which scales are allowed.
      bounds: magnitude of integer 127 in each kernel; by default `grid.bound` of it.
      gains: layer → power of two that its trained variable is smaller by, see `MaskedWeightsQuantizer`.

    Raises:
      ConversionError: a BatchNormalization layer is left; the converter would silently emit float layers.
    """
    if has_batch_norm(model):
        raise ConversionError(
            "the model still has BatchNormalization", fix="fold it first: sqz_tf.train.squeezenet.fold"
        )
    model, kernels = copy_model(model), {}
    for layer in convolutions(model):
        kernel, bias = layer.get_weights()
        gain = (gains or {}).get(layer.name, 1.0)
        bound = bounds[layer.name] if bounds else grid.bound(kernel)
        kernels[layer.name] = MaskedWeightsQuantizer(bound, grid.follows_weights, gain).get_config()
        layer.set_weights([kernel / gain, bias])

    def annotate(layer: Any) -> Any:
        config = LayerQuantizeConfig(ranges.get(layer.name), kernels.get(layer.name))
        return quantization.quantize_annotate_layer(layer, config)

    with quantization.quantize_scope(_custom_objects()):
        annotated = keras.models.clone_model(copy_model(model), clone_function=annotate)
        return quantization.quantize_apply(annotated, KeepZerosScheme(input_range))


def ranged_layers(model: Any) -> list[str]:
    """Return the layers whose output gets a range of its own, in graph order.

    Convolutions, concatenations, sums and the global average do, except those that feed a concatenation;
    pooling and padding keep their input's range, softmax has TFLite's fixed one.
    """
    kinds = (layers.Conv2D, layers.Concatenate, layers.Add, layers.GlobalAveragePooling2D)
    return [layer.name for layer in model.layers if isinstance(layer, kinds) and not _feeds_concatenation(layer)]


def _feeds_concatenation(layer: Any) -> bool:
    consumers = (node.outbound_layer for node in layer.outbound_nodes)
    return any(isinstance(consumer, layers.Concatenate) for consumer in consumers)


def saturable(model: Any) -> frozenset[str]:
    """Return the ranged layers that only convolutions with ReLU write, and only convolutions and pooling read.

    With zero point 0 their ReLU can be the saturation of int8 (`converters.tflite.saturation`).
    """
    return frozenset(
        name for name in ranged_layers(model) if _is_relu(model.get_layer(name)) and _convolved(model.get_layer(name))
    )


def _is_relu(layer: Any) -> bool:
    if isinstance(layer, layers.Concatenate):
        return all(_is_relu(part) for part in layer.inbound_nodes[0].inbound_layers)
    return isinstance(layer, layers.Conv2D) and layer.activation is keras.activations.relu


def _convolved(layer: Any) -> bool:
    readers = [node.outbound_layer for node in layer.outbound_nodes]
    between = (layers.MaxPooling2D, layers.ZeroPadding2D, StatelessDropout)
    return bool(readers) and all(
        isinstance(each, layers.Conv2D) or (isinstance(each, between) and _convolved(each)) for each in readers
    )


def activation_ranges(model: Any, x: np.ndarray, grid: Grid = FREE, batch_size: int = 50) -> dict[str, Range]:
    """Return the smallest range on the grid that holds zero and every value each layer puts out.

    Args:
      model: the plain graph.
      x: calibration input float32 [N, H, W, C].
      grid: which ranges are allowed.
    """
    names = ranged_layers(model)
    probe = keras.Model(model.input, [model.get_layer(name).output for name in names])
    low, high = np.zeros(len(names)), np.full(len(names), NOTHING / 10)
    for start in range(0, len(x), batch_size):
        outputs = probe.predict_on_batch(x[start : start + batch_size])
        low = np.minimum(low, [output.min() for output in outputs])
        high = np.maximum(high, [output.max() for output in outputs])
    full = saturable(model)
    return {name: grid.holding(float(a), float(b), name in full) for name, a, b in zip(names, low, high, strict=True)}


def without_fake_quantization(quantized: Any, plain: Any) -> Any:
    """Return a copy of `plain` with the weights that training left in `quantized`, zeros included."""
    result = keras.models.clone_model(plain)
    wrapped = {layer.layer.name: layer for layer in quantized.layers if hasattr(layer, "layer")}
    for layer in convolutions(result):
        mask = plain.get_layer(layer.name).get_weights()[0] != 0
        kernel, bias = _float_weights(wrapped[layer.name])
        layer.set_weights([kernel * mask, bias])
    return result


def _float_weights(wrapper: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel and bias of a wrapped convolution before rounding, by the names of its variables."""
    by_name = {weight.name.split("/")[-1].split(":")[0]: weight.numpy() for weight in wrapper.trainable_weights}
    return by_name["kernel"] * wrapper.quantize_config.kernel["gain"], by_name["bias"]


def used_scales(quantized: Any) -> tuple[float, dict[str, float], dict[str, list[float]]]:
    """Return the scales that a quantization-aware model computes with.

    Returns:
      of the input; layer → of its output; convolution → of its kernel, one or one for each output channel.
    """
    wrappers = {layer.layer.name: layer for layer in quantized.layers if hasattr(layer, "quantize_config")}
    quantizer = quantized.get_layer("quantize_input").quantizer
    outputs = {name: _output_range(wrapper) for name, wrapper in wrappers.items()}
    kernels = {name: _bound(wrapper) for name, wrapper in wrappers.items() if wrapper.quantize_config.kernel}
    return (
        _scale((quantizer.low, quantizer.high)),
        {name: _scale(limits) for name, limits in outputs.items() if limits},
        {name: [value / HIGHEST for value in bound] for name, bound in kernels.items()},
    )


def _scale(limits: Range) -> float:
    return (limits[1] - limits[0]) / (HIGHEST - LOWEST)


def _output_range(wrapper: Any) -> Range | None:
    """Return the range of a wrapped layer's output: its own, or that of the concatenation that takes it."""
    own: Range | None = wrapper.quantize_config.output_range
    consumers = (node.outbound_layer for node in wrapper.outbound_nodes)
    joined = [each for each in consumers if isinstance(getattr(each, "layer", None), layers.Concatenate)]
    return own or (_output_range(joined[0]) if joined else None)


def _bound(wrapper: Any) -> list[float]:
    bound = next(weight for weight in wrapper.weights if weight.name.endswith("kernel_bound:0"))
    return np.atleast_1d(bound.numpy()).astype(np.float64).tolist()


def variable_steps(quantized: Any) -> list[np.ndarray]:
    """Return for each trainable variable of a quantization-aware model how far one quantization step is.

    For a kernel that is its scale, float32 [1] or [O]; for a bias the scale of the layer's output, float32 [].
    """
    found: dict[int, np.ndarray] = {}
    for wrapper in (layer for layer in quantized.layers if layer.trainable_weights):
        limits, gain = _output_range(wrapper), wrapper.quantize_config.kernel["gain"]
        kernel = np.asarray(_bound(wrapper), np.float32) / HIGHEST / gain
        bias = np.asarray(_scale(limits) if limits else 1.0, np.float32)
        found |= {id(each): kernel if len(each.shape) == 4 else bias for each in wrapper.trainable_weights}
    return [found[id(variable)] for variable in quantized.trainable_variables]
