"""Pack: sizes against accuracy as a curve, beside what others reach, and where the bits go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, CARD, GREY, ORANGE, Drawing, name_rows
from sqz_tf.report.schema import ANY, FRACTION, NUMBER, PAIRED, Or
from sqz_tf.report.sections.section import Section, Values
from sqz_tf.report.words import count, points

PUBLISHED = (  # ImageNet's SqueezeNet with 1000 classes (Iandola et al. 2016, table 2; MB of 10⁶ bytes)
    ("the paper, Deep Compression at 8 bit (0.66 MB)", 660_000),
    ("the paper, Deep Compression at 6 bit (0.47 MB, never released)", 470_000),
    ("the published Deep Compression file", 675_763),
)
CODERS = {
    "tflite": "model_int8.tflite",
    "gzip": "model_int8.tflite, gzip",
    "xz": "model_int8.tflite, xz",
    "zstd": "model_int8.tflite, zstd",
}
SCHEMA: dict[str, Any] = {
    "pack": {
        "passed": bool,
        "model_bytes": int,
        "bytes": int,
        "sections": {ANY: int},
        "layers": [{"name": str, "weights": int, "zeros": FRACTION, "bits": NUMBER}],
        "others": {ANY: int},
        "curve": [
            {
                "bytes": int,
                "price": NUMBER,
                "divergence": NUMBER,
                "agreement": FRACTION,
                "drop": Or(PAIRED),
                "chosen": bool,
            }
        ],
        "learnt": int,
        "kept_back": int,
    }
}


def size_against_loss(curve: Sequence[dict[str, Any]]) -> str:
    """Draw top-1 lost, with its interval, or divergence where no labels are known, against thousand bytes."""
    judged = all(point["drop"] for point in curve)
    with Drawing(250) as drawing:
        axes = drawing.axes
        axes.axhline(0, color=GREY, linewidth=1)
        sizes = [point["bytes"] / 1000 for point in curve]
        values = [point["drop"]["drop_pp"] if judged else point["divergence"] for point in curve]
        axes.plot(sizes, values, color=BLUE, linewidth=2, marker="o", markersize=5)
        for size, value, point in zip(sizes, values, curve, strict=True):
            if judged:
                axes.plot([size, size], point["drop"]["interval_pp"], color=BLUE, linewidth=2.5, alpha=0.3)
            if point["chosen"]:
                axes.plot([size], [value], "o", color=ORANGE, markersize=8, label="this pack")
        axes.set_xlabel("thousand bytes")
        axes.set_ylabel("top-1 lost, points" if judged else "divergence, nats")
        axes.legend(loc="upper right", handlelength=1.4, facecolor=CARD, edgecolor="none", framealpha=1)
    return drawing.svg("pack-curve", f"{'Top-1 lost' if judged else 'Divergence'} against bytes of {len(curve)} packs")


def bits_by_layer(layers: Sequence[dict[str, Any]]) -> str:
    """Draw the bytes that each layer's weights take."""
    with Drawing(18 * len(layers) + 46) as drawing:
        axes = drawing.axes
        for place, layer in enumerate(layers):
            size = layer["bits"] * layer["weights"] / 8000
            axes.plot([0, size], [place, place], color=BLUE, linewidth=2.5, alpha=0.4)
            axes.plot([size], [place], "o", color=BLUE, markersize=5)
        name_rows(axes, [layer["name"] for layer in layers])
        axes.set_xlim(left=0)
        axes.set_xlabel("thousand bytes, estimated")
    return drawing.svg("pack-layers", f"Bytes of the weights of {len(layers)} layers")


def _curve_rows(curve: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for point in curve:
        drop = point["drop"]
        low, high = drop["interval_pp"] if drop else (None, None)
        rows.append(
            {
                "bytes": count(point["bytes"]),
                "divergence": f"{point['divergence']:.4f}",
                "agreement": point["agreement"],
                "drop": points(drop["drop_pp"]) if drop else "",
                "low": "" if low is None else points(low),
                "high": "" if high is None else points(high),
                "chosen": point["chosen"],
            }
        )
    return rows


def _beside(report: Values) -> list[dict[str, Any]]:
    """Return the sizes of this pack and of what others make of the same network, largest first."""
    pack = report["pack"]
    rows = [(CODERS.get(name, name), size) for name, size in pack["others"].items()]
    rows.append(("model.sqz", pack["bytes"]))
    if len(report["data"]["classes"]) == 1000:
        rows += PUBLISHED
    return [{"name": name, "bytes": count(size)} for name, size in sorted(rows, key=lambda row: -row[1])]


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    if "pack" not in report:
        return {}
    pack = report["pack"]
    layers = [
        {
            **layer,
            "bytes": count(round(layer["bits"] * layer["weights"] / 8)),
            "weights": count(layer["weights"]),
            "bits": f"{layer['bits']:.2f}",
        }
        for layer in pack["layers"]
    ]
    return {
        "pack": {"curve": _curve_rows(pack["curve"]), "beside": _beside(report), "layers": layers},
        "plots": {"curve": size_against_loss(pack["curve"]), "bits": bits_by_layer(pack["layers"])},
    }


SECTION = Section("pack", "Pack", "pack.html.j2", _context, schema=SCHEMA, needs=lambda report: "pack" in report)
