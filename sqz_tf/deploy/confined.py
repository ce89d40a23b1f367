"""Run a program that may read the system's libraries and use one folder, and no other file (Linux's Landlock).

A plain file, started as a script: what it gives up it cannot have back.

    python -I confined.py FOLDER PROGRAM [ARGUMENT...]

Where the kernel knows no Landlock (before Linux 5.13, other systems) the program runs as any other.
"""

from __future__ import annotations

import ctypes
import os
import sys

CREATE, ADD, RESTRICT = 444, 445, 446  # the system calls, whose numbers all architectures share
QUERY_VERSION, PATH_BENEATH, NO_NEW_PRIVILEGES = 1, 1, 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ_ONLY = EXECUTE | READ_FILE | READ_DIR
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
# By version: what can be forbidden of files (links and renames, truncation, device control came later), and of TCP.
FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
TCP, LATEST = 3, 16
SYSTEM = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/share/qemu",
    "/usr/local/lib",
)
FILES = ("/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr, of its fourth version."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Return the version of the kernel's Landlock; 0: it has none."""
    if sys.platform != "linux":
        return 0
    found: int = ctypes.CDLL(None).syscall(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(QUERY_VERSION))
    return max(found, 0)


def confine(folder: str, program: str, known: int) -> None:
    """Give up every file but those below `folder`, the program and the system's libraries; TCP, too.

    Raises:
      OSError: the kernel refuses.
    """
    system = ctypes.CDLL(None, use_errno=True)
    handled = (1 << FILE_BITS.get(known, LATEST)) - 1
    rules = Ruleset(handled, TCP if known >= 4 else 0)
    size = ctypes.sizeof(rules) if known >= 4 else ctypes.sizeof(ctypes.c_uint64)
    ruleset = _done(system.syscall(CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    allowed = {folder: handled, program: EXECUTE | READ_FILE, "/dev/null": READ_FILE | WRITE_FILE}
    for path in (*SYSTEM, *FILES):
        allowed.setdefault(path, READ_ONLY)
    for path, rights in allowed.items():
        if os.path.exists(path):
            _allow(system, ruleset, path, rights & handled)
    _done(system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _done(system.syscall(RESTRICT, ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)


def _allow(system: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = Beneath(rights if os.path.isdir(path) else rights & FILE_RIGHTS, place)
    _done(system.syscall(ADD, ruleset, PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0)))
    os.close(place)


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def main(argv: list[str]) -> None:
    """Become the program."""
    folder, program, *arguments = argv
    if known := version():
        confine(folder, program, known)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
