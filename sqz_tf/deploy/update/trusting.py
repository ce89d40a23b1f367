"""The options by which an app or a page is told whose updates it takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from converters.delta.trust import Trust
from sqz_tf.base.errors import ConfigError, translated
from sqz_tf.deploy.update import keys


def trust_options(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    group = parser.add_argument_group("signed updates (docs/how-to/updates.md)")
    group.add_argument(
        "--update-key", action="append", type=Path, metavar="FILE", help="take updates that this key signed (FILE.pub)"
    )
    group.add_argument("--update-model", metavar="ID", help="of this product alone (default: model)")
    group.add_argument("--update-version", metavar="N", type=int, help="above this version (default: 0)")


def trust_given(arguments: argparse.Namespace) -> Trust | None:
    """Return whose updates are taken; None for nobody's.

    Raises:
      SqzError: a key cannot be read, or no update could be for the product.
    """
    if not arguments.update_key:
        if arguments.update_model is not None or arguments.update_version is not None:
            raise ConfigError("updates have no key", fix="add --update-key release.pem.pub")
        return None
    found = [keys.raw(keys.public_key(path)) for path in arguments.update_key]
    product = "model" if arguments.update_model is None else arguments.update_model
    with translated(ConfigError, "updates cannot be taken"):
        return Trust(found, product, arguments.update_version or 0)
