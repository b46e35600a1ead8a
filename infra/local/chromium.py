"""A headless Chromium without root and without Docker: the machine's own, or Debian's, unpacked below .local."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import debian
import tools
from tools import HERE, LOCAL, Failure

FOLDER = LOCAL / "tools" / "chromium"

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Names of the machine's own browser."""

PACKAGES = ("chromium-headless-shell", "fonts-inter", "fonts-dejavu-core")
"""The browser; letters that look alike on every machine; the signs that these letters lack."""

HINT = "Installez chromium, ou donnez le vôtre : CHROMIUM=/chemin/du/navigateur."


@dataclass(frozen=True)
class Chromium:
    """A browser and the environment it starts in."""

    path: Path
    env: dict[str, str]

    def starts(self) -> bool:
        with contextlib.suppress(Failure):
            tools.output_of([str(self.path), "--version"], "--version", env=self.env, timeout=30)
            return True
        return False


def find() -> Chromium:
    """Returns the browser of CHROMIUM, of the machine, or of .local/tools, installed there when missing."""
    given = os.environ.get("CHROMIUM")
    for path in [given] if given else filter(None, map(shutil.which, NAMES)):
        # Some distributions put a script there that only says where to get the browser.
        if (known := Chromium(Path(path), dict(os.environ))).starts():
            return known
    if given:
        raise Failure(f"CHROMIUM={given} ne démarre pas.")
    debian.install(FOLDER, "Chromium", PACKAGES, HINT, _prepare)
    return _unpacked()


def _unpacked() -> Chromium:
    variables = {"LD_LIBRARY_PATH": debian.libraries(FOLDER), "FONTCONFIG_FILE": str(FOLDER / "fonts.conf")}
    return Chromium(FOLDER / "usr/lib/chromium/chromium-headless-shell", dict(os.environ) | variables)


def _prepare() -> None:
    (FOLDER / "fonts.conf").write_text((HERE / "fonts.conf").read_text().format(folder=FOLDER))
    chromium = _unpacked()
    found = tools.output_of(["ldd", str(chromium.path)], "ldd", env=chromium.env)
    if missing := [line.split()[0] for line in found.splitlines() if "not found" in line]:
        raise Failure(f"Chromium : il manque {', '.join(missing)}. {HINT}")
    if not chromium.starts():
        raise Failure(f"Le Chromium de .local/tools/chromium ne démarre pas. {HINT}")
