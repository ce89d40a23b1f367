"""`.tflite` files: read, written, edited, made from Keras models."""
