"""Builds, migrates and deploys: template.yaml to a stack's local AWS (for stack.py), or a stage to AWS (for `make`).

`make deploy STAGE=dev|prod` migrates first, then deploys, then runs the doctor. It reads DATABASE_URL (an
administrator's) and the usual AWS variables, and never prints a secret.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emulator
import postgres
import simulator
import tools
from tools import HERE, ROOT, VENV, Failure, Stack, output_of, say

FUNCTIONS = ("Fetcher", "Stager", "Reconciler", "Health", "Alerter")
DATABASE_SCHEMA = "gazelle"
"""Schema of the local stacks; also the template's default, where samconfig.toml names none."""


@functools.cache
def target() -> str:
    """Returns the host's triple, which every cargo call gets, so that all share target/<triple>/release."""
    if given := os.environ.get("CARGO_BUILD_TARGET"):
        return given
    words = output_of(["rustc", "-vV"], "rustc n'est pas utilisable (rustup l'installe : https://rustup.rs)", cwd=ROOT)
    return next(line.removeprefix("host: ") for line in words.splitlines() if line.startswith("host: "))


def binary(name: str) -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / target() / "release" / name


def build() -> None:
    """Compiles every binary of the workspace, once, in the profile the tests use too."""
    for tool, hint in (("cc", "le paquet build-essential ou gcc"), ("cargo", "https://rustup.rs")):
        if not shutil.which(tool):
            raise Failure(f"{tool} manque sur cette machine ({hint}).")
    say("Compilation (plusieurs minutes la première fois)…")
    argv = ["cargo", "build", "--release", "--locked", "--workspace", "--bins", f"--target={target()}"]
    _run(argv, "La compilation a échoué : voir les messages de cargo ci-dessus")


def _env() -> dict[str, str]:
    """Puts the venv's cargo-lambda and sam first."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return dict(os.environ) | {"PATH": path, "SAM_CLI_TELEMETRY": "0"}


def _run(argv: list[str], what: str, **options: Any) -> None:
    if subprocess.run(argv, check=False, **({"cwd": ROOT} | options)).returncode != 0:
        raise Failure(f"{what}.")


def _describe(client: Any, name: str) -> dict[str, Any]:
    """Returns the deployed stack, empty where there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(client.describe_stacks(StackName=name)["Stacks"][0])
    except (BotoCoreError, ClientError) as error:
        if "does not exist" in str(error):
            return {}
        raise Failure(f"La pile {name} ne se laisse pas lire : {error}") from error


def _values(found: dict[str, Any], kind: str) -> dict[str, str]:
    """Returns the stack's outputs or parameters."""
    return {one[f"{kind}Key"]: one[f"{kind}Value"] for one in found.get(f"{kind}s", [])}


def _variables(values: dict[str, str]) -> dict[str, str]:
    """Returns outputs or parameters as environment variables: RawEventsDeadLetterQueueUrl is RAW_EVENTS_DLQ_URL."""
    found = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).upper(): value for key, value in values.items()}
    short = (("_DEAD_LETTER_QUEUE", "_DLQ"), ("_FUNCTION_NAME", "_FUNCTION"), ("_SECRET_NAME", "_SECRET_ID"))
    return {functools.reduce(lambda text, pair: text.replace(*pair), short, key): one for key, one in found.items()}


