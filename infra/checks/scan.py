"""Other people's rules on the transformed template: cfn-lint, checkov, and our own in cfn-guard's words.

`python3 infra/checks/scan.py`, after `make setup`. A finding ends it with 1, unless it stands below with its reason; so
does an exception that nothing needs any more. cfn-guard is looked for on the PATH.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local")]

import environment
import tools
from tools import VENV, VENV_CHECK, Failure
from transformed import Template, properties

OWN_KEYS = (
    "Encrypted by a key that AWS manages. A key of our own would be read by the same roles of the same account, cost a call "
    "and a bill per use, and stop the mirror if it were disabled by mistake."
)

EXCEPTIONS = {
    "CKV_AWS_18": (
        "Access logs of the bucket would need a second bucket, which asks for the same. Only our roles reach it, and each of "
        "their calls is in CloudTrail where an account wants that."
    ),
    "CKV_AWS_26": "CloudWatch may not use the key that SNS manages: encrypted by it, no alarm would arrive. An alarm names a function and a number.",
    "CKV_AWS_27": f"The check knows keys of our own only; SqsManagedSseEnabled is set, and template.py holds it. {OWN_KEYS}",
    "CKV_AWS_115": (
        "A young account has ten executions in all and refuses to reserve any. MaximumConcurrency of the mappings and the "
        "throttling of the API bound what the database sees: template.py adds it up."
    ),
    "CKV_AWS_116": "OnFailure of EventInvokeConfig is the newer way, and keeps the reason as well. template.py asks for it wherever nobody waits for the answer.",
    "CKV_AWS_117": "The functions speak to Gazelle and to Supabase, both on the internet: a VPC would be a NAT gateway to pay for, and no door less.",
    "CKV_AWS_158": OWN_KEYS,
    "CKV_AWS_173": f"The variables hold names and addresses, no secret: those are in Secrets Manager. {OWN_KEYS}",
}
"""Findings of checkov that stay, and why."""

Plant = Callable[[Template], Any]


def put(name: str, **changed: Any) -> Plant:
    return lambda template: properties(template, name).update(changed)


def statement(name: str, **changed: Any) -> Plant:
    """Plants other words in the first statement of a resource's policy."""
    return lambda template: properties(template, name)["PolicyDocument"]["Statement"][0].update(changed)


def grant(**words: Any) -> Plant:
    """Plants one statement more in a role."""
    granted = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": {"Fn::GetAtt": ["RawBucket", "Arn"]}} | words
    return lambda template: properties(template, "StagerRole")["Policies"][0]["PolicyDocument"]["Statement"].append(granted)


PLANTED: dict[str, tuple[Plant, ...]] = {
    "buckets_are_encrypted_and_versioned": (put("RawBucket", BucketEncryption={}), put("RawBucket", VersioningConfiguration={"Status": "Suspended"})),
    "buckets_are_not_public": (put("RawBucket", PublicAccessBlockConfiguration={"BlockPublicAcls": True}), put("RawBucket", OwnershipControls={})),
    "buckets_outlive_the_stack": (lambda template: template["Resources"]["RawBucket"].update(DeletionPolicy="Delete"),),
    "queues_are_encrypted": (put("FetchQueue", SqsManagedSseEnabled=False),),
    "queues_say_whose_dead_letters_they_take": (put("FetchQueue", RedriveAllowPolicy={"redrivePermission": "allowAll"}),),
    "policies_refuse_what_comes_without_tls": (statement("FetchQueuePolicy", Effect="Allow"), statement("RawBucketPolicy", Condition={})),
    "policies_let_in_no_stranger": (statement("RawEventsQueuePolicy", Condition={}), put("HealthApiPermission", Principal="*")),
    "roles_name_their_actions_and_resources": (grant(Action="s3:*"), grant(Action=["s3:GetObject", "s3:Put*"]), grant(Resource="*"), grant(NotAction="s3:GetObject")),
    "functions_have_a_role_a_log_and_a_trace": (put("StagerFunction", TracingConfig={"Mode": "PassThrough"}), put("StagerFunction", Role="arn:aws:iam::1:role/x")),
    "logs_are_forgotten_in_time": (lambda template: properties(template, "StagerLogGroup").clear(),),
    "mappings_answer_for_each_message": (put("StagerFunctionRawEvents", FunctionResponseTypes=[]), put("StagerFunctionRawEvents", ScalingConfig={})),
    "alarms_tell_somebody": (put("HeartbeatAlarm", AlarmActions=[]),),
}
"""For each rule of rules.guard what it must find."""


