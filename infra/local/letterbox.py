"""Starts and ends the letter box of a stack: where its alerts arrive instead of at Slack and Sentry."""

from __future__ import annotations

import os
import signal
import sys

import tools
from emulator import answers
from tools import HERE, Stack


def url(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.section('ports')['inbox']}"


def secret(stack: Stack) -> dict[str, str]:
    """The alerter's secret: the operator's own webhook and DSN if given, else the letter box."""
    dsn = url(stack).replace("://", "://0123456789abcdef@") + "/1"
    return {
        "slack_webhook_url": os.environ.get("SLACK_WEBHOOK_URL") or f"{url(stack)}/slack/local",
        "sentry_dsn": os.environ.get("SENTRY_DSN") or dsn,
    }


def up(stack: Stack) -> bool:
    if tools.is_running(stack, "inbox"):
        return False
    port = tools.port_of(stack, "inbox", "STACK_INBOX_PORT", running=False)
    process = tools.start(stack, "inbox", [sys.executable, str(HERE / "inbox.py"), str(port)], dict(os.environ))
    tools.wait_until(stack, "inbox", process, lambda: answers(f"{url(stack)}/health"), limit_s=20)
    return True


def down(stack: Stack) -> bool:
    return tools.stop(stack, "inbox", gently=signal.SIGTERM, limit_s=3)
