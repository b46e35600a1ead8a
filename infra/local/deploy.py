"""Builds the workspace, migrates the database and deploys the real template.yaml to a stack's local AWS."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import emulator
import letterbox
import postgres
import simulator
import tools
from tools import HERE, ROOT, VENV, Failure, Stack, say

FUNCTIONS = ("fetcher", "stager", "reconciler", "health", "alerter")
DATABASE_SCHEMA = "gazelle"


# -------------------------------------------------------------------------------- build


@functools.cache
def target() -> str:
    """The host's triple. Given explicitly to every cargo call, so that all share target/<triple>/release."""
    if os.environ.get("CARGO_BUILD_TARGET"):
        return os.environ["CARGO_BUILD_TARGET"]
    words = tools.output_of(["rustc", "-vV"], "rustc n'est pas utilisable (rustup l'installe : https://rustup.rs)", cwd=ROOT)
    return next(line.removeprefix("host: ") for line in words.splitlines() if line.startswith("host: "))


def binary(name: str) -> Path:
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return folder / target() / "release" / name


def build_env() -> dict[str, str]:
    """Puts the venv's cargo-lambda and sam first, and fixes the target."""
    return dict(os.environ) | {
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "CARGO_BUILD_TARGET": target(),
        # Our own configuration, not the operator's: see the file.
        "CARGO_LAMBDA_GLOBAL": str(HERE / "cargo-lambda.toml"),
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(tools.LOCAL / "sam"),
    }


def build() -> None:
    """Every binary of the workspace, once, in the profile the tests use too."""
    for tool in ("cc", "cargo"):
        if not shutil.which(tool):
            hint = "le paquet build-essential ou gcc" if tool == "cc" else "https://rustup.rs"
            raise Failure(f"{tool} manque sur cette machine ({hint}).")
    say("Compilation (plusieurs minutes la première fois)…")
    argv = ["cargo", "build", "--release", "--locked", "--workspace", "--bins"]
    if subprocess.run(argv, cwd=ROOT, env=build_env(), check=False).returncode != 0:
        raise Failure("La compilation a échoué : voir les messages de cargo ci-dessus.")


# ------------------------------------------------------------------------------- deploy


def migrate(stack: Stack) -> None:
    """Brings the schema up to date before the functions that expect it arrive."""
    say("Migrations de la base…")
    env = dict(os.environ) | {"DATABASE_URL": postgres.url(stack), "DATABASE_SCHEMA": DATABASE_SCHEMA}
    tools.output_of([str(binary("gazelle-admin")), "migrate"], "Les migrations ont échoué", env=env, cwd=ROOT)


def app_url(stack: Stack) -> str:
    """The address that the functions get: their own role's, or the operator's where the database is theirs."""
    if postgres.url(stack) != stack.section("addresses").get("database_url"):
        return postgres.url(stack)
    known = stack.section("secrets").get("database_app_url")
    try:
        # The password may have been changed since, as an operator does.
        known and postgres.query(stack, "select 1", known)
    except Failure:
        known = None
    if not known:
        stack.section("secrets")["database_app_url"] = known = _give_login(stack)
        stack.save()
    return str(known)


def _give_login(stack: Stack) -> str:
    env = dict(os.environ) | {"DATABASE_URL": postgres.url(stack), "DATABASE_SCHEMA": DATABASE_SCHEMA}
    return tools.output_of([str(binary("gazelle-admin")), "login", "app"], "gazelle-admin login", env=env, cwd=ROOT).strip()


def secret_names(stack: Stack) -> dict[str, str]:
    prefix = emulator.stack_name(stack)
    return {part: f"{prefix}/{part}" for part in ("gazelle", "database", "health", "alerts")}


def store_secrets(stack: Stack) -> None:
    """The secrets the template names, written before the functions read them."""
    client = aws(stack, "secretsmanager")
    token = stack.remember("secrets", "health_token", lambda: secrets.token_urlsafe(24))
    values: dict[str, dict[str, str]] = {
        "gazelle": {"api_key": simulator.api_key(stack)},
        "database": {"url": app_url(stack)},
        "health": {"token": token},
        "alerts": letterbox.secret(stack),
    }
    for part, name in secret_names(stack).items():
        text = json.dumps(values[part])
        try:
            client.create_secret(Name=name, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=text)


