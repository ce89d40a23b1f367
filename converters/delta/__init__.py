"""Updates (`.squ`): a signed header, and a result as it is or as its difference from an older one.

`docs/formats/squ.md` is the format, byte by byte. Needs NumPy and the standard library alone; keys are the callers'.
"""

from converters.delta.container import HEADER_BYTES, SIGNED_BYTES, DeltaError, Header, is_update, read_header
from converters.delta.pieces import Piece, image_pieces, plain_piece
from converters.delta.read import apply
from converters.delta.write import delta

__all__ = [
    "HEADER_BYTES",
    "SIGNED_BYTES",
    "DeltaError",
    "Header",
    "Piece",
    "apply",
    "delta",
    "image_pieces",
    "is_update",
    "plain_piece",
    "read_header",
]
