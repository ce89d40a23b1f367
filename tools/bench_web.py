"""One inference in a browser: the page's program beside LiteRT.js (XNNPACK in WebAssembly), in one page, taking turns.

`npm install --prefix build/litertjs @litertjs/core`, then `python -m tools.bench_web MODEL.tflite…` prints milliseconds
in one thread and their ratio. It takes Chromium and its driver.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.deploy.web.program import Program, build
from sqz_tf.deploy.web.toolchain import find
from tests.helpers.browser import chromium, until
from tests.helpers.needs import ROOT

PACKAGES = ROOT / "build" / "litertjs" / "node_modules" / "@litertjs"
TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"}
UINT8 = '    dtype: "uint8",'
INT8 = f"""\
    dtype: "int8",
    typedArrayConstructor: Int8Array,
    elementType: ElementType.INT8
  }},
  {{
{UINT8}"""
"""What LiteRT.js lacks to take int8."""
ROUNDS, SPAN = 41, 15  # rounds, and milliseconds of each
PATIENCE = 600  # seconds


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help="int8 .tflite")
    models = parser.parse_args(argv).models
    if not PACKAGES.is_dir():
        parser.error(f"{PACKAGES} is not there: npm install --prefix build/litertjs @litertjs/core")
    print(f"{'model':<40}LiteRT.js  ours  ratio")
    with chromium() as driver:
        driver.set_script_timeout(PATIENCE)
        for model in models:
            theirs, ours = _measured(driver, model.read_bytes())
            print(f"{str(model)[-38:]:<40}{theirs:9.3f}{ours:7.3f}{ours / theirs:6.2f}", flush=True)
    return 0


def _measured(driver: Any, model: bytes) -> tuple[float, float]:
    """Return the milliseconds of LiteRT.js and of our program."""
    program = build(model, PreprocessSpec(1, 1), find())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, _files(model, program)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        driver.get(f"http://localhost:{server.server_port}/bench.html")
        until(driver, lambda: driver.execute_script("return window.ready"), "LiteRT.js is not loaded")
        streams = program.compilation.program.streams
        scores = streams[program.compilation.program.output]
        given = {
            "inputs": streams[0].height * streams[0].row_bytes,
            "outputs": scores.height * scores.row_bytes,
            "weightsAt": program.simd.weights_at,
            "rounds": ROUNDS,
            "span": SPAN,
        }
        theirs, ours = driver.execute_async_script("bench(arguments[0]).then(arguments[1])", given)
    finally:
        server.shutdown()
        server.server_close()
    return theirs, ours


def _files(model: bytes, program: Program) -> Mapping[str, bytes]:
    page = Path(__file__).with_suffix(".html").read_bytes()
    return {
        "/bench.html": page,
        "/model.tflite": model,
        "/ours.wasm": program.simd.code,
        "/weights": program.weights,
    }


class _Handler(BaseHTTPRequestHandler):
    """Gives files that are made and those of LiteRT.js."""

    def __init__(self, files: Mapping[str, bytes], *arguments: Any) -> None:
        self.files = files
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Give a file, or say that there is none."""
        content = self.files.get(self.path) or _of_litert(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", TYPES.get(Path(self.path).suffix, "application/octet-stream"))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of each request."""


def _of_litert(path: str) -> bytes | None:
    file = PACKAGES / path[1:]
    if not file.is_file():
        return None
    content = file.read_bytes()
    if path == "/core/dist/index.js":
        return content.replace(UINT8.encode(), INT8.encode(), 1)
    return content


if __name__ == "__main__":
    sys.exit(main())
