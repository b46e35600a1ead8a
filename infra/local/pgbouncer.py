"""PgBouncer for the tests: the machine's own, or Debian's, unpacked below .local. They start it themselves."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from pathlib import Path

import debian
import tools
from tools import LOCAL, Failure, say

FOLDER = LOCAL / "tools" / "pgbouncer"

PACKAGES = ("pgbouncer",)

HINT = "Installez pgbouncer, ou donnez le vôtre : PGBOUNCER=/chemin/de/pgbouncer."


def find() -> Path:
    """The program of PGBOUNCER, of the machine, or of our own folder, where it is put when it is missing."""
    given = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    return Path(given) if given else _unpacked()


def _unpacked() -> Path:
    # With its libraries around it, so that whoever starts it need not know them.
    wrapper = FOLDER / "pgbouncer"
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "pgbouncer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wrapper.exists():
            say("Installation de PgBouncer dans .local/tools/pgbouncer (une fois, quelques secondes)…")
            shutil.rmtree(FOLDER, ignore_errors=True)
            debian.unpack(FOLDER, PACKAGES, "PgBouncer n'est pas sur cette machine", HINT)
            program = FOLDER / "usr/sbin/pgbouncer"
            libraries = debian.libraries(FOLDER)["LD_LIBRARY_PATH"]
            if not program.exists():
                raise Failure(f"Le paquet pgbouncer ne contient pas {program.name}. {HINT}")
            text = f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{program}" "$@"\n'
            tools.output_of([str(program), "--version"], "pgbouncer ne démarre pas", env=dict(os.environ) | {"LD_LIBRARY_PATH": libraries})
            wrapper.write_text(text)
            wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return wrapper
