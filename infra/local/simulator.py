"""Starts and ends the simulated Gazelle of a stack, unless the operator brings the real one."""

from __future__ import annotations

import os
import secrets
import shlex
import signal

import deploy
import tools
from emulator import answers
from tools import Failure, Stack, say

DEFAULT_WORLD = "--seed 1 --users 9 --clients 400 --pianos 600 --timeline 5000"
"""Small enough for a run of a minute, large enough for several pages of every entity."""


def gazelle_url(stack: Stack) -> str:
    return operators_gazelle(stack) or f"{url(stack)}/graphql/private"


def token_url(stack: Stack) -> str:
    if operators_gazelle(stack):
        return os.environ.get("GAZELLE_TOKEN_URL", "https://gazelleapp.io/developer/oauth/token")
    return f"{url(stack)}/developer/oauth/token"


def operators_gazelle(stack: Stack) -> str | None:
    """GAZELLE_URL, unless it is our own address coming back from a shell that took `stack.py env`."""
    given = os.environ.get("GAZELLE_URL")
    return None if given == f"{url(stack)}/graphql/private" else given


def url(stack: Stack) -> str:
    port = stack.section("ports").get("simulator")
    return f"http://127.0.0.1:{port}" if port else ""


def api_key(stack: Stack) -> str:
    """The operator's key for the operator's Gazelle, else the one the simulator was given."""
    if not operators_gazelle(stack):
        return str(stack.remember("secrets", "gazelle_api_key", lambda: secrets.token_urlsafe(24)))
    key = os.environ.get("GAZELLE_API_KEY")
    if not key:
        raise Failure("GAZELLE_URL est donné sans GAZELLE_API_KEY : la clé de l'API est nécessaire.")
    return key


def up(stack: Stack, world: str | None) -> bool:
    """Starts the simulator, or starts it again when another world is asked for; says whether this call started it."""
    if operators_gazelle(stack):
        say(f"Gazelle : {operators_gazelle(stack)}")
        return False
    world = world or os.environ.get("STACK_SIM_ARGS") or stack.section("addresses").get("world") or DEFAULT_WORLD
    binary = deploy.binary("gazelle-sim")
    identity = f"{world} {binary.stat().st_mtime_ns if binary.exists() else 0}"
    if tools.is_running(stack, "simulator") and stack.section("addresses").get("simulator") == identity:
        return False
    down(stack)
    port = tools.port_of(stack, "simulator", "STACK_SIM_PORT", running=False)
    say(f"Gazelle simulé démarre sur le port {port} ({world})…")
    # It may know some of these from the environment as well; the words below are what counts.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GAZELLE_")}
    basics = ["--port", str(port), "--port-file", str(stack.dir / "simulator.port"), f"--api-key={api_key(stack)}"]
    argv = [str(binary), *basics, *shlex.split(world)]
    process = tools.start(stack, "simulator", argv, env, cwd=str(stack.dir))
    try:
        tools.wait_until(stack, "simulator", process, lambda: answers(f"{url(stack)}/_sim/health"), limit_s=60)
    except Failure:
        down(stack)
        raise
    stack.section("addresses").update(simulator=identity, world=world)
    stack.save()
    return True


def down(stack: Stack) -> bool:
    return tools.stop(stack, "simulator", gently=signal.SIGTERM, limit_s=3)
