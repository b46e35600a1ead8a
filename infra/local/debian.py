"""Debian's programs without root: unpacked below .local/tools, with the libraries that this machine lacks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import tools
from tools import LOCAL, Failure, say

PGBOUNCER_HINT = "Installez pgbouncer, ou donnez le vôtre : PGBOUNCER=/chemin/de/pgbouncer."


def pgbouncer() -> Path:
    """Returns the PgBouncer of PGBOUNCER, of the machine, or of .local/tools. The tests start it themselves."""
    given = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    folder = LOCAL / "tools" / "pgbouncer"

    def prepare() -> None:
        # A script sets its libraries, so that whoever starts it need not know them.
        script, program = folder / "pgbouncer", folder / "usr/sbin/pgbouncer"
        script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries(folder)}" exec "{program}" "$@"\n')
        script.chmod(0o755)
        tools.output_of([str(script), "--version"], f"pgbouncer ne démarre pas. {PGBOUNCER_HINT}")

    return Path(given) if given else install(folder, "PgBouncer", ["pgbouncer"], PGBOUNCER_HINT, prepare) / "pgbouncer"


def install(folder: Path, name: str, packages: Sequence[str], hint: str, prepare: Callable[[], None]) -> Path:
    """Unpacks the packages and prepares their folder, once."""
    stamp = folder / "stamp"
    with tools.locked(folder.with_suffix(".lock")):
        if not stamp.exists() or stamp.read_text() != " ".join(packages):
            say(f"Installation de {name} dans .local/tools/{folder.name} (une fois, une minute)…")
            shutil.rmtree(folder, ignore_errors=True)
            _unpack(folder, packages, hint)
            prepare()
            stamp.write_text(" ".join(packages))
    return folder


def libraries(folder: Path) -> str:
    """Returns the LD_LIBRARY_PATH of the programs in that folder."""
    patterns = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")
    return os.pathsep.join(str(path) for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_dir())


def _unpack(folder: Path, packages: Sequence[str], hint: str) -> None:
    """Unpacks the packages and what this machine lacks of all they depend on."""
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]:
        raise Failure(f"{missing[0]} n'est pas sur cette machine. {hint}")
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=LOCAL) as work:
        for name in ("lists/partial", "archives/partial"):
            (Path(work) / name).mkdir(parents=True)
        # Lists of our own: the machine's may be old or empty. Nothing is locked and nobody else's rights are taken.
        options = {"Dir::State::lists": f"{work}/lists", "Dir::Cache": work, "Debug::NoLocking": "true"}
        options["APT::Sandbox::User"] = ""
        apt = ["apt-get", "-qq", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
        tools.output_of([*apt, "update"], f"apt-get update a échoué. {hint}")
        download = ["install", "--yes", "--no-install-recommends", "--download-only", *packages]
        tools.output_of([*apt, *download], f"apt n'a pas {', '.join(packages)}. {hint}")
        for package in Path(work, "archives").glob("*.deb"):
            tools.output_of(["dpkg-deb", "--extract", str(package), str(folder)], f"dpkg-deb {package.name}")
