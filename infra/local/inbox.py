"""The inbox of a stack, served by its emulator: its alerts arrive here instead of at Slack and Sentry.

POST /_inbox/slack/…     a webhook's message; the status is as set by faults
POST /_inbox/api/…       an envelope for Sentry
GET  /_inbox/messages    messages for Slack: [{"at", "text"}], newest last
GET  /_inbox/errors      envelopes for Sentry
POST /_inbox/faults      {"status": 500} or {"hang_s": 30}; {} ends it
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

PREFIX = "/_inbox"
KEPT_MAX = 10_000

messages: list[dict[str, Any]] = []
errors: list[dict[str, Any]] = []
faults: dict[str, Any] = {}


async def handle(path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Returns status, headers and body of the response."""
    status = 200
    value: Any = {"messages": messages, "errors": errors}.get(path.removeprefix(f"{PREFIX}/"), "ok")
    if path == f"{PREFIX}/faults":
        faults.clear()
        faults.update(json.loads(body or "{}") or {})
    elif path.startswith(f"{PREFIX}/api/"):
        errors.append({"at": time.time(), "envelope": body.decode(), "auth": headers.get("x-sentry-auth")})
    elif path.startswith(f"{PREFIX}/slack/"):
        await asyncio.sleep(float(faults.get("hang_s", 0)))
        status = int(faults.get("status", 200))
        if status == 200:
            messages.append({"at": time.time(), "text": json.loads(body).get("text")})
            del messages[:-KEPT_MAX]
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()
