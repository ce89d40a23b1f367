"""Seconds to the first answer of `classify`, and pictures a second: with the model in a worker and without.

    python -m tools.first_answer MODEL.tflite PICTURE

Fresh processes take turns, so that a machine whose speed drifts slows both: quote the difference.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from sqz_tf.runtime import Classifier

RUNS, PICTURES = 10, 300
ONCE = "import sys; from sqz_tf.runtime import Classifier; Classifier(sys.argv[1], isolated={}).classify(sys.argv[2])"


def main(model: str, picture: str) -> None:
    """Print the medians."""
    commands = {
        "classify, in a worker": ["-m", "sqz_tf.classify", model, picture, "--quiet"],
        "Classifier, in a worker": ["-c", ONCE.format(True), model, picture],
        "Classifier, isolated=False": ["-c", ONCE.format(False), model, picture],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            seconds[name].append(_timed(command))
    for name, each in seconds.items():
        print(f"{name:<28}{np.median(each):.3f} s, at best {min(each):.3f} s")
    for isolated in (True, False):
        print(f"isolated={isolated!s:<19}{_rate(Classifier(model, isolated=isolated)):.0f} pictures a second")


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - start


def _rate(classifier: Classifier) -> float:
    """Return how many prepared pictures a second are scored."""
    batch = np.zeros((PICTURES, *classifier.input.shape[1:]), np.uint8)
    start = time.perf_counter()
    classifier.scores(batch)
    return PICTURES / (time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
