"""SqueezeNet from images to phones and microcontrollers, proven at every step."""

import os
import sys

__version__ = "0.1.0"


def _leave_current_folder() -> None:
    """Take the current folder off the path under `python -m sqz_tf.COMMAND`: a `numpy.py` there would be imported.

    It stays where this package itself comes from it, as in a checkout. A program of a person's own that imports this
    package keeps its path: `-m` is what Python calls itself only while it looks for the module to run.
    """
    if sys.argv[:1] != ["-m"]:
        return
    current = os.path.realpath(os.curdir)
    if current != os.path.dirname(os.path.dirname(os.path.realpath(__file__))):
        sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != current]


_leave_current_folder()
