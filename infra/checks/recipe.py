"""Follows the recipe of CONTRIBUTING.md, by its text alone, in a copy of the project: builds, deploys and syncs it.

`.local/venv/bin/python infra/checks/recipe.py`. The blocks of "Add an entity" are the only change; then the entity must
be in the run's table, in health, and in production as the source has it. Doctests run code blocks, not a file's change.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "local"))

import deploy
import postgres
from results import Results, finish
from tools import LOCAL, ROOT, Failure, Stack, output_of, say

NAME = "recipe"
PROJECT = LOCAL / NAME / "project"
WORLD = "--seed 3 --users 5 --clients 40 --pianos 40 --timeline 200"
# The copy has its own target folder and stack.
FOREIGN = ("CARGO_TARGET_DIR", "DATABASE_URL", "GAZELLE_URL", "VIRTUAL_ENV")


def blocks(text: str) -> dict[str, str]:
    """Returns the blocks of the recipe, by the file that the step names."""
    section = text.partition("## Add an entity")[2].partition("\n## ")[0]
    steps = re.split(r"^\d\. ", section, flags=re.MULTILINE)[1:]
    step = re.compile(r"`([\w/.]+\.(?:rs|sql))`.*?^ {3}```\w+\n(.*?)^ {3}```", re.MULTILINE | re.DOTALL)
    found = [match for match in map(step.search, steps) if match]
    if not found or len(found) != len(steps):
        raise Failure("CONTRIBUTING.md : une étape sans fichier ou sans bloc.")
    return {match[1]: re.sub(r"^ {3}", "", match[2], flags=re.MULTILINE) for match in found}


def registered(path: str, registry: str, lines: str) -> str:
    """Returns the registry with the recipe's two lines, and its length grown by one."""
    module, entity = lines.split("\n")[:2]
    registry = re.sub(r"^mod ", f"{module}\nmod ", registry, count=1, flags=re.MULTILINE)
    length = re.compile(r"(pub static ALL: \[&Entity; )(\d+)(\] = \[.*?)(\];)", re.DOTALL)
    grown, count = length.subn(lambda at: f"{at[1]}{int(at[2]) + 1}{at[3]}    {entity}\n{at[4]}", registry)
    if count != 1:
        raise Failure(f"CONTRIBUTING.md : {path} existe déjà, et n'est pas la liste que la recette complète.")
    return grown


def copy_project() -> None:
    """Copies what git would keep, and the libraries that were compiled here; links this project's tools."""
    shutil.rmtree(PROJECT.parent, ignore_errors=True)
    copy(ROOT, git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0"), PROJECT)
    git("init", "--quiet")
    git("add", "--all")
    # Only the project's own crates are compiled again. `release` holds what runs while compiling, such as macros.
    # Copies, because cargo writes some of these files in place.
    target, host = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")), f"{deploy.target()}/release"
    folders = [f"{at}/{part}" for at in ("release", host) for part in ("deps", "build", ".fingerprint")]
    copy(target, folders, PROJECT / "target")
    (PROJECT / ".local").mkdir()
    for tool in ("venv", "venv.lock", "tools", "sam"):
        if (LOCAL / tool).exists():
            (PROJECT / ".local" / tool).symlink_to(LOCAL / tool)


def copy(source: Path, names: Iterable[str], destination: Path) -> None:
    destination.mkdir(parents=True)
    argv = ["cp", "-a", "--parents", "--reflink=auto", *(name for name in names if name and (source / name).exists())]
    output_of([*argv, str(destination)], "La copie a échoué", cwd=source)


def git(*args: str, cwd: Path = PROJECT) -> str:
    return output_of(["git", *args], f"git {args[0]} a échoué", cwd=cwd)


def stack(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command of the copy's own stack.py."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    env = kept | {"CARGO_BUILD_TARGET": deploy.target()}
    argv = [sys.executable, "infra/local/stack.py", *args, "--name", NAME]
    return subprocess.run(argv, cwd=PROJECT, env=env, check=False, text=True, **options)


def fetch(url: str, *headers: str, body: str | None = None) -> Any:
    argv = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", "--noproxy", "*", url]
    argv += [word for header in ("Content-Type: application/json", *headers) for word in ("--header", header)]
    return json.loads(output_of([*argv, *(("--data", body) if body else ())], f"{url} ne répond pas"))


def compare(printed: str, written: list[str]) -> Results:
    """Yields what must hold of the copy that runs."""
    exported = stack("env", stdout=subprocess.PIPE).stdout.splitlines()
    pairs = (shlex.split(line.removeprefix("export "))[0].partition("=") for line in exported)
    env = {name: value for name, _, value in pairs}
    row = next((line.split() for line in printed.splitlines() if line.split()[:1] == ["taxes"]), [])
    yield row[-1:] == ["success"], f"the run's table has a line: {' '.join(row) or 'none'}"
    # By a query that is not the project's own.
    body = json.dumps({"query": "{ allTaxes { id name rate default } }"})
    source = fetch(env["GAZELLE_URL"], f"x-gazelle-api-key: {env['GAZELLE_API_KEY']}", body=body)["data"]["allTaxes"]
    wanted = sorted([one["id"], one["name"], one["rate"], one["default"]] for one in source)
    sql = "select json_agg(json_build_array(id, name, rate, is_default)) from taxes where deleted_at is null"
    answer = postgres.query(Stack(NAME), f"set search_path to {deploy.DATABASE_SCHEMA}; {sql}", env["DATABASE_URL"])
    rows = sorted(json.loads(answer.strip() or "[]"))
    yield bool(wanted) and rows == wanted, f"production has the source's records: {len(rows)} of {len(wanted)}"
    headers = (f"Host: {env['HEALTH_HOST']}", f"Authorization: Bearer {env['HEALTH_TOKEN']}")
    health = fetch(f"{env['HEALTH_URL']}/api/v6/health", *headers).get("taxes", {})
    yield health.get("status") == "healthy", f"health has its key: {health}"
    changed = sorted(line[3:] for line in git("status", "--porcelain", "-uall", "-z").split("\0") if line[1:2].strip())
    yield changed == sorted(written), f"nothing else was changed: {', '.join(changed)}"


def results() -> Results:
    begin = time.monotonic()
    say("La recette de CONTRIBUTING.md, dans une copie du projet…")
    copy_project()
    steps = blocks((PROJECT / "CONTRIBUTING.md").read_text())
    for path, block in steps.items():
        file = PROJECT / path
        file.write_text(registered(path, file.read_text(), block) if file.exists() else block)
    try:
        done = stack("run", "--sim-args", WORLD, stdout=subprocess.PIPE)
        print(done.stdout)
        found = [(done.returncode == 0, "the copy is built, deployed and synced")]
        found += compare(done.stdout, list(steps)) if done.returncode == 0 else []
    finally:
        stack("down", "--purge")
    yield from found
    if all(passed for passed, _ in found):
        shutil.rmtree(PROJECT.parent, ignore_errors=True)
    say(f"Recette suivie en {time.monotonic() - begin:.0f} s, compilation comprise.")


if __name__ == "__main__":
    finish(results)
