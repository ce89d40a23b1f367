"""What a point takes is told without training, and is what the compiler and a link give for the trained network."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import pytest

from converters.compiler import TARGETS, analyse, files, report
from converters.compiler.report import flash_bytes
from converters.tflite.reader import read_model
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ModelSpec, from_dict
from sqz_tf.deploy import footprint
from sqz_tf.deploy.boards import boards
from sqz_tf.deploy.need import Model
from sqz_tf.network.architecture import multiplications
from sqz_tf.trials.points import SWEEPS, Point, points_of
from sqz_tf.trials.sizes import Limits, float_mib, int8_bytes, measure, parameters
from sqz_tf.trials.untrained import untrained
from tests.helpers.exports import digits_folder
from tests.helpers.needs import require

# Figure 3 was drawn with version 1.0 and ImageNet's classes.
PAPER = ModelSpec(arch="squeezenet-1.0", input_size=227)
DIGITS = ModelSpec(input_size=48, channels=1, classes=10, width=0.25)
M4, RISC = boards()["stm32f405"], boards()["hifive1-revb"]


@pytest.fixture(scope="module")
def exported() -> tuple[ModelSpec, bytes]:
    """A network trained, pruned and quantized by an export."""
    folder = digits_folder() / "digits"
    config = json.loads((folder / "manifest.json").read_text())["config"]
    return from_dict(ModelSpec, config["model"]), (folder / "model_int8.tflite").read_bytes()


def sizes_of(name: str) -> list[float]:
    return [round(float_mib(point.network(PAPER)), 2) for point in points_of(SWEEPS[name], PAPER, ())]


def test_figure_3_has_the_papers_sizes() -> None:
    assert sizes_of("squeeze-ratio") == [4.76, 7.5, 12.99, 18.47, 23.95]
    assert sizes_of("pct-3x3") == [5.64, 9.24, 12.99, 16.74, 20.33]


def test_table_3_has_the_papers_sizes_but_one() -> None:
    """The paper says 7.7 MB of complex bypass; its 1×1 convolutions, counted, make 6.06."""
    points = [point.network(PAPER) for point in points_of(SWEEPS["bypass"], PAPER, ())]
    assert [parameters(spec) for spec in points] == [1_248_424, 1_248_424, 1_589_672]
    assert [round(float_mib(spec), 2) for spec in points] == [4.76, 4.76, 6.06]


def test_int8_has_a_byte_for_each_weight_and_four_for_each_bias() -> None:
    model = read_model(untrained(DIGITS))
    constants = [tensor for tensor in model.tensors if tensor.is_constant and tensor.scale]
    assert int8_bytes(DIGITS) == sum(each.data.nbytes for each in constants if each.data is not None)
    assert parameters(DIGITS) == sum(math.prod(each.shape) for each in constants)


@pytest.mark.parametrize("bypass", ["none", "simple", "complex"])
def test_the_untrained_network_has_the_networks_multiplications(bypass: str) -> None:
    spec = replace(DIGITS, bypass=bypass, arch="squeezenet-1.0", conv10_padding=1)
    assert Model(untrained(spec)).macs == multiplications(spec)
    assert untrained(spec) == untrained(spec)


@pytest.mark.training
def test_ram_and_flash_of_a_trained_network_are_those_told_before(exported: tuple[ModelSpec, bytes]) -> None:
    """What the compiler plans and the linker links of an export is compared with what nothing was trained for."""
    require(shutil.which(footprint.GCC), "arm-none-eabi-gcc is not installed")
    spec, trained = exported
    found = measure(spec, M4, Limits())
    compiled = analyse(trained, "cortex-m4")
    linked = footprint.link(files(compiled, "model"), "model", "cortex-m4")
    assert found.linked
    assert (found.arena, found.weights, found.code) == (
        report(compiled)["arena"]["bytes"],
        linked.weights,
        linked.code,
    )
    assert found.flash == linked.code + linked.weights
    assert found.ram == found.arena + found.static + found.stack
    assert found.macs == multiplications(spec)


@pytest.mark.training
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_plans_the_same_for_a_trained_network(target: str, exported: tuple[ModelSpec, bytes]) -> None:
    spec, trained = exported
    drawn, real = (analyse(data, target) for data in (untrained(spec), trained))
    assert drawn.plan.arena_bytes == real.plan.arena_bytes
    assert flash_bytes(drawn) == flash_bytes(real)
    assert [choice.function for choice in drawn.choices] == [choice.function for choice in real.choices]


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("name", ["squeeze-ratio", "pct-3x3", "bypass", "arch", "width", "input-size"])
def test_every_point_of_a_sweep_takes_what_a_link_of_its_quantized_network_takes(name: str) -> None:
    from tests.helpers.quantized import quantized

    require(shutil.which(footprint.GCC), "arm-none-eabi-gcc is not installed")
    for point in points_of(SWEEPS[name], DIGITS, ()):
        spec = point.network(DIGITS)
        found, need = measure(spec, M4, Limits()), Model(quantized(spec)).need(M4)
        told = (found.arena, found.static, found.stack, found.weights, found.code, found.linked)
        assert told == (need.arena, need.static, need.stack, need.weights, need.code, True), point


def test_a_limit_of_ram_alone_is_kept_by_sparing_it() -> None:
    free = measure(DIGITS, RISC, Limits())
    spared = measure(DIGITS, RISC, Limits(ram=free.ram - 1))
    assert (free.optimize, spared.optimize, spared.lacking) == ("speed", "ram", ())
    assert spared.ram < free.ram
    assert measure(DIGITS, RISC, Limits(ram=3000)).lacking == ("RAM",)
    assert measure(DIGITS, RISC, Limits(flash=free.flash - 1)).lacking == ("flash",)


def test_what_cannot_fit_is_not_linked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> footprint.Footprint:
        raise footprint.LinkError("nothing shall be linked")

    monkeypatch.setattr(footprint, "why_not", lambda: None)
    monkeypatch.setattr(footprint, "link", refused)
    least = int8_bytes(DIGITS)
    found = measure(DIGITS, M4, Limits(flash=least - 1))
    assert (found.lacking, found.linked) == (("flash",), False)
    assert found.weights >= least
    with pytest.raises(footprint.LinkError):
        measure(DIGITS, M4, Limits(flash=least))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(ram=2048), "--max-ram is 2.0 KiB; expected more than 2.0 KiB"),
        (Limits(flash=7000), "--max-flash is 6.8"),
    ],
)
def test_limits_that_no_network_keeps_are_refused(limits: Limits, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        limits.require_possible("cortex-m4")


def test_a_point_is_a_network_or_refused() -> None:
    point = Point.of(DIGITS)
    assert point.network(DIGITS) == DIGITS
    with pytest.raises(ConfigError, match="too small"):
        replace(point, input_size=2).network(DIGITS)
    assert replace(point, input_size=96).network(DIGITS).pool_padding == "valid"


@pytest.mark.parametrize("width", [0.05, 0.06, 0.07, 0.08])
def test_the_narrowest_networks_are_told_too(width: float) -> None:
    """Layers of one filter and one input have no spread of weights."""
    spec = ModelSpec(input_size=48, classes=10, width=width)
    assert measure(spec, RISC, Limits()).known
    assert all(min(tensor.scale, default=1) > 0 for tensor in read_model(untrained(spec)).tensors)
