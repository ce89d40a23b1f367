"""Where a weight file is: a path, a folder in the environment, a cache, or its publisher's server.

`keras.utils.get_file` would need TensorFlow, writes under the final name before it compares hashes, leaves the file
there when they differ, and has no time limit.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from queue import Empty, Queue

from converters.weights.read import FORMATS
from sqz_tf.base.errors import SqzError, translated

IMAGENET = "imagenet"
FILE_NAME = "compressed_SqueezeNet.net"
SHA256 = "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261"
FILE_BYTES = 675_763
URLS = (
    "https://raw.githubusercontent.com/songhan/SqueezeNet-Deep-Compression/5623e3cdbe1fcd83328c61ce2ee42c34ed319aa3/"
    + FILE_NAME,
    "https://github.com/songhan/SqueezeNet-Deep-Compression/raw/fb13faa/" + FILE_NAME,
)
"""Where Song Han published the file (public GitHub repository, BSD licence); tried in this order."""

FOLDER_VARIABLE = "SQZ_TF_WEIGHTS"
URL_VARIABLE = "SQZ_TF_WEIGHTS_URL"
TIMEOUT_S = 30.0  # without a byte
DEADLINE_S = 600.0  # for everything: names, connections, headers and the whole file, from all addresses
_BLOCK = 1 << 16
_ELSEWHERE = "set XDG_CACHE_HOME to a folder that can be written"


class WeightsError(SqzError):
    """A weight file cannot be had, is damaged, or belongs to another network."""


def find(source: str, *, cache: Path | None = None) -> Path:
    """Return the path of a weight file; `imagenet` is downloaded once.

    `imagenet` is looked for as `compressed_SqueezeNet.net` in the folder SQZ_TF_WEIGHTS, then in the cache, then
    downloaded into it; its SHA-256 is checked each time. SQZ_TF_WEIGHTS_URL names another place to download from.

    Args:
      source: `imagenet` or a path.
      cache: folder for the download; by default `sqz-tf` in XDG_CACHE_HOME or ~/.cache.

    Raises:
      WeightsError: no such file, another file than the published one, or the download failed.
    """
    if source != IMAGENET:
        return _existing(Path(source))
    given = _given_folder()
    if given is not None:
        return given
    folder = cache or _cache()
    path = folder / FILE_NAME
    if path.is_file() and _digest(path) == SHA256:
        return path
    return _download(path)


def _cache() -> Path:
    with translated(WeightsError, "there is no home directory", fix=_ELSEWHERE, of=(RuntimeError,)):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sqz-tf"


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    what = f"{path} is a folder" if path.is_dir() else f"there is no weight file {path}"
    raise WeightsError(what, expected=f"`{IMAGENET}` or a file ending in {', '.join(FORMATS)}")


def _given_folder() -> Path | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    path = Path(folder or "") / FILE_NAME
    if not folder or not path.is_file():
        return None
    received = _digest(path)
    if received != SHA256:
        raise WeightsError(
            f"{path} has SHA-256 {received}", expected=SHA256, fix=f"replace it, or unset {FOLDER_VARIABLE}"
        )
    return path


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror})") from error


def _download(path: Path) -> Path:
    """Download to a temporary file, check it, and only then give it its name."""
    urls = (os.environ[URL_VARIABLE],) if os.environ.get(URL_VARIABLE) else URLS
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
            part = Path(folder) / FILE_NAME
            _fetch_any(urls, part)
            os.replace(part, path)
    except OSError as error:
        raise WeightsError(f"{path.parent} cannot be written ({error.strerror or error})", fix=_ELSEWHERE) from error
    return path


def _fetch_any(urls: tuple[str, ...], part: Path) -> None:
    faults, until = [], time.monotonic() + DEADLINE_S
    for url in urls:
        fault = _fetch(url, part, until)
        if not fault:
            return
        faults.append(f"{url}: {fault}")
    raise WeightsError(
        f"{FILE_NAME} cannot be downloaded ({'; '.join(faults)})",
        expected=f"{FILE_BYTES:,} bytes with SHA-256 {SHA256}",
        fix=f"try again, or set {FOLDER_VARIABLE} to a folder that holds the file",
    )


def _fetch(url: str, part: Path, until: float) -> str:
    """Download one address; return what went wrong, or nothing."""
    data = _within(until, partial(_get, url, until))
    if isinstance(data, str):
        return data
    received = hashlib.sha256(data).hexdigest()
    if len(data) != FILE_BYTES or received != SHA256:
        more = "at least " if len(data) > FILE_BYTES else ""
        return f"received {more}{len(data):,} bytes with SHA-256 {received}"
    part.write_bytes(data)
    return ""


def _within(until: float, work: Callable[[], bytes | str]) -> bytes | str:
    """Wait for `work` in a thread of its own, and give it up in time: a server can be slow before any byte is read."""
    result: Queue[bytes | str] = Queue()
    threading.Thread(target=lambda: result.put(work()), daemon=True).start()
    try:
        return result.get(timeout=max(0.0, until - time.monotonic()))
    except Empty:
        return _late()


def _late() -> str:
    return f"not complete after {DEADLINE_S:g} seconds"


def _get(url: str, until: float) -> bytes | str:
    """Return at most one block more than the file has, or what went wrong."""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "sqz-tf"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            return _receive(reply, until)
    except (OSError, ValueError, HTTPException) as error:
        return str(getattr(error, "reason", "") or error) or type(error).__name__


def _receive(reply: HTTPResponse, until: float) -> bytes | str:
    data = bytearray()
    while len(data) <= FILE_BYTES and (block := reply.read1(_BLOCK)):
        data += block
        if time.monotonic() > until:
            return _late()
    return bytes(data)
