"""The virtual environments below .local: each holds the exact packages of one file, and installs itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import LOCAL, Failure, locked, say


def enter(folder: Path, requirements: Path) -> None:
    """Installs the pinned packages where others are, and continues this program inside the environment."""
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / "stamp"
    with locked(LOCAL / f"{folder.name}.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(folder, requirements)
            stamp.write_text(wanted)
        elif sys.prefix == str(folder):
            return
    os.execv(folder / "bin" / "python", [str(folder / "bin" / "python"), *sys.argv])  # noqa: S606 - no shell is meant


def _install(folder: Path, requirements: Path) -> None:
    say(f"Installation des outils dans .local/{folder.name} (une fois, une à deux minutes)…")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        import venv

        venv.create(folder, with_pip=True, symlinks=True)
    except (ImportError, subprocess.CalledProcessError) as error:
        raise Failure(f"Python ne sait pas créer d'environnement (paquet python3-venv ?) : {error}") from error
    # Wheels only: building one of these from source would need more than a C compiler. The file is complete, and pip
    # would refuse the newer botocore that requirements.in gives ministack.
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "-r", str(requirements)]
    argv = [str(folder / "bin" / "python"), "-m", "pip", "install", *options]
    if subprocess.run(argv, check=False).returncode != 0:
        raise Failure("pip n'a pas pu installer les outils : voir ses messages ci-dessus.")
