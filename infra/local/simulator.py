"""Starts and stops the simulated Gazelle of a stack, unless the operator brings the real one."""

from __future__ import annotations

import os
import secrets
import shlex
from pathlib import Path

import tools
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
    """Returns GAZELLE_URL, unless it is our own address coming back from a shell that took `stack.py env`."""
    given = os.environ.get("GAZELLE_URL")
    return None if given == f"{url(stack)}/graphql/private" else given


def url(stack: Stack) -> str:
    port = stack.section("ports").get("simulator")
    return f"http://127.0.0.1:{port}" if port else ""


def api_key(stack: Stack) -> str:
    """Returns the operator's key for the operator's Gazelle, else the key given to the simulator."""
    if not operators_gazelle(stack):
        return stack.remember("secrets", "gazelle_api_key", lambda: secrets.token_urlsafe(24))
    key = os.environ.get("GAZELLE_API_KEY")
    if not key:
        raise Failure("GAZELLE_URL est donné sans GAZELLE_API_KEY : la clé de l'API est nécessaire.")
    return key


def up(stack: Stack, binary: Path, world: str | None) -> bool:
    """Starts the simulator, again where another world is asked for; returns whether this call started it."""
    if operators_gazelle(stack):
        say(f"Gazelle : {operators_gazelle(stack)}")
        return False
    addresses = stack.section("addresses")
    world = world or os.environ.get("STACK_SIM_ARGS") or addresses.get("world") or DEFAULT_WORLD
    identity = f"{world} {binary.stat().st_mtime_ns if binary.exists() else 0}"
    if tools.is_running(stack, "simulator") and addresses.get("simulator") == identity:
        return False
    down(stack)
    port = tools.port_of(stack, "simulator", "STACK_SIM_PORT")
    say(f"Gazelle simulé démarre sur le port {port} ({world})…")
    # It reads some of these from the environment as well; the words below are what counts.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GAZELLE_")}
    basics = ["--port", str(port), f"--api-key={api_key(stack)}"]
    tools.start(stack, "simulator", [str(binary), *basics, *shlex.split(world)], f"{url(stack)}/_sim/health", env)
    addresses.update(simulator=identity, world=world)
    stack.save()
    return True


def down(stack: Stack) -> bool:
    return tools.stop(stack, "simulator")
