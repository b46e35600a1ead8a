"""Starts and stops the local AWS of a stack (ministack, with the additions of `aws.py`)."""

from __future__ import annotations

import os
import shutil
import sys

import tools
from tools import HERE, REGION, Stack, say

ACCESS_KEY = "test"
"""The emulator accepts anything; a fixed word shows that no real account is meant."""


def stack_name(stack: Stack) -> str:
    """Returns the CloudFormation stack's name, which prefixes everything it creates."""
    return f"gazelle-{stack.name}"


def endpoint(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.section('ports')['aws']}"


def inbox(stack: Stack) -> str:
    return f"{endpoint(stack)}/_inbox"


def client_env(stack: Stack) -> dict[str, str]:
    """Returns the variables by which an AWS client speaks to this stack and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint(stack),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        # An operator's profiles must not leak in: a real account could be meant by mistake.
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def without_aws(env: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in env.items() if not key.startswith("AWS_") or key == "AWS_CA_BUNDLE"}


def up(stack: Stack) -> bool:
    """Starts the emulator, empty, unless it runs; returns whether this call started it."""
    if tools.is_running(stack, "aws"):
        return False
    # A killed one left its functions frozen, and keeps everything in memory: its files mean nothing to the next.
    down(stack)
    stack.tmp.mkdir()
    (stack.dir / "aws").mkdir()
    # Functions have new names in a new emulator: their old logs would only be in the way.
    for old in [*stack.logs.glob(f"{stack_name(stack)}-*.log"), *stack.logs.glob("calls.jsonl")]:
        old.unlink()
    port = tools.port_of(stack, "aws", "STACK_AWS_PORT")
    say(f"AWS local démarre sur le port {port}…")
    env = without_aws(dict(os.environ)) | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "STATE_DIR": str(stack.dir / "aws"),
        "S3_DATA_DIR": str(stack.dir / "aws" / "s3"),
        "PERSIST_STATE": "0",
        # Its INFO repeats every line of every function, which have their own files.
        "LOG_LEVEL": "WARNING",
        # These two would listen on every interface, and on the same port for every stack.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(stack.tmp),
        "STACK_LOGS": str(stack.logs),
        "AWS_ENDPOINT_URL": endpoint(stack),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "PYTHONUNBUFFERED": "1",
    }
    tools.start(stack, "aws", [sys.executable, str(HERE / "aws.py")], f"{endpoint(stack)}/_ministack/health", env)
    return True


def down(stack: Stack) -> bool:
    """Kills the emulator with its functions: nothing of it is worth saving, and a frozen function hears no SIGTERM."""
    was_running = tools.stop(stack, "aws")
    for folder in (stack.tmp, stack.dir / "aws"):
        shutil.rmtree(folder, ignore_errors=True)
    stack.forget("deployed", "outputs")
    return was_running
