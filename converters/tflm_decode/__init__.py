"""TensorFlow Lite Micro's DECODE operator: weights held compressed in a `.tflite`, restored before their layer runs."""
