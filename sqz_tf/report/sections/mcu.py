"""Memory on a microcontroller: the compiled network row by row, and whole maps beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqz_tf.base.units import kib, short
from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, GREY, INK, ORANGE, Drawing, legend
from sqz_tf.report.schema import malformed
from sqz_tf.report.sections.section import Section, Values


def ram_timeline(kept: Sequence[int], working: Sequence[int], arena: int) -> str:
    """Draw the bytes in use in each step of the compiled model, and the arena they lie in.

    Args:
      kept: what waits from step to step.
      working: what is made and read within the step, on top of it.
      arena: bytes reserved.
    """
    from matplotlib.ticker import MaxNLocator

    with Drawing(250) as drawing:
        axes, steps = drawing.axes, range(len(kept))
        low = [size / 1024 for size in kept]
        high = [(below + above) / 1024 for below, above in zip(kept, working, strict=True)]
        axes.fill_between(steps, low, step="mid", color=BLUE, alpha=0.55, linewidth=0, label="kept for later steps")
        axes.fill_between(steps, low, high, step="mid", color=ORANGE, alpha=0.45, linewidth=0, label="within the step")
        axes.axhline(arena / 1024, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="arena")
        axes.set_xlim(0, max(1, len(kept) - 1))
        axes.set_ylim(0, 1.06 * arena / 1024)
        axes.grid(axis="x", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("step: one row of the picture each")
        axes.set_ylabel("KiB")
        legend(axes)
    label = f"RAM in use in each of {len(kept)} steps, at most {kib(max(map(sum, zip(kept, working, strict=True))))}"
    return drawing.svg("ram", f"{label} of {kib(arena)} reserved")


def whole_map_ram(layers: Sequence[str], sizes: Sequence[int], arena: int) -> str:
    """Draw the bytes of feature maps alive while each layer runs, where maps are kept whole; the worst is named.

    Args:
      layers: names, in the order they run.
      sizes: bytes for each.
      arena: what the compiled model reserves, for comparison.
    """
    with Drawing(250) as drawing:
        axes, worst = drawing.axes, max(range(len(sizes)), key=lambda index: sizes[index])
        colors = [ORANGE if index == worst else BLUE for index in range(len(sizes))]
        axes.bar(range(len(sizes)), [size / 1024 for size in sizes], width=0.8, color=colors, alpha=0.6)
        axes.axhline(arena / 1024, color=INK, linewidth=1.4, label="the compiled model's arena")
        side: Any = "left" if worst < len(sizes) / 2 else "right"
        at = (worst, sizes[worst] / 1024)
        axes.annotate(short(layers[worst]), at, xytext=(0, 4), textcoords="offset points", ha=side, color=INK)
        axes.set_ylim(0, 1.12 * sizes[worst] / 1024)
        axes.set_xlim(-0.6, len(sizes) - 0.4)
        axes.grid(axis="x", visible=False)
        axes.set_xticks([])
        axes.set_xlabel("layers in the order they run")
        axes.set_ylabel("KiB")
        legend(axes)
    return drawing.svg("maps", f"RAM of whole feature maps in each of {len(layers)} layers, most in {layers[worst]}")


def mcu_sentence(report: dict[str, Any]) -> str:
    """Return how much RAM streaming rows saves."""
    mcu, interpreter = report["mcu"], report["tflm"]["arena_bytes"]
    arena, whole = mcu["arena_bytes"], max(mcu["whole_maps"]["bytes"])
    measured = f"; TFLite Micro reserves {kib(interpreter)}, its structures included" if interpreter else ""
    return (
        f"Compiled to C the network takes one row of the picture at a time and needs {kib(arena)} of RAM besides the "
        f"stack. Whole feature maps alone need {kib(whole)}, {whole / arena:.1f} times as much{measured}."
    )


def _mcu_plots(mcu: dict[str, Any]) -> dict[str, str]:
    """Return the drawings of the compiled model's memory."""
    arena, over, maps = mcu["arena_bytes"], mcu["timeline"], mcu["whole_maps"]
    return {
        "ram": ram_timeline(over["kept"], over["working"], arena),
        "maps": whole_map_ram(maps["layers"], maps["bytes"], arena),
    }


# What a report holds besides whose model was compiled to C.
MCU: dict[str, Any] = {
    "mcu": {
        "target": str,
        "arena_bytes": int,
        "weight_bytes": int,
        "timeline": {"kept": [int], "working": [int]},  # bytes in each step
        "whole_maps": {"layers": [str], "bytes": [int]},  # bytes of maps alive in each layer, were they kept whole
    }
}


def _check_lengths(mcu: dict[str, Any]) -> None:
    """Check that what is drawn together has one length."""
    for name, first, second in (("timeline", "kept", "working"), ("whole_maps", "layers", "bytes")):
        expected, received = len(mcu[name][first]), len(mcu[name][second])
        if expected != received or not expected:
            raise malformed(f"mcu.{name}.{second}", f"{received} values", f"{expected or 'at least 1'}, as in {first}")


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    if "mcu" not in report:
        return {"mcu_sentence": "", "plots": {}}
    return {"mcu_sentence": mcu_sentence(report), "plots": _mcu_plots(report["mcu"])}


def _is_compiled(report: Values) -> bool:
    return "mcu" in report


def _check(report: Values) -> None:
    _check_lengths(report["mcu"])


SECTION = Section("mcu", "Memory on a microcontroller", "mcu.html.j2", _context, MCU, _is_compiled, _check)
