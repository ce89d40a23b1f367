"""Fixed point: fractional lengths, accuracy against free scales, and how few bits would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.order import layer_order
from sqz_tf.report.plots import BLUE, CARD, GREY, ORANGE, Drawing
from sqz_tf.report.schema import ACCURACY, ANY, FRACTION, NUMBER, PAIRED, Or
from sqz_tf.report.sections.section import Section, Values
from sqz_tf.report.words import SPACE, count, p_value, points


def accuracy_by_bits(lines: Mapping[str, Mapping[int, float]], level: float, least: float, what: str) -> str:
    """Draw how accuracy falls with the bit width of each class of numbers.

    Args:
      lines: class → bit width → fraction in [0, 1].
      level: the float network's, drawn as a line.
      least: the smallest that is allowed, drawn broken.
      what: what the fractions are, for the axis.
    """
    widths = sorted({width for values in lines.values() for width in values})
    with Drawing(250) as drawing:
        axes = drawing.axes
        axes.axhline(100 * level, color=GREY, linewidth=1, label="float")
        axes.axhline(100 * least, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="allowed")
        for (name, values), color, marker in zip(lines.items(), (BLUE, ORANGE), ("o", "s"), strict=False):
            places = [widths.index(width) for width in sorted(values)]
            shares = [100 * values[width] for width in sorted(values)]
            axes.plot(places, shares, color=color, marker=marker, markersize=6, linewidth=2, label=name)
        axes.set_xticks(range(len(widths)), [str(width) for width in widths])
        axes.grid(axis="x", visible=False)
        axes.set_ylim(-2, 102)
        axes.set_xlabel("bits, everything else in float")
        axes.set_ylabel(f"{what}, %")
        axes.legend(loc="lower right", handlelength=1.4, facecolor=CARD, edgecolor="none", framealpha=1)
    shown = ", ".join(f"{name} {min(values)} to {max(values)} bits" for name, values in lines.items())
    return drawing.svg("bits", f"{what} against bit width: {shown}")


def ristretto_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the accuracies of a fixed-point network in the order they were measured."""
    before = {"fixed point, before fine-tuning": found["before"]} if found["before"] else {}
    title = "fixed point, after fine-tuning" if before else "fixed point, not fine-tuned"
    free = {"int8, free scales": found["free_scale"]} if found["free_scale"] else {}
    measured = {**before, title: found["after"], **free}
    return [{"title": title, **accuracy} for title, accuracy in measured.items()]


def free_scale_sentence(paired: dict[str, Any]) -> str:
    """Say what powers of two cost against free scales on the same pictures."""
    drop, (low, high) = paired["drop_pp"], paired["interval_pp"]
    said = (
        f"loses {points(drop)} points" if drop > 0 else f"gains {points(-drop)} points" if drop < 0 else "loses nothing"
    )
    return (
        f"Against int8 with free scales, on the same {count(paired['n'])} pictures, it {said} of top-1 "
        f"(loss, 95{SPACE}% interval {points(low)} to {points(high)}): only free scales have "
        f"{count(paired['lost'])} pictures right, only powers of two {count(paired['gained'])} "
        f"(McNemar p {p_value(paired['mcnemar_p'])})."
    )


def trimming_rows(trimming: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each choice of bit widths that was tried."""
    return [
        {
            "weights": "float" if trial["weights"] is None else str(trial["weights"]),
            "outputs": "float" if trial["outputs"] is None else str(trial["outputs"]),
            "top1": trial["top1"],
            "top5": trial["top5"],
            "drop": points(trial["against_float"]["drop_pp"]),
            "low": points(trial["against_float"]["interval_pp"][0]),
            "high": points(trial["against_float"]["interval_pp"][1]),
            "agreement": trial["agreement_top1"],
            "divergence": f"{trial['divergence']:.4f}",
        }
        for trial in trimming["trials"]
    ]


def trimming_lines(trimming: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Return top-1 by bit width of each class of numbers where everything else was float."""
    return {
        title: {trial[kind]: trial["top1"] for trial in trimming["trials"] if trial[kind] and not trial[other]}
        for title, kind, other in (("weights", "weights", "outputs"), ("layer outputs", "outputs", "weights"))
    }


def length_rows(lengths: dict[str, Any]) -> list[dict[str, str]]:
    """Return the fractional length of each tensor in words."""

    def shown(length: Any) -> str:
        if not isinstance(length, list):
            return points(length, 0)
        low, high = points(min(length), 0), points(max(length), 0)
        return f"{low} to {high}, one for each of {count(len(length))} channels" if length else ""

    return [{"name": name, "length": shown(lengths[name])} for name in layer_order(lengths)]


def _ristretto(report: dict[str, Any]) -> dict[str, Any]:
    """Return what the section on fixed point says in words and rows."""
    found = report["ristretto"]
    paired, trimming = found["against_free_scale"], found["trimming"]
    return {
        "rows": ristretto_rows(found),
        "lengths": length_rows(report["fractional_length"]),
        "free_scale_sentence": free_scale_sentence(paired) if paired else "",
        "trials": trimming_rows(trimming) if trimming else [],
    }


def _bits(trimming: dict[str, Any] | None) -> str:
    """Return the drawing of accuracy against bits, or an empty text."""
    lines = trimming_lines(trimming) if trimming else {}
    if trimming is None or not all(lines.values()):
        return ""
    what = "top-1" if trimming["judged_by"] == "labels" else "same answer as float"
    level = trimming["float_top1"]
    return accuracy_by_bits(lines, level, max(0.0, level - trimming["margin_pp"] / 100), what)


TRIAL = {
    "weights": Or(int),
    "outputs": Or(int),
    "top1": FRACTION,
    "top5": FRACTION,
    "against_float": PAIRED,
    "agreement_top1": FRACTION,
    "divergence": NUMBER,
}


TRIMMING = {
    "judged_by": str,
    "images": int,
    "calibration_images": int,
    "margin_pp": NUMBER,
    "float_top1": FRACTION,
    "float_top5": FRACTION,
    "per_channel": bool,
    "trials": [TRIAL],
    "bits": {"weights": int, "outputs": int},
}


# What a report of scheme `ristretto` holds besides, and of any whose figures have that key.
RISTRETTO: dict[str, Any] = {
    "fractional_length": {ANY: (int, list)},  # of each tensor, or of each output channel of a kernel
    "bits": {ANY: int},  # of each class of numbers
    "ristretto": {
        "before": Or(ACCURACY),  # fine-tuning; null where there was none
        "after": ACCURACY,
        "free_scale": Or(ACCURACY),
        "against_free_scale": Or(PAIRED),  # lost: right with free scales, wrong with powers of two
        "trimming": Or(TRIMMING),
    },
}


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    if "ristretto" not in report:
        return {"ristretto": {}, "plots": {}}
    return {"ristretto": _ristretto(report), "plots": {"bits": _bits(report["ristretto"]["trimming"])}}


def _has_powers_of_two(report: Values) -> bool:
    return "ristretto" in (report["scheme"], *report)


SECTION = Section("ristretto", "Fixed point", "fixed_point.html.j2", _context, RISTRETTO, _has_powers_of_two)
