"""What a pixel is to a network; what its byte means to a quantized one is `converters.tflite.pixels`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from converters.tflite.pixels import CENTRE


def to_int8(pixels: np.ndarray) -> np.ndarray:
    """Return the int8 network input, `pixel ^ 0x80` read as int8 (pixel - 128): same shape."""
    return (pixels ^ CENTRE).view(np.int8)


Range = tuple[float, float]


@dataclass(frozen=True)
class Pixels:
    """What number the network sees for a pixel 0…255: `pixel * scale + offset`."""

    scale: float
    offset: float = 0.0

    @property
    def range(self) -> Range:
        """The numbers for pixels 0 and 255."""
        return self.offset, 255.0 * self.scale + self.offset

    @property
    def gain(self) -> float:
        """The power of two that brings the numbers into −1…1: the size of the weights that read them."""
        return 2.0 ** -math.floor(math.log2(max(map(abs, self.range))))

    def numbers(self, images: np.ndarray) -> np.ndarray:
        """Return uint8 pictures as float32."""
        return images.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)


CENTRED = Pixels(1.0, -float(CENTRE))
