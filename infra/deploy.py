"""Deploys to AWS, pauses and resumes a deployed stack, goes back to an earlier version. Called by `make`.

`make deploy STAGE=dev|prod`: migrates first, then deploys, then asks the doctor. Reads DATABASE_URL (an administrator's)
and the usual AWS variables; nothing of a secret is ever shown.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "local")]

from tools import ROOT, VENV, Failure, output_of, say

STAGES = ("dev", "prod")

DEFAULT_SCHEMA = "gazelle"
"""What template.yaml says where samconfig.toml says nothing."""

DOCTOR = {
    "RAW_BUCKET": "RawBucket",
    "RAW_EVENTS_QUEUE_URL": "RawEventsQueueUrl",
    "RAW_EVENTS_DLQ_URL": "RawEventsDeadLetterQueueUrl",
    "RECONCILE_QUEUE_URL": "ReconcileQueueUrl",
    "RECONCILE_DLQ_URL": "ReconcileDeadLetterQueueUrl",
    "FETCH_QUEUE_URL": "FetchQueueUrl",
    "FETCH_DLQ_URL": "FetchDeadLetterQueueUrl",
}
"""What the doctor reads, and the output of the stack that says it."""

FROM_PARAMETERS = {
    "GAZELLE_SECRET_ID": "GazelleSecretName",
    "DATABASE_SECRET_ID": "DatabaseSecretName",
    "HEALTH_SECRET_ID": "HealthSecretName",
    "ALERTS_SECRET_ID": "AlertsSecretName",
    "DATABASE_SCHEMA": "DatabaseSchema",
    "DATABASE_MODE": "DatabaseMode",
    "GAZELLE_URL": "GazelleUrl",
    "GAZELLE_TOKEN_URL": "GazelleTokenUrl",
    "GAZELLE_AUTH": "GazelleAuth",
}
"""What the doctor reads, and the parameter of the stack that says it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy.py", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--stage", default="", help="dev ou prod (samconfig.toml)")
    parser.add_argument("--to", help="rollback : l'étiquette ou le commit à redéployer")
    args = parser.parse_args()
    try:
        if args.stage not in STAGES:
            raise Failure(f"STAGE={args.stage or '…'} : quelle pile ? make {args.command} STAGE=dev ou make {args.command} STAGE=prod")
        return COMMANDS[args.command](args)
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1


# ------------------------------------------------------------------------------ commands


def deploy(args: argparse.Namespace) -> int:
    """Migrates, then deploys: the schema serves the old code and the new."""
    if args.stage == "prod" and output_of(["git", "status", "--porcelain"], "git", cwd=ROOT).strip() and not os.environ.get("FORCE"):
        raise Failure("Des fichiers ne sont pas dans un commit : prod se déploie d'un commit (FORCE=1 pour passer outre).")
    if not os.environ.get("DATABASE_URL"):
        raise Failure("DATABASE_URL manque : l'adresse d'un administrateur de la base, en connexion directe ou de session.")
    chosen = _chosen(ROOT, args.stage)
    admin = _admin()
    # The schema of the stack, whatever the shell says: a trial must not migrate production.
    schema = chosen.get("DatabaseSchema", DEFAULT_SCHEMA)
    say(f"Migrations du schéma « {schema} »…")
    _run([str(admin), "migrate"], "Les migrations ont échoué : rien n'a été déployé", env=dict(os.environ) | {"DATABASE_SCHEMA": schema})
    _deploy_tree(ROOT, args.stage, chosen)
    return doctor(args)


def rollback(args: argparse.Namespace) -> int:
    """Deploys an earlier version beside this tree. Migrations only go forward, and serve the code before them."""
    if not args.to:
        raise Failure("À quelle version revenir ? make rollback STAGE=prod TO=v6.0.0")
    with tempfile.TemporaryDirectory(prefix="rollback-") as folder:
        tree = Path(folder) / "tree"
        output_of(["git", "worktree", "add", "--detach", str(tree), args.to], f"git ne connaît pas {args.to}", cwd=ROOT)
        try:
            _deploy_tree(tree, args.stage, _chosen(tree, args.stage))
        finally:
            output_of(["git", "worktree", "remove", "--force", str(tree)], "git worktree", cwd=ROOT)
    return doctor(args)


def pause(args: argparse.Namespace) -> int:
    """Schedules off, in place: what is on its way goes on, nothing new is fetched."""
    return _schedules(args, "DISABLED")


def resume(args: argparse.Namespace) -> int:
    """Schedules on again: the next tick goes on where the last one ended."""
    return _schedules(args, "ENABLED")


def doctor(args: argparse.Namespace) -> int:
    """Checks everything that this installation needs."""
    stack = _stack(args.stage)
    if stack is None:
        raise Failure(f"La pile {_stack_name(args.stage)} n'est pas déployée : make deploy STAGE={args.stage}")
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    # An earlier version may lack some: the doctor says what it could not look at.
    env = {name: outputs[key] for name, key in DOCTOR.items() if key in outputs}
    env |= {name: parameters[key] for name, key in FROM_PARAMETERS.items() if key in parameters}
    env["AWS_REGION"] = _region(args.stage)
    return subprocess.run([str(_admin()), "doctor"], env=dict(os.environ) | env, check=False).returncode


COMMANDS = {"deploy": deploy, "rollback": rollback, "pause": pause, "resume": resume, "doctor": doctor}

