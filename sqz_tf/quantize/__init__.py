"""From a float network to int8: schemes, calibration, rounding, quantization-aware training."""
