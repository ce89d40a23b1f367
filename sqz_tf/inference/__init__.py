"""Running a `.tflite`: the classifier, every interpreter, and the compiled C on this machine."""