# ------------------------------------------------------------------------------- details


def _stack_name(stage: str) -> str:
    return os.environ.get("STACK_NAME") or f"gazelle-v6-{stage}"


def _settings(tree: Path, stage: str, command: str) -> dict[str, Any]:
    """What a tree's samconfig.toml says of a stage, in sam's own reader of such files."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return dict(tomlkit.parse((tree / "samconfig.toml").read_text()).unwrap()[stage][command]["parameters"])
    except (OSError, KeyError, TOMLKitError) as error:
        raise Failure(f"samconfig.toml de cette version ne connaît pas la pile {stage} ({command}) : elle ne se déploie pas ainsi.") from error


def _region(stage: str) -> str:
    return str(_settings(ROOT, stage, "global")["region"])


def _chosen(tree: Path, stage: str) -> dict[str, str]:
    """The parameters that a tree gives a stage. A stack that was paused stays so until `resume`, whatever is deployed."""
    written = _settings(tree, stage, "deploy").get("parameter_overrides", [])
    words = [*(shlex.split(written) if isinstance(written, str) else written), *_extra()]
    chosen = dict(word.split("=", 1) for word in words if _is_parameter(word))
    stack = _stack(stage)
    deployed = {one["ParameterKey"]: one["ParameterValue"] for one in (stack or {}).get("Parameters", [])}
    if deployed.get("SchedulesState") == "DISABLED" and chosen.get("SchedulesState") != "DISABLED":
        say(f"{_stack_name(stage)} est en pause et le reste : make resume STAGE={stage}")
        chosen["SchedulesState"] = "DISABLED"
    return chosen


def _extra() -> list[str]:
    """Words for `sam deploy`, for a trial: another endpoint, another machine's binaries."""
    return shlex.split(os.environ.get("SAM_DEPLOY_ARGS", ""))


def _is_parameter(word: str) -> bool:
    return "=" in word and not word.startswith("-")


def _cloudformation(stage: str) -> Any:
    import boto3

    return boto3.client("cloudformation", region_name=_region(stage))


def _stack(stage: str) -> dict[str, Any] | None:
    """The deployed stack; none where there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(_cloudformation(stage).describe_stacks(StackName=_stack_name(stage))["Stacks"][0])
    except (BotoCoreError, ClientError) as error:
        if "does not exist" in str(error):
            return None
        raise Failure(f"La pile {_stack_name(stage)} ne se laisse pas lire : {error}") from error


def _schedules(args: argparse.Namespace, state: str) -> int:
    """One parameter of the deployed stack, with the template that is deployed."""
    from botocore.exceptions import BotoCoreError, ClientError

    stack, client = _stack(args.stage), _cloudformation(args.stage)
    if stack is None:
        raise Failure(f"La pile {_stack_name(args.stage)} n'est pas déployée : rien n'est planifié.")
    known = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    if known["SchedulesState"] == state:
        say(f"Les planifications de {_stack_name(args.stage)} sont déjà {state}.")
        return 0
    parameters = [{"ParameterKey": key, "UsePreviousValue": True} for key in known if key != "SchedulesState"]
    parameters.append({"ParameterKey": "SchedulesState", "ParameterValue": state})
    try:
        client.update_stack(StackName=_stack_name(args.stage), UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
        client.get_waiter("stack_update_complete").wait(StackName=_stack_name(args.stage), WaiterConfig={"Delay": 3, "MaxAttempts": 200})
    except (BotoCoreError, ClientError) as error:
        raise Failure(f"Les planifications n'ont pas changé : {error}") from error
    say(f"Planifications de {_stack_name(args.stage)} : {state}.")
    return 0


def _deploy_tree(tree: Path, stage: str, chosen: dict[str, str]) -> None:
    """`sam build` and `sam deploy` of a tree of files, for arm64."""
    env = {key: value for key, value in os.environ.items() if key != "CARGO_BUILD_TARGET"}
    env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    say("Compilation des fonctions (sam build)…")
    _run(["sam", "build", "--config-env", stage, *shlex.split(os.environ.get("SAM_BUILD_ARGS", ""))], "sam build a échoué : rien n'a été déployé", cwd=tree, env=env)
    say(f"Déploiement de {_stack_name(stage)}…")
    words = ["--config-env", stage, "--stack-name", _stack_name(stage), "--no-fail-on-empty-changeset", "--no-confirm-changeset"]
    words += [word for word in _extra() if word != "--parameter-overrides" and not _is_parameter(word)]
    words += ["--parameter-overrides", *(f"{key}={value}" for key, value in chosen.items())]
    _run(["sam", "deploy", *words], "sam deploy a échoué : CloudFormation a remis la version d'avant", cwd=tree, env=env)


def _admin() -> Path:
    """gazelle-admin of this tree, for this machine."""
    say("gazelle-admin…")
    _run(["cargo", "build", "--release", "--locked", "--workspace", "--bins"], "La compilation a échoué", cwd=ROOT)
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    triple = os.environ.get("CARGO_BUILD_TARGET", "")
    return folder / triple / "release" / "gazelle-admin"


def _run(argv: list[str], what: str, **options: Any) -> None:
    if subprocess.run(argv, check=False, **options).returncode != 0:
        raise Failure(f"{what}.")


if __name__ == "__main__":
    sys.exit(main())
