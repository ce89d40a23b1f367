"""What a disk does to a program: it is full, refuses, is shared with another run, or stops half-way.

Used by `artifact` alone. Every failure becomes an `OutputError` that names the place and what is needed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqz_tf.base.errors import OutputError

NEED_BYTES = 50 * 2**20  # a default run on small pictures: checkpoints, stages and the result
WORK, REJECTED = ".work", ".rejected"  # appended to the name of the output folder
LOCK = "lock"
MAGIC = "sqz-tf work folder\n"  # what the lock begins with: nothing else makes a folder ours
TRASH = "trash-"  # a folder on its way out; a later run removes what a killed one left
REFUSALS = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EBUSY,
    errno.EXDEV,
    errno.EIO,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ELOOP,
)


@contextmanager
def disk_errors(out: Path, need_bytes: int = NEED_BYTES) -> Iterator[None]:
    """Turn a full disk, or a refusal to write in or beside `out`, into an `OutputError` that says so."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        if _is_full(error):
            raise disk_full(out, need_bytes) from error
        if isinstance(error, OSError) and error.errno in REFUSALS and _concerns(error, out):
            raise _refused(error.filename or out, error) from error
        raise


def _is_full(error: Exception) -> bool:
    """Say whether the disk is full; TensorFlow and HDF5 pass that on as text."""
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)


def disk_full(out: Path, need_bytes: int) -> OutputError:
    """Return the error that says how much is free beside `out` and how much is needed."""
    there = next(parent for parent in out.parents if parent.exists())
    free = shutil.disk_usage(there).free
    return OutputError(
        f"the disk is full: {free / 2**20:.0f} MiB are free at {there}",
        expected=f"about {need_bytes / 2**20:.0f} MiB",
        fix="free some and run the same command again, finished stages are kept",
    )


def _refused(path: Any, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {os.fsdecode(path)} ({error.strerror or error})",
        expected="a place this user may write to",
        fix="choose another --out or change its permissions",
    )


def _concerns(error: OSError, out: Path) -> bool:
    """Say whether an OSError is about the output's own files, not about what a build reads."""
    if error.filename is None:
        return True
    path = Path(os.fsdecode(error.filename)).absolute()
    own = (out, beside(out, WORK), beside(out, REJECTED))
    return any(path.is_relative_to(folder) for folder in own)


def beside(path: Path, suffix: str) -> Path:
    """Return the sibling of `path` whose name has `suffix` appended."""
    if not path.name:
        raise OutputError(f"--out {path} is the root of all folders", expected="a folder to create")
    return path.with_name(path.name + suffix)


def require_short_name(out: Path) -> None:
    """Make sure that all that stands beside `out` while it is made can be called by its name.

    Raises:
      OutputError: the longest of these names is too long for the file system.
    """
    there = next(parent for parent in out.parents if parent.exists())
    longest, most = beside(out, REJECTED).name, os.pathconf(there, "PC_NAME_MAX")
    if len(os.fsencode(longest)) > most:
        raise OutputError(
            f"--out has a name of {len(os.fsencode(out.name))} bytes",
            expected=f"at most {most - len(REJECTED)}: {REJECTED} must fit behind it",
            fix="choose a shorter one",
        )


def require_place(out: Path) -> None:
    """Make sure that something can be made where `out` shall be, as far as that can be told without trying.

    Raises:
      OutputError: what is there already is no folder, or not this user's to write in.
    """
    there = next(parent for parent in out.parents if os.path.lexists(parent))
    if not there.is_dir():
        raise _refused(out, NotADirectoryError(errno.ENOTDIR, f"{there} is no folder"))
    if not os.access(there, os.W_OK | os.X_OK):
        raise _refused(out, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def bytes_in(folder: Path) -> int:
    """Return what the files in a folder take, 0 if there is none; links are not followed.

    Another process may be at work in it: what vanishes meanwhile takes nothing.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def make_parents(folder: Path) -> list[Path]:
    """Create missing parents; return those created, innermost first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
    except OSError as error:
        raise _refused(error.filename or folder, error) from error
    return missing


def remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, until one is in use."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def take_lock(work: Path) -> int:
    """Create the work folder, lock it for this process and return the open lock file."""
    while True:
        work.mkdir(exist_ok=True)
        try:
            lock = os.open(work / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except FileNotFoundError:  # a finishing run removed the folder just now
            continue
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR):
                raise
            raise foreign_work(work) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 64).decode(errors="replace").removeprefix(MAGIC).strip()
            os.close(lock)
            raise OutputError(
                f"another run (process {holder or 'unknown'}) is writing {work}",
                fix="wait for it to end or choose another --out",
            ) from None
        if _same_file(lock, work / LOCK):
            if os.fstat(lock).st_size and not _is_marker(lock):
                os.close(lock)
                raise foreign_work(work)
            os.truncate(lock, 0)
            os.pwrite(lock, f"{MAGIC}{os.getpid()}\n".encode(), 0)
            return lock
        os.close(lock)


def is_work(work: Path) -> bool:
    """Say whether a folder is a work folder of this kit, by its lock's content, or is empty."""
    if work.is_symlink() or not work.is_dir():
        return False
    try:
        lock = os.open(work / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return not any(work.iterdir())
    except OSError:
        return False
    try:
        found = os.fstat(lock)
        return stat.S_ISREG(found.st_mode) and (found.st_size == 0 or _is_marker(lock))
    finally:
        os.close(lock)


def foreign_work(work: Path) -> OutputError:
    """Return the error for a work folder that is not ours."""
    return OutputError(
        f"{work} exists and is not a work folder of this kit",
        expected=f"its file {LOCK} to begin with {MAGIC.strip()!r}",
        fix="move it away or choose another --out",
    )


def _is_marker(lock: int) -> bool:
    return os.pread(lock, len(MAGIC), 0) == MAGIC.encode()


def _same_file(descriptor: int, path: Path) -> bool:
    """Say whether the locked file is still the one others would lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def discard(folder: Path, trash_in: Path) -> None:
    """Remove a folder or a link to one; renamed first so that a kill half-way leaves nothing that looks whole."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
        return
    trash = folder
    if not folder.name.startswith(TRASH):
        trash = trash_in / f"{TRASH}{folder.name}"
        shutil.rmtree(trash, ignore_errors=True)
        os.rename(folder, trash)
    shutil.rmtree(trash)
