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
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "local"))

import environment
import tools
from results import Results, finish
from tools import VENV, VENV_CHECK, Failure, output_of

HERE = Path(__file__).resolve().parent
RULES, TESTS, CONFIG = (str(HERE / name) for name in ("rules.guard", "rules_tests.yaml", "checkov.yaml"))


def guard(template: str) -> Results:
    argv = ["cfn-guard", "validate", "--rules", RULES, "--data", template, "--show-summary", "all"]
    report = output_of(argv, "cfn-guard validate")
    argv = ["cfn-guard", "test", "--rules-file", RULES, "--test-data", TESTS]
    tests = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    expected = Counter(re.findall(r"^ +(\w+): Expected = (PASS|FAIL)$", tests, re.MULTILINE))
    for text in re.findall(r"^ +(\w+: .*Evaluated = .*)$", tests, re.MULTILINE):
        yield False, f"cfn-guard test: {text}"
    # A rule that finds no resource is skipped.
    for rule, status in re.findall(r"^rules\.guard/(\w+) +(\w+)$", report, re.MULTILINE):
        violations = expected[rule, "FAIL"]
        yield status == "PASS" and violations > 0, f"cfn-guard {rule}: {status}, {violations} planted violations found"


def checkov(template: Path, *options: str) -> set[str]:
    """Returns the checks that failed."""
    argv = [sys.executable, "-m", "checkov.main", "--config-file", CONFIG, "--file", str(template), "--soft-fail"]
    results = json.loads(output_of([*argv, *options], "checkov"))["results"]
    if results["parsing_errors"] or not results["passed_checks"] + results["failed_checks"]:
        raise Failure(f"checkov n'a pas lu le gabarit : {results['parsing_errors']}")
    return {f"{one['check_id']} {one['resource']}" for one in results["failed_checks"]}


def results() -> Results:
    environment.enter(VENV_CHECK, tools.HERE / "requirements-check.txt")
    # Neither checkov's guides nor cfn-lint's updates are needed: nothing leaves the machine.
    os.environ["LOG_LEVEL"] = "ERROR"
    with tempfile.TemporaryDirectory() as folder:
        template, opened = Path(folder) / "template.json", Path(folder) / "opened.json"
        print(output_of([str(VENV / "bin/python"), str(HERE / "template.py"), str(template)], "template.py"), end="")
        lint = [str(VENV / "bin/cfn-lint"), "--regions", "ca-central-1", "--template", str(template)]
        yield not output_of(lint, "cfn-lint"), "cfn-lint: no finding"
        yield from guard(str(template))
        findings = checkov(template)
        yield not findings, f"checkov: {', '.join(findings) or 'no finding'}"
        exceptions = re.findall(r"^  - (CKV\w+)$", Path(CONFIG).read_text(), re.MULTILINE)
        excepted = checkov(template, "--skip-check", "none", "--check", ",".join(exceptions))
        unused = {*exceptions} - {finding.split()[0] for finding in excepted}
        yield not unused, f"checkov: {len(exceptions)} exceptions, unused: {', '.join(unused) or 'none'}"
        changed = json.loads(template.read_text())
        changed["Resources"]["RawBucket"]["Properties"]["PublicAccessBlockConfiguration"] = {}
        opened.write_text(json.dumps(changed))
        yield bool(checkov(opened)), "checkov: a planted open bucket is found"


if __name__ == "__main__":
    finish(results)
