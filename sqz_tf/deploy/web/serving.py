"""A page on localhost: a secure context, where browsers allow the camera."""

from __future__ import annotations

import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sqz_tf.base.console import show


def serve(page: bytes) -> None:
    """Serve one page at a free port, tell where, open it in the browser, and go on until interrupted."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(page))
    serving = threading.Thread(target=server.serve_forever, daemon=True)  # a browser in the terminal does not return
    serving.start()
    try:
        address = f"http://localhost:{server.server_port}/"
        show(f"{address} until you press Ctrl-C")
        webbrowser.open(address)
        serving.join()
    except KeyboardInterrupt:
        pass  # how it is meant to end
    finally:
        server.shutdown()
        server.server_close()


def handler(page: bytes) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests: with the page at `/`, and with nothing elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Give the page, and nothing else."""
            found = self.path == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page) if found else 0))
            self.end_headers()
            if found:
                self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request."""

    return Handler
