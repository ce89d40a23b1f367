"""The light runtime: `from sqz_tf.runtime import Classifier`. NumPy, Pillow and one TFLite runtime."""

from sqz_tf.inference.classifier import Answer, Classifier, Picture, Port
from sqz_tf.inference.model_file import ModelError

__all__ = ["Answer", "Classifier", "ModelError", "Picture", "Port"]
