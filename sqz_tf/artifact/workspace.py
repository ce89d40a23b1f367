"""The output folder: written whole or not at all, described by its manifest, resumable while in the making.

Beside `OUT` a run owns `OUT.work`: one folder per finished stage, the lock, and the folder being assembled.
All changes of state are renames on one file system, so a run killed at any moment leaves the old state or the
new one. Nothing here knows what the stages compute. The layout is specified in docs/formats/output-folder.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqz_tf.artifact.disk import (
    LOCK,
    NEED_BYTES,
    REJECTED,
    TRASH,
    WORK,
    beside,
    bytes_in,
    discard,
    disk_errors,
    disk_full,
    foreign_work,
    is_work,
    make_parents,
    remove_empty,
    require_place,
    require_short_name,
    take_lock,
)
from sqz_tf.artifact.manifest import (
    MANIFEST,
    described,
    differences,
    is_output,
    read_json,
    verify_manifest,
    write_json,
)
from sqz_tf.base.errors import OutputError
from sqz_tf.base.paths import absolute

Build = Callable[[Path], None]
KEY_SHOWN = 12  # characters of a stage's key in its folder's name
STAGE_NAME = re.compile(r"[a-z_]+")
STAGE_FOLDER = re.compile(rf"({STAGE_NAME.pattern})-[0-9a-f]{{{KEY_SHOWN}}}(?:\.tmp)?")
ASSEMBLED, REPLACED = "publish.tmp", "replaced"
STARTED, DONE = "started.json", "done.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """A finished stage: its key covers everything its files depend on."""

    name: str
    key: str
    folder: Path


class Workspace:
    """Own `OUT.work` for one run and put the result at `OUT`.

    Args:
      out: the output folder to make; missing parents are created.
      overwrite: replace an existing output folder of this kit; a foreign folder is always refused.
      resume: reuse the finished stages of an earlier run; otherwise they are thrown away.
      need_bytes: free disk space to ask for before starting.
      note: called with one line whenever a stage is reused or taken up again.

    Attributes:
      seconds: stage name → seconds it took, of this run or of the one it was resumed from.
      resumed: names of the stages reused whole.

    Raises:
      OutputError: `out` cannot be written, another run is using it, or the disk is full.
    """

    def __init__(
        self,
        out: Path,
        overwrite: bool = False,
        resume: bool = True,
        *,
        need_bytes: int = NEED_BYTES,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.out = absolute(out)
        self.work = beside(self.out, WORK)
        self.rejected = beside(self.out, REJECTED)
        self.overwrite, self.resume, self.need_bytes, self.note = overwrite, resume, need_bytes, note
        self.seconds: dict[str, float] = {}
        self.resumed: list[str] = []
        self._lock: int | None = None
        self._created: list[Path] = []

    def __enter__(self) -> Workspace:
        """Check everything that can be checked before work is done, and take the lock."""
        try:
            with disk_errors(self.out, self.need_bytes):
                self.check()
                self._created = make_parents(self.out.parent)
                self.require_space(self.need_bytes)
                self._lock = take_lock(self.work)
                self._recover()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock; leave no empty work folder behind."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            if self.work.is_dir() and set(os.listdir(self.work)) == {LOCK}:
                shutil.rmtree(self.work, ignore_errors=True)
            os.close(self._lock)
            self._lock = None
        remove_empty(self._created)

    def stage(
        self,
        name: str,
        config: Any,
        build: Build,
        *,
        needs: Sequence[Stage] = (),
        resumable: bool = False,
        reuse: bool = True,
    ) -> Stage:
        """Return a finished stage, building it unless an earlier run did with the same key.

        Stages form a graph: the key of one covers its own configuration and the keys of the stages it needs, nothing
        else, so that it outlives changes elsewhere. Its folder is named by the key; before one is built, those of its
        name with other keys are discarded. `build` fills an empty folder, which becomes the stage's folder in one
        rename when it returns. With `resumable` the folder already holds what an interrupted attempt with the same key
        left there, and the build takes up from it. `done.json` and `started.json` are the workspace's own names.

        Args:
          name: unique in the run, of lower-case letters and underlines: by it the folder is known for a stage's.
          config: what the result depends on besides `needs`, plain JSON values.
          build: writes the stage's files into the folder given; an exception abandons the stage.
          needs: finished stages of this run that the build reads.
          resumable: whether the build can take up its own half-finished files.
          reuse: whether a finished stage is taken as it is; otherwise it is built again.
        """
        if not STAGE_NAME.fullmatch(name):
            raise ValueError(f"a stage is named {name}; expected lower-case letters and underlines")
        if name in self.seconds:
            raise ValueError(f"a stage named {name} has been run already")
        key = stage_key(name, config, [need.key for need in needs])
        stage = Stage(name, key, self.work / f"{name}-{key[:KEY_SHOWN]}")
        with disk_errors(self.out, self.need_bytes):
            seconds = self._finished(stage) if reuse else None
        if seconds is not None:
            self.resumed.append(name)
            self.seconds[name] = seconds
            self.note(f"{name}: taken from the earlier run")
            return stage
        with disk_errors(self.out, self.need_bytes):
            self.seconds[name] = self._build(stage, build, resumable)
        return stage

    def _finished(self, stage: Stage) -> float | None:
        """Return the seconds a stage took that is there and whole, else None; a damaged one is told of."""
        done = read_json(stage.folder / DONE)
        if done.get("key") != stage.key:
            return None
        wrong = differences(done.get("files"), stage.folder, {DONE})
        if wrong or not isinstance(done.get("seconds"), (int, float)):
            self.note(f"{stage.name}: damaged ({(wrong or [f'{DONE} is not whole'])[0]}), built again")
            return None
        return float(done["seconds"])

    def _build(self, stage: Stage, build: Build, resumable: bool) -> float:
        """Build a stage and return the seconds of all its attempts."""
        attempt = stage.folder.with_name(stage.folder.name + ".tmp")
        spent = _seconds_kept(attempt, stage.key) if resumable else None
        kept = None if spent is None else attempt.name
        self._discard(lambda name: _stage_of(name) == stage.name and name != kept)
        if spent is not None:
            self.note(f"{stage.name}: taken up after {spent:.0f} s of an interrupted run")
        return _build_stage(attempt, stage.folder, stage.key, build, spent or 0.0, resumable)

    def assemble(self, build: Callable[[Path], T]) -> tuple[Path, T]:
        """Return a fresh folder filled by `build`, to be given to `publish` or `reject`, and what `build` returned."""
        folder = self.work / ASSEMBLED
        with disk_errors(self.out, self.need_bytes):
            discard(folder, self.work)
            folder.mkdir()
            return folder, build(folder)

    def publish(self) -> Path:
        """Make the assembled folder `OUT` in one rename, remove `OUT.work` and our `OUT.rejected`, return `OUT`."""
        assembled, replaced = self.work / ASSEMBLED, self.work / REPLACED
        with disk_errors(self.out, self.need_bytes):
            self._check_out()
            if self.out.exists():
                os.rename(self.out, replaced)
            try:
                os.rename(assembled, self.out)
            except OSError:
                self._restore()
                raise
        with suppress(OSError):  # the result is in place; a later run removes what is left
            if is_output(self.rejected) and not verify_manifest(self.rejected):  # of an attempt that this replaces
                discard(self.rejected, self.work)
            self._discard(lambda name: True)
        return self.out

    def clear(self) -> None:
        """Remove every stage: what they were for is written elsewhere."""
        with disk_errors(self.out, self.need_bytes):
            self._discard(lambda name: True)

    def reject(self) -> Path:
        """Keep the assembled folder as `OUT.rejected` and return that; `OUT` and `OUT.work` stay."""
        with disk_errors(self.out, self.need_bytes):
            self._check_rejected()
            if self.rejected.exists():
                discard(self.rejected, self.work)
            os.rename(self.work / ASSEMBLED, self.rejected)
        return self.rejected

    def require_space(self, need_bytes: int) -> None:
        """Make sure that there is so much disk space beside `out`, free or taken by what earlier runs left.

        Raises:
          OutputError: there is less.
        """
        if shutil.disk_usage(self.out.parent).free + bytes_in(self.work) < need_bytes:
            raise disk_full(self.out, need_bytes)

    def check(self) -> None:
        """Check all that can be told without writing anything.

        Raises:
          OutputError: the result could not be put at `out`.
        """
        require_short_name(self.out)
        require_place(self.out)
        if os.path.ismount(self.out):
            raise OutputError(f"--out {self.out} is a mount point", fix=f"use a folder in it: --out {self.out}/result")
        self._check_out()
        self._check_rejected()
        if os.path.lexists(self.work) and not is_work(self.work):
            raise foreign_work(self.work)

    def _check_out(self) -> None:
        if self.out.is_symlink():  # resolved as far as it leads: the rest is a circle
            raise OutputError(f"--out {self.out} is a link that leads back to itself", fix="choose another --out")
        if not self.out.exists():
            return
        if not self.out.is_dir():
            raise OutputError(f"--out {self.out} is a file", expected="a folder to create", fix="choose another --out")
        empty = not any(self.out.iterdir())
        if not self.overwrite:
            raise OutputError(f"--out {self.out} exists", fix="choose another --out or add --overwrite to replace it")
        if not empty:
            _refuse_foreign(self.out, "--overwrite replaces what an export wrote, and nothing else")

    def _check_rejected(self) -> None:
        if os.path.lexists(self.rejected):
            _refuse_foreign(self.rejected, "a result that fails its gate would replace it")

    def _recover(self) -> None:
        """Undo what a killed run left between two renames, and clear the work if it is not to be resumed."""
        self._restore()
        self._check_out()  # once more, for what has just been restored
        self._discard(lambda name: name.startswith(TRASH) or not self.resume)

    def _restore(self) -> None:
        replaced = self.work / REPLACED
        if not replaced.exists():
            return
        if self.out.is_dir() and not any(self.out.iterdir()):
            self.out.rmdir()  # made since: not a result
        if self.out.exists():
            discard(replaced, self.work)
        else:
            os.rename(replaced, self.out)

    def _discard(self, unwanted: Callable[[str], bool]) -> None:
        """Remove entries of ours; what somebody else put into the work folder stays."""
        for entry in sorted(self.work.iterdir()):
            if _is_ours(entry.name) and unwanted(entry.name):
                discard(entry, self.work)


def _refuse_foreign(folder: Path, why: str) -> None:
    """Raise unless a folder holds what an export wrote, as it wrote it, and nothing that a person added or changed."""
    if folder.is_symlink() or not is_output(folder):
        raise OutputError(
            f"{folder} exists and was not written by this kit",
            expected=f"a folder with our {MANIFEST}",
            fix=f"move it away or choose another --out: {why}",
        )
    added = [line for line in verify_manifest(folder) if not line.endswith(" is missing")]
    if added:
        raise OutputError(
            f"{folder} also holds what a person may want: {'; '.join(added[:3])}",
            fix=f"move it away or choose another --out: {why}",
        )


def _stage_of(name: str) -> str | None:
    """Return the name of the stage whose folder, or unfinished folder, is called so."""
    found = STAGE_FOLDER.fullmatch(name)
    return found[1] if found else None


def _is_ours(name: str) -> bool:
    return name in (ASSEMBLED, REPLACED) or name.startswith(TRASH) or _stage_of(name) is not None


def stage_key(*parts: Any) -> str:
    """Return the sha256 (hex) of plain JSON values: a stage's config and the keys of the stages before it."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _seconds_kept(attempt: Path, key: str) -> float | None:
    """Return the seconds of work an interrupted attempt with the same key left, or None if there is none.

    Counted from its start to its newest file, since a killed process writes no time.
    """
    started = read_json(attempt / STARTED)
    if started.get("key") != key:
        return None
    start = (attempt / STARTED).stat().st_mtime
    newest = max(path.stat().st_mtime for path in attempt.rglob("*"))
    return float(started["seconds"]) + max(0.0, newest - start)


def _build_stage(attempt: Path, folder: Path, key: str, build: Build, spent: float, resumable: bool) -> float:
    """Run a build in `attempt`, rename it to `folder` and return the seconds of all its attempts."""
    attempt.mkdir(exist_ok=True)
    write_json(attempt / STARTED, {"key": key, "seconds": spent})
    start = time.monotonic()
    try:
        build(attempt)
    except BaseException:
        if not resumable:
            shutil.rmtree(attempt, ignore_errors=True)
        raise
    seconds = spent + time.monotonic() - start
    (attempt / STARTED).unlink()
    done = {"key": key, "seconds": round(seconds, 3), "files": described(attempt, {DONE})}
    write_json(attempt / DONE, done)
    os.rename(attempt, folder)
    return round(seconds, 3)
