"""SqueezeNet in numbers: its layers, and published weights for them. No TensorFlow."""
