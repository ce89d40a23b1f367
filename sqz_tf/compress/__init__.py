"""Weights in fewer bits: entropy-constrained rounding of an int8 `.tflite`, judged by its divergence from float."""