def _overrides(chosen: dict[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{key}={value}" for key, value in chosen.items())]


def admin(stack: Stack, *words: str, schema: str = DATABASE_SCHEMA) -> str:
    """Runs gazelle-admin on the stack's database."""
    env = dict(os.environ) | {"DATABASE_URL": postgres.url(stack), "DATABASE_SCHEMA": schema}
    return output_of([str(binary("gazelle-admin")), *words], f"gazelle-admin {words[0]} a échoué", env=env, cwd=ROOT)


def migrate(stack: Stack) -> None:
    """Brings the schema up to date before the functions that expect it arrive."""
    say("Migrations de la base…")
    admin(stack, "migrate")


def app_url(stack: Stack) -> str:
    """Returns the functions' database address: their own role's, or the operator's where the database is theirs."""
    if given := postgres.operators_url(stack):
        return given
    known = stack.section("secrets").get("database_app_url")
    try:
        # The password may have been changed since, as an operator does.
        known and postgres.query(stack, "select 1", known)
    except Failure:
        known = None
    if not known:
        stack.section("secrets")["database_app_url"] = known = admin(stack, "login", "app").strip()
        stack.save()
    return str(known)


def secret_names(stack: Stack) -> dict[str, str]:
    prefix = emulator.stack_name(stack)
    return {part: f"{prefix}/{part}" for part in ("gazelle", "database", "health", "alerts")}


def store_secrets(stack: Stack) -> None:
    """Writes the secrets that the template names, before the functions read them."""
    client, inbox = aws(stack, "secretsmanager"), emulator.inbox(stack)
    values: dict[str, dict[str, str]] = {
        "gazelle": {"api_key": simulator.api_key(stack)},
        "database": {"url": app_url(stack)},
        "health": {"token": stack.remember("secrets", "health_token", lambda: secrets.token_urlsafe(24))},
        # The operator's own webhook and DSN if given, else the inbox.
        "alerts": {
            "slack_webhook_url": os.environ.get("SLACK_WEBHOOK_URL") or f"{inbox}/slack/local",
            "sentry_dsn": os.environ.get("SENTRY_DSN") or inbox.replace("://", "://0123456789abcdef@") + "/1",
        },
    }
    for part, name in secret_names(stack).items():
        text = json.dumps(values[part])
        try:
            client.create_secret(Name=name, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=text)


def parameters(stack: Stack, schedules: str) -> dict[str, str]:
    # The real Gazelle allows five requests a second; the simulated one is as fast as this machine.
    rate = {} if simulator.operators_gazelle(stack) else {"RequestsPerSecond": "50"}
    return rate | {
        "Stage": "local",
        "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
        "SchedulesState": schedules,
        "GazelleUrl": simulator.gazelle_url(stack),
        "GazelleTokenUrl": simulator.token_url(stack),
        "GazelleAuth": "api_key",
        **{f"{part.capitalize()}SecretName": name for part, name in secret_names(stack).items()},
        # Nobody's addresses: mail stays in the emulator.
        "AlertEmailFrom": "alertes@example.org",
        "AlertEmailTo": "administration@example.org",
        "DatabaseSchema": DATABASE_SCHEMA,
        "DatabaseMode": os.environ.get("DATABASE_MODE", "session"),
    }


def deploy(stack: Stack, schedules: str) -> bool:
    """Runs `sam build` and `sam deploy` of the root template; False where nothing changed since the last time."""
    store_secrets(stack)
    chosen = parameters(stack, schedules)
    # As on AWS, mail is only taken from a verified sender.
    aws(stack, "ses").verify_email_identity(EmailAddress=chosen["AlertEmailFrom"])
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode())
    for path in [ROOT / "template.yaml", *(binary(name.lower()) for name in FUNCTIONS)]:
        digest.update(path.read_bytes())
    if stack.data.get("deployed") == digest.hexdigest():
        return False
    say("Déploiement de template.yaml (sam build, sam deploy)…")
    # cargo-lambda packs whole built binaries, so the build is a copy: nothing is compiled a second time.
    name, built = emulator.stack_name(stack), stack.dir / "build"
    _sam(stack, "build", f"--template-file={ROOT / 'template.yaml'}", f"--build-dir={built}", *_overrides(chosen))
    flags = ["--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
    words = [f"--template-file={built / 'template.yaml'}", "--stack-name", name, "--capabilities", "CAPABILITY_IAM"]
    _sam(stack, "deploy", *words, *flags, *_overrides(chosen))
    stack.data["outputs"] = _values(_describe(aws(stack, "cloudformation"), name), "Output")
    stack.data["deployed"] = digest.hexdigest()
    stack.save()
    return True


def _sam(stack: Stack, command: str, *words: str) -> None:
    """Runs sam for this stack only; a failure shows its log and the reasons that CloudFormation keeps."""
    env = emulator.without_aws(_env()) | emulator.client_env(stack)
    # Our own configuration of cargo-lambda, not the operator's: see the file.
    env |= {"CARGO_BUILD_TARGET": target(), "CARGO_LAMBDA_GLOBAL": str(HERE / "cargo-lambda.toml")}
    env |= {"__SAM_CLI_APP_DIR": str(tools.LOCAL / "sam")}
    log = stack.logs / f"sam-{command}.log"
    with log.open("wb") as file:
        # An environment that samconfig.toml does not have: the file is for deployments to AWS.
        argv = [str(VENV / "bin" / "sam"), command, "--config-env", "local", *words]
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        code = subprocess.run(argv, cwd=ROOT, env=env, check=False, **streams).returncode
    if code == 0:
        return
    client, name = aws(stack, "cloudformation"), emulator.stack_name(stack)
    found = _describe(client, name)
    events = client.describe_stack_events(StackName=name)["StackEvents"] if found else []
    reasons = [found.get("StackStatusReason", "")]
    reasons += [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]
    words_of_aws = "".join(f"\n    {reason}" for reason in dict.fromkeys(reasons) if reason)
    raise Failure(f"sam {command} a échoué (code {code}). {tools.tail(log, 8)}{words_of_aws}")


def set_schedules(stack: Stack, state: str, payload: str | None = None) -> None:
    """Pauses or resumes the schedules of a deployed stack, or those with that payload, without deploying again."""
    client = aws(stack, "scheduler")
    for known in client.list_schedules()["Schedules"]:
        schedule = client.get_schedule(Name=known["Name"], GroupName=known["GroupName"])
        if payload in (None, schedule["Target"].get("Input")):
            kept = {key: schedule[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
            client.update_schedule(Name=known["Name"], GroupName=known["GroupName"], State=state, **kept)


def aws(stack: Stack, service: Any, read_timeout_s: int = 60) -> Any:
    """Returns a client of this stack's AWS, and of no real one, without retries: a second invocation would count."""
    import boto3
    from botocore.config import Config

    # boto3 reads more of the environment than it can be told to ignore: a profile there would be looked up first.
    os.environ.update(emulator.client_env(stack))
    os.environ.pop("AWS_PROFILE", None)
    config = Config(read_timeout=read_timeout_s, retries={"total_max_attempts": 1}, proxies={})
    return boto3.client(service, config=config)


def invoke(stack: Stack, function: str, payload: dict[str, str]) -> Any:
    """Returns a function's response; waits a little longer than any may run, so that its answer ends the wait."""
    from botocore.exceptions import BotoCoreError, ClientError

    client, name = aws(stack, "lambda", read_timeout_s=910), stack.data["outputs"][f"{function}FunctionName"]
    try:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(payload))
    except (BotoCoreError, ClientError) as error:
        raise Failure(f"{name} n'a pas répondu : {error}") from error
    return json.loads(answer["Payload"].read() or b"null")


def exports(stack: Stack) -> dict[str, str]:
    """Returns the variables by which a shell, a test or a client speaks to this stack."""
    found = {
        "DATABASE_URL": postgres.url(stack),
        "DATABASE_APP_URL": str(stack.section("secrets").get("database_app_url", postgres.url(stack))),
        "DATABASE_SCHEMA": DATABASE_SCHEMA,
        "STACK_NAME": stack.name,
        "STACK_LOGS": str(stack.logs),
    }
    if not (out := stack.data.get("outputs")):
        return found
    found |= emulator.client_env(stack) | _variables(out)
    found |= {f"{part.upper()}_SECRET": name for part, name in secret_names(stack).items()}
    return found | {
        "INBOX_URL": emulator.inbox(stack),
        "GAZELLE_URL": simulator.gazelle_url(stack),
        "GAZELLE_TOKEN_URL": simulator.token_url(stack),
        "GAZELLE_API_KEY": simulator.api_key(stack),
        "SIM_URL": simulator.url(stack) if not simulator.operators_gazelle(stack) else "",
        "HEALTH_URL": emulator.endpoint(stack),
        "HEALTH_HOST": f"{out['ApiId']}.execute-api.localhost",
        "HEALTH_TOKEN": str(stack.section("secrets")["health_token"]),
    }


def write_lambda_env(stack: Stack) -> Path:
    """Writes the variables of the deployed functions, for `cargo lambda watch`."""
    client, path, variables = aws(stack, "lambda"), stack.dir / "lambda.env", dict[str, str]()
    for name in FUNCTIONS:
        config = client.get_function_configuration(FunctionName=stack.data["outputs"][f"{name}FunctionName"])
        variables |= config["Environment"]["Variables"]
    path.write_text("".join(f"{key}={value}\n" for key, value in sorted(variables.items())))
    return path


class Stage:
    """A stage of samconfig.toml and its stack on AWS."""

    def __init__(self, name: str) -> None:
        import boto3

        self.name = name
        self.stack = os.environ.get("STACK_NAME") or f"gazelle-v6-{name}"
        self.region = str(self.settings(ROOT, "global")["region"])
        self.client = boto3.client("cloudformation", region_name=self.region)
        self.found = _describe(self.client, self.stack)
        self.deployed = _values(self.found, "Parameter")
        # Words for `sam deploy`, for a trial: another endpoint, another machine's binaries.
        self.extra = shlex.split(os.environ.get("SAM_DEPLOY_ARGS", ""))

    def settings(self, tree: Path, command: str) -> dict[str, Any]:
        """Returns the parameters that a tree's samconfig.toml gives a command of sam."""
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            known = tomlkit.parse((tree / "samconfig.toml").read_text()).unwrap()
            return dict(known[self.name][command]["parameters"])
        except (OSError, KeyError, TOMLKitError) as error:
            words = f"samconfig.toml de cette version ne connaît pas la pile {self.name} ({command})"
            raise Failure(f"{words} : elle ne se déploie pas ainsi.") from error

    def parameters(self, tree: Path) -> dict[str, str]:
        """Returns a tree's parameters. A paused stack stays so until `resume`, whatever is deployed."""
        written = self.settings(tree, "deploy").get("parameter_overrides", [])
        words = [*(shlex.split(written) if isinstance(written, str) else written), *self.extra]
        chosen = dict(word.split("=", 1) for word in words if _is_parameter(word))
        if self.deployed.get("SchedulesState") == "DISABLED" and chosen.get("SchedulesState") != "DISABLED":
            say(f"{self.stack} est en pause et le reste : make resume STAGE={self.name}")
            chosen["SchedulesState"] = "DISABLED"
        return chosen

    def deploy(self, tree: Path, chosen: dict[str, str]) -> None:
        """Runs `sam build` and `sam deploy` of a tree of files, for arm64."""
        options = {"cwd": tree, "env": {key: value for key, value in _env().items() if key != "CARGO_BUILD_TARGET"}}
        say("Compilation des fonctions (sam build)…")
        words = ["--config-env", self.name, *shlex.split(os.environ.get("SAM_BUILD_ARGS", ""))]
        _run(["sam", "build", *words], "sam build a échoué : rien n'a été déployé", **options)
        say(f"Déploiement de {self.stack}…")
        words = ["--config-env", self.name, "--stack-name", self.stack]
        words += ["--no-fail-on-empty-changeset", "--no-confirm-changeset"]
        words += [word for word in self.extra if word != "--parameter-overrides" and not _is_parameter(word)]
        what = "sam deploy a échoué : CloudFormation a remis la version d'avant"
        _run(["sam", "deploy", *words, *_overrides(chosen)], what, **options)

    def release(self) -> None:
        """Migrates, then deploys: the schema serves the old code and the new."""
        changed = output_of(["git", "status", "--porcelain"], "git", cwd=ROOT).strip()
        if self.name == "prod" and changed and not os.environ.get("FORCE"):
            words = "prod se déploie d'un commit (FORCE=1 pour passer outre)"
            raise Failure(f"Des fichiers ne sont pas dans un commit : {words}.")
        if not os.environ.get("DATABASE_URL"):
            words = "l'adresse d'un administrateur de la base, en connexion directe ou de session"
            raise Failure(f"DATABASE_URL manque : {words}.")
        chosen = self.parameters(ROOT)
        build()
        # The schema of the stack, whatever the shell says: a trial must not migrate production.
        schema = chosen.get("DatabaseSchema", DATABASE_SCHEMA)
        say(f"Migrations du schéma « {schema} »…")
        env = dict(os.environ) | {"DATABASE_SCHEMA": schema}
        _run([str(binary("gazelle-admin")), "migrate"], "Les migrations ont échoué : rien n'a été déployé", env=env)
        self.deploy(ROOT, chosen)
        self.doctor()

    def rollback(self, version: str) -> None:
        """Deploys an earlier version beside this tree. Migrations only go forward, and serve the code before them."""
        if not version:
            raise Failure("À quelle version revenir ? make rollback STAGE=prod TO=v6.0.0")
        ask = ["git", "rev-parse", "--verify", "--end-of-options", f"{version}^{{commit}}"]
        commit = output_of(ask, f"git ne connaît pas {version}", cwd=ROOT).strip()
        with tempfile.TemporaryDirectory(prefix="rollback-") as folder:
            tree = Path(folder) / "tree"
            output_of(["git", "worktree", "add", "--detach", str(tree), commit], "git worktree", cwd=ROOT)
            try:
                self.deploy(tree, self.parameters(tree))
            finally:
                output_of(["git", "worktree", "remove", "--force", str(tree)], "git worktree", cwd=ROOT)
        self.doctor()

    def set_schedules(self, state: str) -> None:
        """Updates one parameter of the deployed stack, with the template that is deployed."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.found:
            raise Failure(f"La pile {self.stack} n'est pas déployée : rien n'est planifié.")
        if self.deployed["SchedulesState"] == state:
            return say(f"Les planifications de {self.stack} sont déjà {state}.")
        kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in self.deployed if key != "SchedulesState"]
        update: Any = {"StackName": self.stack, "UsePreviousTemplate": True}
        update["Parameters"] = [*kept, {"ParameterKey": "SchedulesState", "ParameterValue": state}]
        update["Capabilities"] = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        try:
            self.client.update_stack(**update)
            waiter = self.client.get_waiter("stack_update_complete")
            waiter.wait(StackName=self.stack, WaiterConfig={"Delay": 3, "MaxAttempts": 200})
        except (BotoCoreError, ClientError) as error:
            raise Failure(f"Les planifications n'ont pas changé : {error}") from error
        return say(f"Planifications de {self.stack} : {state}.")

    def doctor(self) -> None:
        """Checks everything that this installation needs, and exits with the doctor's code."""
        found = _describe(self.client, self.stack)
        if not found:
            raise Failure(f"La pile {self.stack} n'est pas déployée : make deploy STAGE={self.name}")
        build()
        # An earlier version may lack some: the doctor reports those as not checked.
        env = dict(os.environ) | _variables(_values(found, "Parameter")) | _variables(_values(found, "Output"))
        argv = [str(binary("gazelle-admin")), "doctor"]
        sys.exit(subprocess.run(argv, env=env | {"AWS_REGION": self.region}, check=False).returncode)


def _is_parameter(word: str) -> bool:
    return "=" in word and not word.startswith("-")


COMMANDS: dict[str, Callable[[Stage, str], None]] = {
    "deploy": lambda stage, _: stage.release(),
    "rollback": Stage.rollback,
    "pause": lambda stage, _: stage.set_schedules("DISABLED"),
    "resume": lambda stage, _: stage.set_schedules("ENABLED"),
    "doctor": lambda stage, _: stage.doctor(),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploy.py", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--stage", default="", help="dev ou prod (samconfig.toml)")
    parser.add_argument("--to", default="", help="rollback : l'étiquette ou le commit à redéployer")
    args = parser.parse_args()
    try:
        if args.stage not in ("dev", "prod"):
            choices = f"make {args.command} STAGE=dev ou make {args.command} STAGE=prod"
            raise Failure(f"STAGE={args.stage or '…'} : quelle pile ? {choices}")
        COMMANDS[args.command](Stage(args.stage), args.to)
    except Failure as failure:
        sys.exit(f"\n✗ {failure}")


if __name__ == "__main__":
    main()
