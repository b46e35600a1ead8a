"""Starts and ends the local AWS of a stack (ministack, with the corrections of `aws.py`)."""

from __future__ import annotations

import os
import shutil
import sys
import urllib.error
import urllib.request

import tools
from tools import HERE, REGION, Stack, say

ACCESS_KEY = "test"
"""The emulator accepts anything; a fixed word shows that no real account is meant."""


def stack_name(stack: Stack) -> str:
    """The CloudFormation stack's name, which prefixes everything it creates."""
    return f"gazelle-{stack.name}"


def endpoint(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.section('ports')['aws']}"


def client_env(stack: Stack) -> dict[str, str]:
    """What an AWS client needs to speak to this stack and to nothing else."""
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
    """Starts the emulator, empty, unless it runs; says whether this call started it."""
    if tools.is_running(stack, "aws"):
        return False
    # One that was killed behind our back left its functions frozen.
    tools.stop(stack, "aws", gently=None)
    # It keeps everything in memory: what an earlier one left on disk means nothing to the next.
    state = stack.dir / "aws"
    shutil.rmtree(state, ignore_errors=True)
    shutil.rmtree(stack.tmp, ignore_errors=True)
    for folder in (state, stack.tmp, stack.logs):
        folder.mkdir(parents=True, exist_ok=True)
    # Functions have new names in a new emulator: their old logs would only be in the way.
    for old in stack.logs.glob(f"{stack_name(stack)}-*.log"):
        old.unlink()
    (stack.logs / "calls.jsonl").unlink(missing_ok=True)
    stack.forget("deployed", "outputs")
    port = tools.port_of(stack, "aws", "STACK_AWS_PORT", running=False)
    say(f"AWS local démarre sur le port {port}…")
    env = without_aws(dict(os.environ)) | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "STATE_DIR": str(state),
        "S3_DATA_DIR": str(state / "s3"),
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
    process = tools.start(stack, "aws", [sys.executable, str(HERE / "aws.py")], env, cwd=str(stack.dir))
    try:
        tools.wait_until(stack, "aws", process, lambda: answers(f"{endpoint(stack)}/_ministack/health"), limit_s=60)
    except tools.Failure:
        down(stack)
        raise
    return True


def down(stack: Stack) -> bool:
    """At once and with its functions: nothing of it is worth saving, and a frozen function hears no gentle signal."""
    was_running = tools.stop(stack, "aws", gently=None)
    shutil.rmtree(stack.tmp, ignore_errors=True)
    shutil.rmtree(stack.dir / "aws", ignore_errors=True)
    stack.forget("deployed", "outputs")
    return was_running


def answers(address: str) -> bool:
    """Whether a part on this machine answers 200; a proxy of the operator's shell has no say in it."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
