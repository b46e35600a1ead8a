"""The virtual environments below .local: each holds the exact packages of one file, and installs itself."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import LOCAL, Failure, say


def enter(folder: Path, requirements: Path) -> None:
    """Puts the pinned packages in the folder when others are there, and goes on inside it."""
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    LOCAL.mkdir(exist_ok=True)
    stamp = folder / "stamp"
    with (LOCAL / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            if sys.prefix == str(folder):
                return
        else:
            _install(folder, requirements)
            stamp.write_text(wanted)
    os.execv(str(folder / "bin" / "python"), [str(folder / "bin" / "python"), *sys.argv])


def _install(folder: Path, requirements: Path) -> None:
    say(f"Installation des outils dans .local/{folder.name} (une fois, une à deux minutes)…")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        import venv

        venv.create(folder, with_pip=True, symlinks=True)
    except (ImportError, subprocess.CalledProcessError) as error:
        raise Failure(f"Python ne sait pas créer d'environnement (paquet python3-venv ?) : {error}") from error
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Wheels only: building one of these from source would need more than a C compiler.
    if subprocess.run([*pip, "--only-binary", ":all:", "-r", str(requirements)], check=False).returncode != 0:
        raise Failure("pip n'a pas pu installer les outils : voir ses messages ci-dessus.")