def parameters(stack: Stack, schedules: str) -> dict[str, str]:
    names = secret_names(stack)
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    chosen = {
        "Stage": "local",
        "Architecture": machine,
        "SchedulesState": schedules,
        "GazelleUrl": simulator.gazelle_url(stack),
        "GazelleTokenUrl": simulator.token_url(stack),
        "GazelleAuth": "api_key",
        "GazelleSecretName": names["gazelle"],
        "DatabaseSecretName": names["database"],
        "HealthSecretName": names["health"],
        "AlertsSecretName": names["alerts"],
        # Nobody's addresses: mail stays in the emulator.
        "AlertEmailFrom": "alertes@example.org",
        "AlertEmailTo": "administration@example.org",
        "DatabaseSchema": DATABASE_SCHEMA,
        "DatabaseMode": os.environ.get("DATABASE_MODE", "session"),
    }
    # The real Gazelle allows five requests a second; the simulated one is as fast as this machine.
    if not simulator.operators_gazelle(stack):
        chosen["RequestsPerSecond"] = "50"
    return chosen


def deploy(stack: Stack, schedules: str) -> bool:
    """`sam build` and `sam deploy` of the root template, unless nothing changed since; says whether it deployed."""
    store_secrets(stack)
    chosen = parameters(stack, schedules)
    fingerprint = _fingerprint(chosen)
    if stack.data.get("deployed") == fingerprint:
        return False
    say("Déploiement de template.yaml (sam build, sam deploy)…")
    # cargo-lambda packs whole built binaries, so the build is a copy: nothing is compiled a second time.
    built = stack.dir / "build"
    _sam(stack, "build", "--template-file", str(ROOT / "template.yaml"), "--build-dir", str(built),
         "--parameter-overrides", *_pairs(chosen))
    _sam(stack, "deploy", "--template-file", str(built / "template.yaml"), "--stack-name", emulator.stack_name(stack),
         "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset",
         "--no-progressbar", "--parameter-overrides", *_pairs(chosen))
    stack.data["outputs"] = outputs(stack)
    stack.data["deployed"] = fingerprint
    stack.save()
    return True


