"""Follows the recipe of CONTRIBUTING.md, by its text alone, in a copy of the project: builds it, deploys it, syncs it.

`.local/venv/bin/python infra/checks/recipe.py`. The three blocks of «Add an entity» are the only change. Then the new entity must stand in
the table of the run, in health, and in production as the source has it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local")]

import deploy
import tools
from tools import LOCAL, ROOT, Failure, say

COPY = LOCAL / "recipe"
NAME = "recipe"
WORLD = "--seed 3 --users 5 --clients 40 --pianos 40 --timeline 200"
REGISTRY = "shared/src/entity/mod.rs"


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of the recipe, each with the file that the words before it name."""
    section = text.partition("## Add an entity")[2].partition("\n## ")[0]
    found = []
    for step in re.split(r"^\d\. ", section, flags=re.MULTILINE)[1:]:
        path = re.search(r"`([\w/.]+\.(?:rs|sql))`", step)
        block = re.search(r"^ {3}```\w+\n(.*?)^ {3}```", step, flags=re.MULTILINE | re.DOTALL)
        if not (path and block):
            raise Failure(f"CONTRIBUTING.md : une étape sans fichier ou sans bloc :\n{step[:200]}")
        found.append((path[1], re.sub(r"^ {3}", "", block[1], flags=re.MULTILINE)))
    return found


def follow(project: Path) -> list[str]:
    """Does what the recipe says; answers the files that were touched."""
    steps = blocks((project / "CONTRIBUTING.md").read_text())
    for path, content in steps:
        file = project / path
        if path == REGISTRY:
            content = registered(file.read_text(), content)
        elif file.exists():
            raise Failure(f"CONTRIBUTING.md : {path} existe déjà.")
        file.write_text(content)
    return [path for path, _ in steps]


def registered(registry: str, lines: str) -> str:
    """The registry with the recipe's two lines, and its length grown by one."""
    module, entity = lines.split("\n")[:2]
    registry = re.sub(r"^mod ", f"{module}\nmod ", registry, count=1, flags=re.MULTILINE)
    length = re.compile(r"(pub static ALL: \[&Entity; )(\d+)(\] = \[.*?)(\];)", re.DOTALL)
    grown, count = length.subn(lambda at: f"{at[1]}{int(at[2]) + 1}{at[3]}    {entity}\n{at[4]}", registry)
    if count != 1:
        raise Failure(f"{REGISTRY} ne contient pas la liste que la recette complète.")
    return grown


def copied() -> Path:
    """A copy of what git would keep, with this project's tools and what was compiled here."""
    shutil.rmtree(COPY, ignore_errors=True)
    project = COPY / "project"
    listed = tools.output_of(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], "git ls-files a échoué", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    (project / ".local").mkdir()
    for tool in ("venv", "venv.lock", "tools", "sam"):
        if (LOCAL / tool).exists():
            (project / ".local" / tool).symlink_to(LOCAL / tool)
    # The libraries are the same, so that only the project's own crates are compiled again. `release` holds what runs while
    # compiling, such as macros. No links: cargo writes some of these files in place.
    own = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for folder in (Path("release"), Path(deploy.target()) / "release"):
        (project / "target" / folder).mkdir(parents=True)
        for part in ("deps", "build", ".fingerprint"):
            if (own / folder / part).is_dir():
                tools.output_of(["cp", "-a", "--reflink=auto", str(own / folder / part), str(project / "target" / folder / part)], "La copie des bibliothèques a échoué")
    return project


def environment(project: Path) -> dict[str, str]:
    """The copy's own tools, target folder and stack: nothing of the surrounding one."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "DATABASE_URL", "GAZELLE_URL", "VIRTUAL_ENV")}
    return kept | {"CARGO_BUILD_TARGET": deploy.target()}


def stack_py(project: Path, *words: str) -> list[str]:
    return [sys.executable, str(project / "infra/local/stack.py"), *words, "--name", NAME]


def known(project: Path) -> dict[str, str]:
    """What the copy's stack exports."""
    text = tools.output_of(stack_py(project, "env"), "stack.py env a échoué", cwd=project, env=environment(project))
    words = (shlex.split(line.removeprefix("export "))[0].partition("=") for line in text.splitlines())
    return {name: value for name, _, value in words}


def asked(url: str, headers: dict[str, str], body: dict[str, str] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, headers | {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def in_production(project: Path) -> dict[str, list[Any]]:
    """The rows of the new table, by id."""
    ask = "import sys; sys.path.insert(0, 'infra/local'); import postgres; from tools import Stack; print(postgres.query(Stack(sys.argv[1]).load(), sys.argv[2]))"
    sql = f"select coalesce(json_agg(json_build_array(id, name, rate, is_default)), '[]') from {deploy.DATABASE_SCHEMA}.taxes where deleted_at is null"
    argv = [str(tools.VENV / "bin/python"), "-c", ask, NAME, sql]
    rows = json.loads(tools.output_of(argv, "La base ne répond pas", cwd=project, env=environment(project)))
    return {row[0]: row[1:] for row in rows}


def checks(project: Path, printed: str, touched: list[str]) -> Iterator[tuple[bool, str]]:
    """What must be true of the copy that runs."""
    has = known(project)
    line = next((line.split() for line in printed.splitlines() if line.split()[:1] == ["taxes"]), [])
    yield line[-1:] == ["success"], f"the run's table has a line of it: {' '.join(line) or 'none'}"
    # By a question that is not the project's own.
    answer = asked(has["GAZELLE_URL"], {"x-gazelle-api-key": has["GAZELLE_API_KEY"]}, {"query": "{ allTaxes { id name rate default } }"})
    theirs = {one["id"]: [one["name"], one["rate"], one["default"]] for one in answer["data"]["allTaxes"]}
    ours = in_production(project)
    yield bool(theirs) and ours == theirs, f"production is what the source has: {len(ours)} of {len(theirs)} records"
    health = asked(f"{has['HEALTH_URL']}/api/v6/health", {"Host": has["HEALTH_HOST"], "Authorization": f"Bearer {has['HEALTH_TOKEN']}"})
    yield health.get("taxes", {}).get("status") == "healthy", f"health has its key: {health.get('taxes')}"
    changed = [path for path in git_files(project) if content(project / path) != content(ROOT / path)]
    yield sorted(changed) == sorted(touched), f"nothing else was touched: {', '.join(changed)}"


def git_files(project: Path) -> list[str]:
    """The files that a commit would hold."""
    left_out = {".local", "target", ".aws-sam"}
    found = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] not in left_out)


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main() -> int:
    begin = time.monotonic()
    try:
        say("La recette de CONTRIBUTING.md, dans une copie du projet…")
        project = copied()
        touched = follow(project)
        try:
            argv = [*stack_py(project, "run"), "--sim-args", WORLD]
            done = subprocess.run(argv, cwd=project, env=environment(project), stdout=subprocess.PIPE, text=True, check=False)
            print(done.stdout)
            results = list(checks(project, done.stdout, touched)) if done.returncode == 0 else [(False, "the copy builds, is deployed and synced")]
        finally:
            subprocess.run([*stack_py(project, "down"), "--purge"], cwd=project, env=environment(project), check=False)
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1
    for passed, words in results:
        print(f"{'✓' if passed else '✗'} {words}")
    passed = all(passed for passed, _ in results)
    if passed:
        shutil.rmtree(COPY, ignore_errors=True)
    say(f"Recette suivie en {time.monotonic() - begin:.0f} s, compilation comprise.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
