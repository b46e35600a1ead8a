"""A letter box of this machine: takes what the alerter sends to Slack and to Sentry, and shows it.

POST /slack/…        a webhook's message; answers as told by /faults
POST /api/…          an envelope for Sentry
GET  /messages       what Slack was sent: [{"at", "text"}], newest last
GET  /errors         what Sentry was sent
POST /faults         {"status": 500} or {"hang_s": 30}; {} ends it
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEPT_MAX = 10_000


class Box(BaseHTTPRequestHandler):
    """Everything is kept in memory: a letter box is emptied by who leaves."""

    protocol_version = "HTTP/1.1"
    messages: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    faults: dict[str, Any] = {}

    def do_GET(self) -> None:
        shown = {"/messages": Box.messages, "/errors": Box.errors, "/health": []}.get(self.path)
        self._answer(404, {"error": "/messages, /errors"}) if shown is None else self._answer(200, shown)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
        if self.path == "/faults":
            Box.faults = json.loads(body or "{}")
            return self._answer(200, Box.faults)
        if self.path.startswith("/api/"):
            Box.errors.append({"at": time.time(), "envelope": body, "auth": self.headers.get("X-Sentry-Auth")})
            return self._answer(200, {})
        if Box.faults.get("hang_s"):
            time.sleep(float(Box.faults["hang_s"]))
        status = int(Box.faults.get("status", 200))
        if status == 200:
            Box.messages.append({"at": time.time(), "text": json.loads(body).get("text")})
            del Box.messages[:-KEPT_MAX]
        return self._answer(status, "ok" if status == 200 else "no_service")

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent: what came is shown, not logged."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Box).serve_forever()