def outputs(stack: Stack) -> dict[str, str]:
    found = aws(stack, "cloudformation").describe_stacks(StackName=emulator.stack_name(stack))["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def set_schedules(stack: Stack, state: str) -> None:
    """Pauses or resumes the schedules of a deployed stack without deploying again."""
    client = aws(stack, "scheduler")
    for known in client.list_schedules()["Schedules"]:
        schedule = client.get_schedule(Name=known["Name"], GroupName=known["GroupName"])
        wanted = {key: schedule[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
        client.update_schedule(Name=known["Name"], GroupName=known["GroupName"], State=state, **wanted)


def aws(stack: Stack, service: Any, read_timeout_s: int = 60) -> Any:
    """A client of this stack's AWS and of no real one. It does not retry: a doubled invocation is one too many."""
    import boto3
    from botocore.config import Config

    # boto3 reads more of the environment than it can be told to ignore: a profile there would be looked up first.
    os.environ.update(emulator.client_env(stack))
    os.environ.pop("AWS_PROFILE", None)
    return boto3.client(service, endpoint_url=emulator.endpoint(stack), region_name=tools.REGION,
                        aws_access_key_id=emulator.ACCESS_KEY, aws_secret_access_key=emulator.ACCESS_KEY,
                        config=Config(read_timeout=read_timeout_s, retries={"total_max_attempts": 1}, proxies={}))


def _fingerprint(chosen: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode())
    for path in [ROOT / "template.yaml", *(binary(name) for name in FUNCTIONS)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _pairs(chosen: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in chosen.items()]


def _sam(stack: Stack, command: str, *words: str) -> None:
    """sam, speaking to this stack only; its words are shown when it fails."""
    env = emulator.without_aws(build_env()) | emulator.client_env(stack)
    # A configuration file of its own kind: samconfig.toml is for deployments to AWS.
    argv = [str(VENV / "bin" / "sam"), command, "--config-env", "local", *words]
    log = tools.log_of(stack, f"sam-{command}")
    with log.open("wb") as file:
        code = subprocess.run(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False).returncode
    if code != 0:
        raise Failure(f"sam {command} a échoué (code {code}). Fin de {log} :\n{tools.tail(log, 8)}{_causes(stack)}")


def _causes(stack: Stack) -> str:
    """What CloudFormation itself says of a failed deployment; sam does not always repeat it."""
    client = aws(stack, "cloudformation")
    try:
        known = client.describe_stacks(StackName=emulator.stack_name(stack))["Stacks"][0]
        events = client.describe_stack_events(StackName=emulator.stack_name(stack))["StackEvents"]
    except client.exceptions.ClientError:
        return ""
    words = [known.get("StackStatusReason", "")]
    failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
    words += [f"{event['LogicalResourceId']} : {event.get('ResourceStatusReason', '')}" for event in failed]
    return "".join(f"\n    {word}" for word in dict.fromkeys(words) if word)


# -------------------------------------------------------------------------- what to export


def exports(stack: Stack) -> dict[str, str]:
    """Everything a shell, a test or a client needs to speak to this stack."""
    found = {
        "DATABASE_URL": postgres.url(stack),
        "DATABASE_APP_URL": str(stack.section("secrets").get("database_app_url", postgres.url(stack))),
        "DATABASE_SCHEMA": DATABASE_SCHEMA,
        "STACK_NAME": stack.name,
        "STACK_LOGS": str(stack.logs),
    }
    if not stack.data.get("outputs"):
        return found
    out = stack.data["outputs"]
    return found | emulator.client_env(stack) | {
        "RAW_BUCKET": out["RawBucket"],
        "FETCHER_FUNCTION": out["FetcherFunctionName"],
        "STAGER_FUNCTION": out["StagerFunctionName"],
        "RECONCILER_FUNCTION": out["ReconcilerFunctionName"],
        "HEALTH_FUNCTION": out["HealthFunctionName"],
        "RAW_EVENTS_QUEUE_URL": out["RawEventsQueueUrl"],
        "RAW_EVENTS_DLQ_URL": out["RawEventsDeadLetterQueueUrl"],
        "RECONCILE_QUEUE_URL": out["ReconcileQueueUrl"],
        "RECONCILE_DLQ_URL": out["ReconcileDeadLetterQueueUrl"],
        "FETCH_QUEUE_URL": out["FetchQueueUrl"],
        "FETCH_DLQ_URL": out["FetchDeadLetterQueueUrl"],
        "FETCHER_FAILURE_QUEUE_URL": out["FetcherFailureQueueUrl"],
        "ALERTER_FUNCTION": out["AlerterFunctionName"],
        "ALERTS_QUEUE_URL": out["AlertsQueueUrl"],
        "ALERTS_SECRET": secret_names(stack)["alerts"],
        "DATABASE_SECRET": secret_names(stack)["database"],
        "GAZELLE_SECRET": secret_names(stack)["gazelle"],
        "HEALTH_SECRET": secret_names(stack)["health"],
        "INBOX_URL": letterbox.url(stack),
        "GAZELLE_URL": simulator.gazelle_url(stack),
        "GAZELLE_TOKEN_URL": simulator.token_url(stack),
        "GAZELLE_API_KEY": simulator.api_key(stack),
        "SIM_URL": simulator.url(stack) if not simulator.operators_gazelle(stack) else "",
        "HEALTH_URL": emulator.endpoint(stack),
        "HEALTH_HOST": f"{out['ApiId']}.execute-api.localhost",
        "HEALTH_TOKEN": str(stack.section("secrets")["health_token"]),
    }


def write_lambda_env(stack: Stack) -> Path:
    """The variables the template gave the functions, read back from the deployed ones, for `cargo lambda watch`."""
    client = aws(stack, "lambda")
    variables: dict[str, str] = {}
    for key in ("FetcherFunctionName", "StagerFunctionName", "ReconcilerFunctionName", "HealthFunctionName", "AlerterFunctionName"):
        config = client.get_function_configuration(FunctionName=stack.data["outputs"][key])
        variables |= config["Environment"]["Variables"]
    path = stack.dir / "lambda.env"
    path.write_text("".join(f"{key}={value}\n" for key, value in sorted(variables.items())))
    return path


if __name__ == "__main__":
    sys.exit("Voir stack.py.")
