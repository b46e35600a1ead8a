"""Runs the scanners on the transformed template: template.py, cfn-lint, cfn-guard with its tests, checkov.

`python3 infra/checks/scan.py`, after `make setup`; cfn-guard is on the PATH. No tool reports a rule that is never seen
to fail, nor an exception that nothing needs any more: this does.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "local"))

import environment
import tools
from results import Results, finish
from tools import VENV, VENV_CHECK, Failure

HERE = Path(__file__).resolve().parent
RULES, TESTS, CONFIG = (str(HERE / name) for name in ("rules.guard", "rules_tests.yaml", "checkov.yaml"))


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    # Neither checkov's guides nor cfn-lint's updates are needed: nothing leaves the machine.
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | {"LOG_LEVEL": "ERROR"})


def passes(label: str, *argv: str) -> tuple[bool, str]:
    done = run(*argv)
    return done.returncode == 0, f"{label}\n{done.stdout}{done.stderr}" if done.returncode else label


def parsed(*argv: str) -> Any:
    done = run(*argv)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Failure(f"{argv} n'a rien répondu de lisible :\n{done.stdout[-500:]}{done.stderr[-500:]}") from error


def guard(template: str) -> Results:
    options = ("--structured", "--output-format", "json", "--show-summary", "none")
    (report,) = parsed("cfn-guard", "validate", "--rules", RULES, "--data", template, *options)
    for broken in report["not_compliant"]:
        yield False, f"cfn-guard {broken['Rule']['name']}: {json.dumps(broken)[:3000]}"
    yield not report["not_applicable"], f"cfn-guard: rules without a resource: {report['not_applicable'] or 'none'}"
    tested: dict[str, list[str]] = defaultdict(list)
    for case in parsed("cfn-guard", "test", "--rules-file", RULES, "--test-data", TESTS, "-o", "json")["test_cases"]:
        for rule in case["passed_rules"]:
            tested[rule["name"]].append(rule["evaluated"])
        for rule in case["failed_rules"]:
            yield False, f"cfn-guard test, {case['name']}: {rule}"
    for name in report["compliant"]:
        has_both = {"PASS", "FAIL"} <= set(tested[name])
        yield has_both, f"cfn-guard {name} ({tested[name].count('FAIL')} planted)"


def checkov(template: Path, *options: str) -> dict[str, list[str]]:
    """Returns each check that failed, with the resources that it is about."""
    argv = (sys.executable, "-m", "checkov.main", "--config-file", CONFIG, "--file", str(template))
    results = parsed(*argv, *options)["results"]
    if results["parsing_errors"] or not results["passed_checks"] + results["failed_checks"]:
        raise Failure(f"checkov n'a pas lu le gabarit : {results['parsing_errors']}")
    found: dict[str, list[str]] = defaultdict(list)
    for one in results["failed_checks"]:
        found[one["check_id"]].append(one["resource"].rpartition(".")[2])
    return found


def results() -> Results:
    environment.enter(VENV_CHECK, tools.HERE / "requirements-check.txt")
    with tempfile.TemporaryDirectory() as folder:
        template, opened = Path(folder) / "template.json", Path(folder) / "opened.json"
        yield passes("template.py", str(VENV / "bin/python"), str(HERE / "template.py"), str(template))
        yield passes("cfn-lint", str(VENV / "bin/cfn-lint"), "--regions", "ca-central-1", "--template", str(template))
        yield from guard(str(template))
        findings = checkov(template)
        yield not findings, f"checkov: findings: {dict(findings) or 'none'}"
        exceptions = re.findall(r"^  - (CKV\w+)$", Path(CONFIG).read_text(), re.MULTILINE)
        unused = sorted({*exceptions} - {*checkov(template, "--skip-check", "none", "--check", ",".join(exceptions))})
        yield not unused, f"checkov: exceptions that nothing needs: {unused or 'none'}"
        changed = json.loads(template.read_text())
        changed["Resources"]["RawBucket"]["Properties"]["PublicAccessBlockConfiguration"] = {}
        opened.write_text(json.dumps(changed))
        found = sorted(checkov(opened))
        yield bool(found), f"checkov: a planted open bucket is found by {found or 'none'}"


if __name__ == "__main__":
    finish(results)
