"""What every part of the local stack needs: paths, messages, processes, ports, the memory of a stack."""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
VENV_TEST = LOCAL / "venv-test"
VENV_CHECK = LOCAL / "venv-check"

REGION = "ca-central-1"
"""Where the local AWS pretends to be."""

LOG_TAIL_LINES = 25
"""Enough to read the cause of a failed start without scrolling."""


class Failure(Exception):
    """A part that did not work, told in words an operator can act on."""


def say(text: str) -> None:
    """Tells the operator what happens now; stdout stays free for what programs read."""
    print(f"▸ {text}", file=sys.stderr, flush=True)


def tail(path: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The end of a log, indented for reading below a message."""
    try:
        content = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return "    (pas de journal)"
    return "\n".join(f"    {line}" for line in content) or "    (journal vide)"


def output_of(argv: list[str], what: str, **options: Any) -> str:
    """Runs a short command and returns what it printed; a failure shows the command's own words."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    except OSError as error:
        raise Failure(f"{what} : {error}") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise Failure(f"{what} (code {done.returncode}) :\n{words}")
    return done.stdout


# ------------------------------------------------------------------- the memory of a stack


class Stack:
    """A stack's folder and what is remembered in it: ports, passwords, processes, addresses."""

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
        """Written whole or not at all; it holds passwords, so only its owner reads it."""
        self.dir.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.data, file, indent=2)
        new.replace(self._file)

    def section(self, name: str) -> dict[str, Any]:
        return self.data.setdefault(name, {})

    def remember(self, section: str, key: str, make: Callable[[], Any]) -> Any:
        """The remembered value, or a new one from now on."""
        values = self.section(section)
        if key not in values:
            values[key] = make()
            self.save()
        return values[key]

    def forget(self, *sections: str) -> None:
        for section in sections:
            self.data.pop(section, None)
        self.save()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Two commands on one stack never run at once: the second would start everything twice."""
        self.dir.mkdir(parents=True, exist_ok=True)
        with (self.dir / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say(f"Une autre commande travaille sur la pile « {self.name} » : attente…")
                fcntl.flock(file, fcntl.LOCK_EX)
            self.load()
            yield


# --------------------------------------------------------------------------------- ports


def port_of(stack: Stack, part: str, variable: str, running: bool) -> int:
    """The part's port on 127.0.0.1: from the environment, else the remembered one, else a free one."""
    asked = os.environ.get(variable)
    ports = stack.section("ports")
    if asked:
        ports[part] = int(asked)
    elif part not in ports or (not running and not is_free(ports[part])):
        # A remembered port may have been taken since; the addresses are written anew at each start anyway.
        ports[part] = free_port()
    stack.save()
    if not running and not is_free(ports[part]):
        raise Failure(f"Le port {ports[part]} ({variable}) est déjà occupé.")
    return int(ports[part])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


# ----------------------------------------------------------------------------- processes


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _birth(pid: int) -> str | None:
    """When a living process was born: which boot, and how long after. A number reused by another has another birth."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else f"{_boot()} {fields[19]}"


def is_running(stack: Stack, part: str) -> bool:
    process = stack.section("processes").get(part)
    return process is not None and _birth(process["pid"]) == process["birth"]


def start(stack: Stack, part: str, argv: list[str], env: dict[str, str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts a part in the background, in its own process group, and remembers it."""
    stack.logs.mkdir(parents=True, exist_ok=True)
    with log_of(stack, part).open("ab") as log:
        try:
            process = subprocess.Popen(
                argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options
            )
        except OSError as error:
            raise Failure(f"{part} ne démarre pas : {error}") from error
    stack.section("processes")[part] = {"pid": process.pid, "birth": _birth(process.pid)}
    stack.save()
    return process


def log_of(stack: Stack, part: str) -> Path:
    return stack.logs / f"{part}.log"


def wait_until(
    stack: Stack, part: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], limit_s: float
) -> None:
    """Waits until a started part answers; says what it said if it dies or stays silent."""
    deadline = time.monotonic() + limit_s
    log = log_of(stack, part)
    while not ready():
        if process.poll() is not None:
            raise Failure(f"{part} s'est arrêté aussitôt (code {process.returncode}). Fin de {log} :\n{tail(log)}")
        if time.monotonic() > deadline:
            raise Failure(f"{part} ne répond pas après {limit_s:.0f} s. Fin de {log} :\n{tail(log)}")
        time.sleep(0.1)


def stop(stack: Stack, part: str, gently: int | None, limit_s: float = 15.0) -> bool:
    """Ends a part this stack started, by number and birth: never a stranger who inherited the number.

    `gently` is the signal to try first; None ends the part and all its children at once.
    """
    was_running = is_running(stack, part)
    process = stack.section("processes").get(part)
    if process and was_running and gently is not None:
        # It may end by itself in this very moment.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], gently)
        _wait_for_end(stack, part, limit_s)
    if process:
        _end_group(process)
        _wait_for_end(stack, part, 5.0)
    stack.section("processes").pop(part, None)
    stack.save()
    return was_running


def _end_group(process: dict[str, Any]) -> None:
    """Ends what is left of a part's process group, also when its leader was killed behind our back.

    While a group has members its number is not given to a new process: a group whose leader is ours, or gone since the
    same boot, is ours.
    """
    leader = _birth(process["pid"])
    if leader == process["birth"] or (leader is None and str(process["birth"]).startswith(_boot())):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process["pid"], signal.SIGKILL)


def _wait_for_end(stack: Stack, part: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while is_running(stack, part) and time.monotonic() < deadline:
        time.sleep(0.05)