def main() -> int:
    try:
        environment.enter(VENV_CHECK, tools.HERE / "requirements-check.txt")
        if not (VENV / "bin" / "cfn-lint").exists():
            raise Failure("Les outils manquent : make setup")
        with tempfile.TemporaryDirectory() as folder:
            return _scan(Path(folder))
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1


def _scan(folder: Path) -> int:
    file = folder / "template.json"
    tools.output_of([str(VENV / "bin" / "python"), str(HERE / "transformed.py"), str(file)], "La transformation a échoué")
    lines = [*_lint(file), *_checkov(file), *_guard(file)]
    for passed, words in lines:
        print(f"{'✓' if passed else '✗'} {words}")
    failed = sum(not passed for passed, _ in lines)
    print(f"{len(lines) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    # checkov's guides and cfn-lint's updates are for those who ask: nothing here leaves the machine.
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=dict(os.environ) | {"LOG_LEVEL": "ERROR"})


def _lint(file: Path) -> list[tuple[bool, str]]:
    done = _run(str(VENV / "bin" / "cfn-lint"), "--regions", "ca-central-1", "--format", "parseable", "--template", str(file))
    return [(done.returncode == 0, "cfn-lint: no finding" if done.returncode == 0 else f"cfn-lint:\n{done.stdout}{done.stderr}")]


# ------------------------------------------------------------------------------ checkov


def _checkov(file: Path) -> list[tuple[bool, str]]:
    known = _findings(file)
    lines = [(finding in EXCEPTIONS, _told(finding, resources)) for finding, resources in sorted(known.items())]
    lines += [(False, f"checkov {finding}: excepted, and not found any more") for finding in EXCEPTIONS if finding not in known]
    opened = json.loads(file.read_text())
    for plant in (put("RawBucket", PublicAccessBlockConfiguration={}), put("RawBucket", BucketEncryption={"ServerSideEncryptionConfiguration": []})):
        plant(opened)
    planted = file.with_name("opened.json")
    planted.write_text(json.dumps(opened))
    new = set(_findings(planted)) - set(known)
    return [*lines, (bool(new), f"checkov finds an opened bucket ({', '.join(sorted(new)) or 'not'})")]


def _told(finding: str, resources: list[str]) -> str:
    if finding in EXCEPTIONS:
        return f"checkov {finding} stays ({len(resources)}): {EXCEPTIONS[finding]}"
    return f"checkov {finding}: {', '.join(resources)}"


def _findings(file: Path) -> dict[str, list[str]]:
    """Each failed check and the resources it is about."""
    done = _run(sys.executable, "-m", "checkov.main", "--file", str(file), "--framework", "cloudformation", "--skip-download", "--compact", "--output", "json")
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"checkov n'a rien répondu de lisible :\n{done.stdout[-500:]}{done.stderr[-500:]}") from error
    if results["parsing_errors"] or not results["passed_checks"]:
        raise Failure(f"checkov n'a pas lu le gabarit : {results['parsing_errors']}")
    found: dict[str, list[str]] = {}
    for one in results["failed_checks"]:
        found.setdefault(one["check_id"], []).append(one["resource"].rsplit(".", 1)[-1])
    return found


# ---------------------------------------------------------------------------- cfn-guard


def _guard(file: Path) -> list[tuple[bool, str]]:
    program = shutil.which("cfn-guard")
    if program is None:
        raise Failure("cfn-guard manque : make check l'installe.")
    template = json.loads(file.read_text())
    kept = _kept(program, file)
    lines = [(False, f"cfn-guard: no violation of {rule} is planted") for rule in kept - set(PLANTED)]
    for rule, plants in PLANTED.items():
        blind = []
        for number, plant in enumerate(plants, 1):
            planted = copy.deepcopy(template)
            plant(planted)
            other = file.with_name("planted.json")
            other.write_text(json.dumps(planted))
            blind += [str(number)] if rule in _kept(program, other) else []
        words = f"cfn-guard: {rule.replace('_', ' ')} ({len(plants)} planted)"
        lines.append((rule in kept and not blind, words + (f", not found: {', '.join(blind)}" if blind else "")))
    return lines


def _kept(program: str, file: Path) -> set[str]:
    """The rules that a template keeps."""
    done = _run(program, "validate", "--rules", str(HERE / "rules.guard"), "--data", str(file), "--structured", "--output-format", "json", "--show-summary", "none")
    try:
        return {str(rule) for report in json.loads(done.stdout) for rule in report["compliant"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"cfn-guard n'a rien répondu de lisible :\n{done.stdout[-500:]}{done.stderr[-500:]}") from error


if __name__ == "__main__":
    sys.exit(main())
