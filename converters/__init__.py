"""File formats in, file formats out: weights, `.tflite`, C.

Knows no SqueezeNet, no data set and no threshold; the same input bytes give the same output bytes.
Never imports `sqz_tf`. Raises `ValueError` for input it cannot convert.
"""
