"""A server in W&B's place that does not work: it answers 500, or nothing, or is not there."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0123456789" * 4
FAULTS = ("500", "silent", "refuses", "html", "500 later", "silent later", "nonsense later")
"""Later: only after it has been asked whether it is there."""


@contextmanager
def failing(fault, asked=None):
    """Yield the environment of a user who is logged in there; the paths that are asked for are added to ``asked``."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            if asked is not None:
                asked.append(self.path)
            question = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sound = "later" in fault and b"{__typename}" in question
            if "silent" in fault and not sound:
                ended.wait()
                return
            body = b"<html>Log in to our network</html>" if fault == "html" else b"{}"
            self.send_response(500 if "500" in fault and not sound else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_HEAD = do_PUT = answer  # noqa: N815

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_address[1]}"
    if fault == "refuses":
        server.server_close()
    else:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {"WANDB_BASE_URL": address, "WANDB_API_KEY": KEY}
    finally:
        ended.set()
        if fault != "refuses":
            server.shutdown()
            server.server_close()
