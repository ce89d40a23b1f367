"""Channels that every input gives the same byte leave their layer the fast kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converters import compiler
from converters.compiler.front.read import read_graph
from converters.compiler.middle import program as prog
from converters.compiler.middle.legalise import legalise
from converters.tflite.reader import read_model
from tests.helpers.compiled_on_host import SANITIZERS, Program, Reference
from tests.helpers.int8_networks import Net


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m55"])
def test_a_channel_without_weights_leaves_its_layer_the_fast_kernel(target: str, per_channel: bool) -> None:
    for seed in range(10):
        net = Net(seed)
        model = net.bytes(net.conv(net.input(6, 5, 3), 8, dead=True, per_channel=per_channel))
        compilation = compiler.analyse(model, target)
        (choice,), (operator,) = compilation.choices, compilation.program.operators
        fast = {
            "cortex-m4": ("sqz_conv_nine_row_dsp", "sqz_conv_odd_row_dsp"),
            "cortex-m55": ("sqz_conv_short_row_mve", "sqz_conv_odd_row_mve"),
        }
        assert choice.function in fast[target]
        assert isinstance(operator.kernel, prog.ConvKernel)
        assert len(operator.kernel.requant.shift) == (8 if per_channel else 1)
        assert np.sum(~operator.kernel.rows.any(axis=1)) == 1


def test_a_layer_without_weights_is_constant() -> None:
    net = Net()
    model = net.bytes(net.conv(net.input(4, 4, 2), 1, dead=True, activation="NONE"))
    (operator,) = legalise(read_graph(model)).operators
    assert isinstance(operator.kernel, prog.ConvKernel)
    assert (operator.kernel.requant.shift.tolist(), operator.kernel.requant.only_shifts) == ([-1], True)


@pytest.fixture(scope="module", params=[0, 1e-7, 1e-12, 1e-20])
def dying(request: pytest.FixtureRequest) -> bytes:
    """Return a model as the official converter writes it, of layers whose channel 2 has weights this small."""
    import keras

    from converters.tflite.from_keras import integer_model

    layers = [
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(6),
        keras.layers.Softmax(),
    ]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((12, 12, 3)), *layers])
    for layer in (layers[0], layers[1], layers[3]):
        weights, bias = layer.get_weights()
        (weights[:, :, 2] if layer is layers[1] else weights[..., 2])[...] *= request.param
        bias[2] = 0.5
        layer.set_weights([weights, bias])
    return integer_model(model, np.random.default_rng(0).random((4, 12, 12, 3)))


@pytest.mark.slow
@pytest.mark.training
def test_a_model_with_dead_channels_is_compiled_as_the_converter_writes_it(tmp_path: Path, dying: bytes) -> None:
    biases = [each for each in read_model(dying).tensors if each.dtype == "int32" and each.size > 2]
    assert max(np.max(np.asarray(each.data)) for each in biases) == 2**30, "the converter's limit is met"
    for target, function in (("generic", "sqz_conv_four_row"), ("cortex-m4", "sqz_conv_nine_row_dsp")):
        assert compiler.analyse(dying, target).choices[0].function == function
        program = Program(tmp_path / target, {"net": dying}, target=target, flags=SANITIZERS)
        assert program.compare("net", Reference(dying), 3) == []
