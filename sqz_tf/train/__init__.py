"""SqueezeNet in Keras: built, fitted, pruned. TensorFlow from here on."""
