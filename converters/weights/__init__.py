"""Weight files to named convolution kernels: one module a format, `read.read_weights` in front.

No framework is needed and nothing in a file is ever executed. Which network the names belong to is the caller's
knowledge: `names.map_layers` takes the layouts as data.
"""
