"""Train one network in several replicas by `tf.distribute`: on the processors of a machine, or of several machines.

Every step computes what one process would compute from the same batch: each replica takes its rows of it, batch
normalisation is over all rows, dropout and augmentation draw for the whole batch and keep their rows. So results differ
by the rounding of sums alone. The network that a caller holds stays an ordinary one: a copy is trained in its place.

One process uses `ALONE`, whose every method does what was done before there were others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.errors import ConfigError, first_line
from sqz_tf.train.batches import WHOLE, Examples, Part, evaluation_batches, labelled, signature
from sqz_tf.train.keras import tf
from sqz_tf.train.meeting import Meeting, PeerLost
from sqz_tf.train.squeezenet import copy_model

JUDGED_AT_ONCE = 256
BARRIER_SECONDS = 60.0
MISSED_SECONDS = 40.0  # in which the connection to a peer that is gone ends, see `meeting.KEEPALIVE`
BROKEN = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.CancelledError,
)  # what TensorFlow says when a peer is lost
DOUBTFUL = (tf.errors.InternalError, tf.errors.UnknownError)  # what it says then, too, and of errors of one's own

Build = Callable[[], Any]


class Alone:
    """One process with one replica."""

    replicas = 1
    is_chief = True
    meeting: Meeting | None = None

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which variables are everyone's."""
        return nullcontext()

    def watching(self) -> AbstractContextManager[Any]:
        """Return a context in which the loss of a peer is a `PeerLost`."""
        return nullcontext()

    def copied(self, model: Any, build: Build | None, folder: Path) -> Any:
        """Return the model to train in place of `model`, with its weights and with its frozen layers.

        Args:
          build: makes another of its structure; by default it is copied.
          folder: what an interrupted training left; becomes the chief's.
        """
        return model

    def batches(self, make: Callable[[Part], Any]) -> Any:
        """Return what Keras trains on; `make` gives a part of each batch."""
        return make(WHOLE)

    def judged(self, examples: Examples) -> dict[str, Any]:
        """Return what Keras judges on, as the arguments `x` and `steps` of `Model.evaluate`."""
        return {"x": evaluation_batches(examples), "steps": None}

    def follow(self, folder: Path) -> None:
        """Make a folder's files the chief's."""


ALONE = Alone()


class Together(Alone):
    """Several replicas, on one machine or on several.

    Args:
      strategy: of `tf.distribute`, made before TensorFlow computed anything.
      meeting: the connections to the other machines; None where there are none.
    """

    def __init__(self, strategy: Any, meeting: Meeting | None = None) -> None:
        self.strategy, self.meeting = strategy, meeting
        self.replicas = int(strategy.num_replicas_in_sync)
        self.is_chief = meeting is None or meeting.cluster.is_chief

    def scope(self) -> AbstractContextManager[Any]:
        """Return the strategy's scope."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Turn what TensorFlow says of a lost peer into a `PeerLost`."""
        if self.meeting is None:
            yield
            return
        with _watching(self.meeting):
            yield

    def copied(self, model: Any, build: Build | None, folder: Path) -> Any:
        """Return a copy in all replicas, which starts from the chief's weights."""
        self._agree(model, folder)
        with self.scope():
            copy = build() if build else copy_model(model)
            copy.set_weights(model.get_weights())
        for layer, own in zip(model.layers, copy.layers, strict=True):
            own.trainable = layer.trainable
        return copy

    def batches(self, make: Callable[[Part], Any]) -> Any:
        """Return a distributed data set of each replica's rows."""
        return self._distributed(make)

    def judged(self, examples: Examples) -> dict[str, Any]:
        """Return a distributed data set in which each picture is once, and how many steps it has.

        Raises:
          ConfigError: there are fewer pictures than replicas.
        """
        if len(examples) < self.replicas:
            raise ConfigError(
                f"{self.replicas} replicas would judge {len(examples)} pictures", expected="one each at least"
            )
        steps = -(-len(examples) // (self.replicas * max(1, JUDGED_AT_ONCE // self.replicas)))
        return {"x": self._distributed(lambda part: _judged(examples, part, steps)), "steps": steps}

    def follow(self, folder: Path) -> None:
        """Let the chief send a folder's files, and the workers take them."""
        if self.meeting is None:
            return
        if self.is_chief:
            self.meeting.send_files(folder)
        else:
            self.meeting.receive_files(folder, self.meeting.hear()["files"])

    def _agree(self, model: Any, folder: Path) -> None:
        """Give an ordinary model the chief's weights: processors of two kinds may draw or calibrate otherwise."""
        if self.meeting is None:
            return
        start = folder / "start.npz"
        if self.is_chief:
            np.savez(start, *model.get_weights())
        self.follow(folder)
        if not self.is_chief:
            with np.load(start) as weights:
                model.set_weights([weights[name] for name in weights.files])
        start.unlink()

    def _distributed(self, make: Callable[[Part], Any]) -> Any:
        """Return a distributed data set in which every replica's element is of its own part of the same step."""

        def local(context: Any) -> Any:
            each = self.replicas // context.num_input_pipelines
            first = context.input_pipeline_id * each
            parts = [make(Part(first + own, self.replicas)) for own in range(each)]
            return tf.data.Dataset.choose_from_datasets(parts, tf.data.Dataset.range(each).repeat())

        return self.strategy.distribute_datasets_from_function(local)


def _judged(examples: Examples, part: Part, steps: int) -> Any:
    """Return so many batches of a replica's pictures: (float32 [B, H, W, C], one-hot float32 [B, classes])."""
    own = examples.index[part.rows(len(examples))]

    def chunks() -> Any:
        for chosen in np.array_split(own, steps):
            yield labelled(examples, chosen)

    return tf.data.Dataset.from_generator(chunks, output_signature=signature(examples)).prefetch(2)


@contextmanager
def _watching(meeting: Meeting) -> Iterator[None]:
    try:
        yield
    except (*BROKEN, *DOUBTFUL) as error:
        if isinstance(error, DOUBTFUL) and not meeting.misses_one(MISSED_SECONDS):
            raise
        lines = [line for line in str(error).splitlines() if "aborted by" in line]
        raise PeerLost(
            f"another process of the cluster went away ({(lines or [first_line(error)])[0]:.200})"
        ) from error


def mirrored() -> Together:
    """Return what trains on all GPUs of this machine.

    Raises:
      ConfigError: there is one processor only.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ConfigError(
            f"--distribute mirrored finds one processor, {devices[0].name}",
            expected="two GPUs or more in this machine",
            fix="leave it out; TensorFlow uses all cores of a CPU as it is",
        )
    os.environ.pop("TF_CONFIG", None)  # TensorFlow would look for other machines
    return Together(tf.distribute.MirroredStrategy([device.name for device in devices]))


def joined(meeting: Meeting) -> Together:
    """Return what trains on the machines that have met, which must have set TF_CONFIG.

    Raises:
      PeerLost: one of them went away meanwhile.
    """
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=BARRIER_SECONDS)
    with _watching(meeting):
        together = Together(tf.distribute.MultiWorkerMirroredStrategy(), meeting)
        together.strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones([]), options))
    return together
