"""A headless Chromium without root and without Docker: the machine's own, or Debian's, unpacked below .local."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import debian
import tools
from tools import LOCAL, Failure, say

FOLDER = LOCAL / "tools" / "chromium"

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""What a machine may call its own."""

PACKAGES = ("chromium-headless-shell", "fonts-inter", "fonts-dejavu-core")
"""The browser; letters that look alike on every machine; the signs that these letters lack."""

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/usr/share/fonts</dir>
  <cachedir>{folder}/var/cache/fontconfig</cachedir>
  <match target="pattern">
    <edit name="family" mode="append_last"><string>Inter</string><string>DejaVu Sans</string></edit>
  </match>
</fontconfig>
"""

HINT = "Installez chromium, ou donnez le vôtre : CHROMIUM=/chemin/du/navigateur."


@dataclass(frozen=True)
class Chromium:
    """A browser that starts, and the environment it starts in."""

    path: Path
    env: dict[str, str]


def find() -> Chromium:
    """The browser of CHROMIUM, of the machine, or of our own folder, where it is put when it is missing."""
    given = os.environ.get("CHROMIUM")
    if given:
        own = Chromium(Path(given), dict(os.environ))
        if not _starts(own):
            raise Failure(f"CHROMIUM={given} ne démarre pas.")
        return own
    for path in filter(None, map(shutil.which, NAMES)):
        # Some distributions put a script there that only says where to get the browser.
        if _starts(known := Chromium(Path(path), dict(os.environ))):
            return known
    return _unpacked()


def _starts(chromium: Chromium) -> bool:
    argv = [str(chromium.path), "--version"]
    try:
        return subprocess.run(argv, env=chromium.env, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _unpacked() -> Chromium:
    wanted = " ".join(PACKAGES)
    stamp = FOLDER / "stamp"
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            say("Installation de Chromium dans .local/tools/chromium (une fois, une minute)…")
            shutil.rmtree(FOLDER, ignore_errors=True)
            debian.unpack(FOLDER, PACKAGES, "Aucun navigateur sur cette machine", HINT)
            (FOLDER / "fonts.conf").write_text(FONTS.format(folder=FOLDER))
            _check(_ours())
            stamp.write_text(wanted)
    return _ours()


def _ours() -> Chromium:
    env = dict(os.environ) | debian.libraries(FOLDER) | {"FONTCONFIG_FILE": str(FOLDER / "fonts.conf")}
    return Chromium(FOLDER / "usr/lib/chromium/chromium-headless-shell", env)


def _check(chromium: Chromium) -> None:
    found = tools.output_of(["ldd", str(chromium.path)], "ldd", env=chromium.env)
    missing = [line.split()[0] for line in found.splitlines() if "not found" in line]
    if missing:
        raise Failure(f"Chromium : il manque {', '.join(missing)}. {HINT}")
    if not _starts(chromium):
        raise Failure(f"Le Chromium de .local/tools/chromium ne démarre pas. {HINT}")
