"""The deployed health API against infra/openapi.yaml: every operation, with good requests and bent ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import states
import yaml
from ground import Ground
from tally import Tally
from tools import ROOT, Failure

CONTRACT = ROOT / "infra" / "openapi.yaml"

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}

SETTINGS = Path(__file__).with_name("schemathesis.toml")

LIMIT_S = 300
"""Several times what it takes."""


def check_contract(ground: Ground, folder: Path, tally: Tally) -> None:
    """With a mirror that has something to tell, then without a database, where each answer takes seconds."""
    states.degraded(ground)
    _run(ground, folder, "contrat", ["--max-examples", "100"], tally)
    _other_methods(ground, tally)
    # A made-up token's refusals are held against the contract here alone: `ignored_auth` looks at their status only.
    stranger = ["--max-examples", "3", "--phases", "fuzzing", "--mode", "positive", "--exclude-checks", "positive_data_acceptance"]
    _run(ground, folder, "contrat sans le bon jeton", stranger, tally, token="another")
    ground.lose_database()
    quick = ["--max-examples", "1", "--phases", "fuzzing", "--mode", "positive", "--workers", "8"]
    _run(ground, folder, "contrat sans base de données", quick, tally)
    ground.use_database()


def _other_methods(ground: Ground, tally: Tally) -> None:
    """What no route names does not reach the function, and is no success."""
    documented = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["paths"]
    problems, tried = [], 0
    for path, operations in documented.items():
        for method in METHODS - {word.upper() for word in operations}:
            tried += 1
            status, text = ground.ask(path.replace("{id}", str(uuid.UUID(int=0))), method)
            if status not in (404, 405):
                problems.append(f"{method} {path} : {status} {text[:100]}")
    tally.check("méthodes hors contrat", f"{tried} essayées, {len(problems)} servies", problems)


def _run(ground: Ground, folder: Path, name: str, options: list[str], tally: Tally, token: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    # By the environment: everyone on the machine can read a command line.
    env = dict(os.environ) | {"CONTRACT_TOKEN": token or ground.token, "CONTRACT_HOST": ground.host, "NO_COLOR": "1"}
    argv = [str(Path(sys.prefix) / "bin" / "schemathesis"), "--config-file", str(SETTINGS), "run", str(CONTRACT), "--url", ground.gateway,
            *options, "--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if not report.exists():
        raise Failure(f"schemathesis n'a rien conclu (code {done.returncode}) :\n{done.stdout}{done.stderr}")
    found = json.loads(report.read_text(encoding="utf-8"))
    operations, cases = found["operations"], found["test_cases"]
    problems = [f"{group['title']} : {', '.join(group['operations'])}" for group in found["failures"]]
    problems += [f"{group['title']} ({group['count']})" for group in found["errors"]]
    if operations["tested"] != operations["total"] or cases["generated"] == 0:
        problems.append(f"{operations['tested']} opérations essayées sur {operations['total']}")
    if done.returncode != 0 and not problems:
        problems.append(f"schemathesis finit avec le code {done.returncode}")
    figures = f"{operations['tested']} opérations, {cases['generated']} requêtes, {cases['unique_failures']} écart(s), graine {found['seed']}"
    tally.check(name, figures, problems)
    if problems:
        print(done.stdout)
