"""SqueezeNet from images to phones and microcontrollers, proven at every step."""

__version__ = "0.1.0"
