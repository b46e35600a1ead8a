"""Programs of Debian without root: unpacked below our own folder, with the libraries that this machine lacks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import tools
from tools import LOCAL, Failure


def unpack(folder: Path, packages: Sequence[str], lack: str, hint: str) -> None:
    """Unpacks the packages and what this machine lacks of all they depend on."""
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise Failure(f"{lack}, et {tool} n'y est pas pour l'obtenir. {hint}")
    words = ""
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=LOCAL) as work:
        for options in _lists(Path(work)):
            try:
                for package in _download(Path(work), options, packages):
                    tools.output_of(["dpkg-deb", "--extract", str(package), str(folder)], f"dpkg-deb {package.name}")
                return
            except Failure as failure:
                words = str(failure)
    raise Failure(f"{lack}, et apt n'en donne pas. {hint}\n{words}")


def libraries(folder: Path) -> dict[str, str]:
    """Where the programs of that folder find what was unpacked beside them."""
    patterns = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")
    folders = [str(path) for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_dir()]
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders)}


def _lists(work: Path) -> Iterator[list[str]]:
    """Options for the machine's lists of packages, then for lists of our own: the machine's may be old or empty."""
    # Nothing is locked and nobody else's rights are taken: all is read, or written below our folder.
    basic = ["-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User="]
    yield basic
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True, exist_ok=True)
    own = [*basic, "-o", f"Dir::State::lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
    tools.output_of(["apt-get", *own, "-qq", "update"], "apt-get update a échoué")
    yield own


def _download(work: Path, options: list[str], packages: Sequence[str]) -> list[Path]:
    """The packages that apt would install, as files."""
    ask = ["apt-get", *options, "--simulate", "--no-install-recommends", "install", *packages]
    told = tools.output_of(ask, "apt ne connaît pas ces paquets", env=dict(os.environ) | {"LC_ALL": "C"})
    wanted = []
    for line in told.splitlines():
        words = line.split()
        # `Inst name [old] (new …)` is of one that is there in another version: that one is kept.
        if words[:1] == ["Inst"] and words[2].startswith("("):
            wanted.append(f"{words[1]}={words[2].strip('()')}")
    files = work / "packages"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    tools.output_of(["apt-get", *options, "-qq", "download", *wanted], "apt-get download a échoué", cwd=files)
    return sorted(files.glob("*.deb"))
