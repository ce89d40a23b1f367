"""Models that come with the kit, by name: `python -m sqz_tf.classify digits seven.png`.

A checkout has them in the folder models; a wheel carries it inside this package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INT8 = "model_int8.tflite"


def shipped_names() -> list[str]:
    """Return the names of the models that come with the kit."""
    folders = [path.parent for root in _roots() for path in root.glob(f"*/{_INT8}")]
    return sorted({folder.name for folder in folders})


def shipped_folder(given: str) -> Path:
    """Return the folder of a model that comes with the kit, or the path itself if a model is there or no such name.

    A folder of that name without a model, such as one of pictures, hides nothing.
    """
    path = Path(given)
    if given not in shipped_names():  # asked first: a path may be too long to ask about
        return path
    if path.is_file() or (path / _INT8).exists():
        return path
    return next(root / given for root in _roots() if (root / given / _INT8).is_file())


def shipped_model(given: str) -> Path:
    """Return the int8 model of a name as `shipped_folder` does; for argparse's `type`."""
    folder = shipped_folder(given)
    return folder if folder == Path(given) else folder / _INT8


def _roots() -> list[Path]:
    return [folder for folder in (_PACKAGE.parent / "models", _PACKAGE / "models") if folder.is_dir()]
