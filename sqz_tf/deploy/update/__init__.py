"""Updates of deployed models: keys, images, what is signed. `converters.delta` is the format."""
