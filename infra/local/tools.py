"""Helpers of every part of the local stack: paths, messages, locks, processes, ports, the state of a stack."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
VENV_CHECK = LOCAL / "venv-check"

REGION = "ca-central-1"
"""Region of the local AWS."""

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip() if sys.platform == "linux" else ""
"""Identifier of this boot: process numbers mean nothing to the next."""


class Failure(Exception):
    """An error that an operator can act on; its text is in French."""


def say(text: str) -> None:
    """Reports progress on stderr; stdout stays free for what programs read."""
    print(f"▸ {text}", file=sys.stderr, flush=True)


def tail(path: Path, lines: int = 25) -> str:
    """Returns the end of a log, named and indented for reading below a message."""
    content = path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []
    return f"Fin de {path} :\n" + ("\n".join(f"    {line}" for line in content) or "    (journal vide)")


def output_of(argv: list[str], what: str, **options: Any) -> str:
    """Runs a short command and returns its output; a failure shows the command's own words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{what} : {error}") from error
    if done.returncode != 0:
        raise Failure(f"{what} (code {done.returncode}) :\n{(done.stderr or done.stdout).strip()}")
    return str(done.stdout)


@contextlib.contextmanager
def locked(path: Path, notice: str = "") -> Iterator[None]:
    """Holds an exclusive file lock; prints the notice when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if notice:
                say(notice)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Stack:
    """A stack's folder and its saved state: ports, passwords, processes, addresses."""

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", name):
            raise Failure(f"Nom de pile invalide : {name!r} (lettres minuscules, chiffres, tirets, 20 au plus).")
        self.name = name
        self.dir = LOCAL / name
        self.logs = self.dir / "log"
        self.tmp = self.dir / "tmp"
        self._file = self.dir / "stack.json"
        self.data: dict[str, Any] = {}

    def load(self) -> Stack:
        with contextlib.suppress(OSError, ValueError):
            self.data = json.loads(self._file.read_text())
        return self

    def save(self) -> None:
        """Replaces the file atomically; it holds passwords, so only its owner can read it."""
        self.dir.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.data, file, indent=2)
        new.replace(self._file)

    def section(self, name: str) -> Any:
        return self.data.setdefault(name, {})

    def remember(self, section: str, key: str, make: Callable[[], str]) -> str:
        """Returns the saved value, or makes and saves one."""
        values = self.section(section)
        if key not in values:
            values[key] = make()
            self.save()
        return str(values[key])

    def forget(self, *sections: str) -> None:
        for section in sections:
            self.data.pop(section, None)
        self.save()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps two commands on one stack apart: the second would start everything twice."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with locked(self.dir / "lock", f"Une autre commande travaille sur la pile « {self.name} » : attente…"):
            self.load()
            yield


def port_of(stack: Stack, part: str, variable: str) -> int:
    """Returns a free port on 127.0.0.1: that of the variable, else the saved one, else a new one."""
    ports, asked = stack.section("ports"), os.environ.get(variable)
    try:
        ports[part] = free_port(int(asked or ports.get(part, 0)))
    except OSError as error:
        if asked:
            raise Failure(f"Le port {asked} ({variable}) est déjà occupé.") from error
        # A saved port may have been taken since; the addresses are written anew at each start anyway.
        ports[part] = free_port()
    stack.save()
    return int(ports[part])


def free_port(port: int = 0) -> int:
    with socket.create_server(("127.0.0.1", port)) as probe:
        return int(probe.getsockname()[1])


def responds(address: str) -> bool:
    """Returns whether an address of this machine answers 200, past any proxy of the operator's shell."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _birth(pid: int) -> str | None:
    """Returns the start time of a living process since the boot: a reused pid has another one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def is_running(stack: Stack, part: str) -> bool:
    process = stack.section("processes").get(part, {})
    return bool(process.get("boot") == BOOT and _birth(process["pid"]) == process["birth"])


def start(stack: Stack, part: str, argv: list[str], health_url: str, env: dict[str, str], limit_s: float = 60) -> None:
    """Starts a part in its own process group and waits for its health; a failed start is stopped and shows its log."""
    path = stack.logs / f"{part}.log"
    with path.open("ab") as log:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        try:
            process = subprocess.Popen(argv, env=env, cwd=stack.dir, start_new_session=True, **streams)
        except OSError as error:
            raise Failure(f"{part} ne démarre pas : {error}") from error
    stack.section("processes")[part] = {"pid": process.pid, "boot": BOOT, "birth": _birth(process.pid)}
    stack.save()
    deadline = time.monotonic() + limit_s
    try:
        while not responds(health_url):
            if process.poll() is not None:
                raise Failure(f"{part} s'est arrêté aussitôt (code {process.returncode}). {tail(path)}")
            if time.monotonic() > deadline:
                raise Failure(f"{part} ne répond pas après {limit_s:.0f} s. {tail(path)}")
            time.sleep(0.1)
    except BaseException:
        stop(stack, part)
        raise


def stop(stack: Stack, part: str) -> bool:
    """Kills the process group of a part that this stack started; returns whether it was running.

    A group keeps its number while it has members, so one whose leader is ours, or gone since the same boot, is ours.
    """
    was_running = is_running(stack, part)
    process = stack.section("processes").pop(part, {})
    if was_running or (process.get("boot") == BOOT and _birth(process["pid"]) is None):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process["pid"], signal.SIGKILL)
        while _birth(process["pid"]) == process["birth"]:
            time.sleep(0.05)
    stack.save()
    return was_running
