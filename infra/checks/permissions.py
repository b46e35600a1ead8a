"""Compares what each deployed function asked of AWS with what its role allows: all of it, and nothing else.

`.local/venv/bin/python infra/checks/permissions.py --stack NAME`, after the tests on the deployed functions, while the
stack is up, and before the page's tests, which point a function at a secret of their own. What they do not cause is
caused first (exercise.py). The calls are those of `.local/NAME/log/calls.jsonl` (infra/local/sandbox.py); the statements
are read back from the deployed roles. A permission that no run uses stands below with its reason.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local")]

import tools
from tools import Failure, Stack

SETTLED_SECONDS_MAX = 60
"""What was caused last may still be on its way through a queue."""

LAMBDAS_OWN = {
    "logs:CreateLogStream": "Lambda writes the function's log in its name.",
    "logs:PutLogEvents": "Lambda writes the function's log in its name.",
    "xray:PutTraceSegments": "Lambda sends the trace in its name.",
    "xray:PutTelemetryRecords": "Lambda sends the trace in its name.",
}
"""What Lambda does in the role's name, whichever function it is."""

MAPPINGS_OWN = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What an event source mapping does in the role's name, on its own queue."""

ONLY_IN_NEED = {
    ("*", "sqs:SendMessage", "FetcherFailureQueue"): "Lambda sends what failed (OnFailure) in the function's name.",
    ("AlerterFunction", "ses:SendEmail", "configuration-set/*"): "Where the sender's identity has a default set, SES asks for it as well.",
    ("FetcherFunction", "s3:ListBucket", "RawBucket"): "Without it S3 answers 403 instead of 404 for an object that is not there.",
    ("FetcherFunction", "secretsmanager:PutSecretValue", "GazelleSecretName"): "OAuth alone stores a rotated token; the local stack uses an API key. shared_limits tests it.",
    ("FetcherFunction", "s3:GetObject", "RawBucket/raw/*"): "After a kill between a page and its checkpoint the stored page decides. killed tests it.",
}
"""Permissions that a run may do without, and why they are given. `*` is any function."""


@dataclass(frozen=True)
class Call:
    """One call of a function, in the words of IAM."""

    function: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass
class Grant:
    """One action on one resource that a role allows."""

    function: str
    action: str
    resource: str
    condition: dict[str, dict[str, str]] = field(default_factory=dict)

    def allows(self, call: Call) -> bool:
        known = dict(call.context)
        # An operator that is not understood here allows nothing.
        holds = all(
            operator == "StringEquals" and all(known.get(key) == value for key, value in wanted.items())
            for operator, wanted in self.condition.items()
        )
        is_named = matches(self.action.lower(), call.action.lower()) and matches(self.resource, call.resource)
        return self.function == call.function and is_named and holds


def matches(pattern: str, name: str) -> bool:
    """IAM's patterns: `*` and `?` are all they have."""
    words = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(words), name, re.DOTALL) is not None


# ------------------------------------------------------------------------------ the calls


class Account:
    """The deployed stack: what its names mean in IAM, and the other way round."""

    def __init__(self, stack: Stack) -> None:
        import deploy
        import emulator

        self._client = lambda service: deploy.aws(stack, service)
        self._secrets: dict[str, str] = {}
        self.id = self._client("sts").get_caller_identity()["Account"]
        found = self._client("cloudformation").describe_stack_resources(StackName=emulator.stack_name(stack))["StackResources"]
        self.names = {arn_of(one["ResourceType"], one["PhysicalResourceId"], self.id): one["LogicalResourceId"] for one in found}
        self.functions = {one["PhysicalResourceId"]: one["LogicalResourceId"] for one in found if one["ResourceType"] == "AWS::Lambda::Function"}
        self.secrets = {name: f"{part.capitalize()}SecretName" for part, name in deploy.secret_names(stack).items()}

    def queue(self, address: str) -> str:
        return f"arn:aws:sqs:{tools.REGION}:{self.id}:{address.rsplit('/', 1)[-1]}"

    def secret(self, name: str) -> str:
        if name not in self._secrets:
            client = self._client("secretsmanager")
            try:
                self._secrets[name] = str(client.describe_secret(SecretId=name)["ARN"])
            except client.exceptions.ResourceNotFoundException:
                # Asked for all the same: an ARN that no role allows.
                self._secrets[name] = f"arn:aws:secretsmanager:{tools.REGION}:{self.id}:secret:{name} (not there)"
        return self._secrets[name]

    def grants(self) -> Iterator[Grant]:
        """Every action on every resource that the functions' roles allow, as they are deployed."""
        functions, iam = self._client("lambda"), self._client("iam")
        for physical, logical in self.functions.items():
            role = functions.get_function_configuration(FunctionName=physical)["Role"].rsplit("/", 1)[-1]
            if iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
                raise Failure(f"{role} a une politique gérée : la comparaison ne la lit pas.")
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                yield from granted(logical, document if isinstance(document, dict) else json.loads(unquote(document)))

    def mappings(self) -> set[tuple[str, str]]:
        """Function and queue of each event source mapping."""
        known = self._client("lambda").list_event_source_mappings()["EventSourceMappings"]
        names = ((one["FunctionArn"].split(":")[6], one["EventSourceArn"]) for one in known)
        return {(self.functions[name], self.label(queue)) for name, queue in names if name in self.functions}

    def label(self, resource: str) -> str:
        """A resource as the template calls it."""
        if resource in self.names:
            return self.names[resource]
        secret = resource.partition(":secret:")[2][:-7]
        begun = next((arn for arn in self.names if resource.startswith(f"{arn}/")), None)
        return self.names[begun] + resource.removeprefix(begun) if begun else self.secrets.get(secret) or resource.split(":")[-1]


def arn_of(kind: str, physical: str, account: str) -> str:
    """The ARN of a deployed resource, as policies name it."""
    beginning = f"{tools.REGION}:{account}"
    return {
        "AWS::S3::Bucket": f"arn:aws:s3:::{physical}",
        "AWS::SQS::Queue": f"arn:aws:sqs:{beginning}:{physical.rsplit('/', 1)[-1]}",
        "AWS::Logs::LogGroup": f"arn:aws:logs:{beginning}:log-group:{physical}:*",
    }.get(kind, physical)


def granted(function: str, document: dict[str, Any]) -> Iterator[Grant]:
    for one in document["Statement"]:
        if one["Effect"] != "Allow" or "NotAction" in one or "NotResource" in one:
            raise Failure(f"Énoncé que la comparaison ne comprend pas : {one}")
        for action in _listed(one["Action"]):
            for resource in _listed(one["Resource"]):
                yield Grant(function, action, resource, one.get("Condition", {}))


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


S3_OBJECT = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


def read(line: dict[str, Any], account: Any) -> Call:
    """A recorded request in the words of IAM. What is not understood is no known action, and so allowed to nobody."""
    function = account.functions.get(line["function"], line["function"])
    operation = line["target"].rpartition(".")[2]
    if line["service"] == "sqs" and "QueueUrl" in line:
        # IAM knows no batches: they need what one message needs.
        return Call(function, f"sqs:{operation.removesuffix('Batch')}", account.queue(line["QueueUrl"]))
    if line["service"] == "secretsmanager" and "SecretId" in line:
        return Call(function, f"secretsmanager:{operation}", account.secret(line["SecretId"]))
    if line["service"] == "ses" and (line["method"], line["path"]) == ("POST", "/v2/email/outbound-emails"):
        sender = line.get("FromEmailAddress", "")
        return Call(function, "ses:SendEmail", f"arn:aws:ses:{tools.REGION}:{account.id}:identity/{sender}", (("ses:FromAddress", sender),))
    if line["service"] == "s3":
        return _of_s3(function, line)
    return Call(function, f"{line['service']}:{operation or line['method']}", line["path"])


def _of_s3(function: str, line: dict[str, Any]) -> Call:
    bucket, _, key = unquote(line["path"]).lstrip("/").partition("/")
    # `x-id` only repeats the operation; anything else asks for something other than the object itself.
    asked = set(parse_qs(line["query"], keep_blank_values=True)) - {"x-id"}
    if not key:
        is_list = line["method"] == "GET" and "list-type" in asked
        return Call(function, "s3:ListBucket" if is_list else f"s3:? {line['method']} {line['query']}", f"arn:aws:s3:::{bucket}")
    action = S3_OBJECT.get(line["method"]) if not asked else None
    return Call(function, action or f"s3:? {line['method']} {line['query']}", f"arn:aws:s3:::{bucket}/{key}")


# ------------------------------------------------------------------------- the comparison


def compare(calls: set[Call], grants: list[Grant], account: Any, mapped: set[tuple[str, str]]) -> Iterator[tuple[bool, str, str, str, str]]:
    """A line for each: whether it is right, the function, the action, the resource, and a word on it."""
    forbidden = {(call.function, call.action, account.label(call.resource)) for call in calls if not any(grant.allows(call) for grant in grants)}
    for function, action, resource in sorted(forbidden):
        yield False, function, action, resource, "called, and not allowed"
    for grant in sorted(grants, key=lambda grant: (grant.function, grant.action, grant.resource)):
        label = account.label(grant.resource)
        is_used = any(grant.allows(call) for call in calls)
        reason = unused(grant, label, mapped)
        word = "called" if is_used else reason or "allowed, and never called"
        yield bool(is_used or reason), grant.function, grant.action, label, word


def unused(grant: Grant, label: str, mapped: set[tuple[str, str]]) -> str | None:
    """Why a permission is given that no call needed."""
    if (grant.function, label) in mapped and grant.action in MAPPINGS_OWN:
        return "The event source mapping does it in the function's name."
    in_need = ONLY_IN_NEED.get((grant.function, grant.action, label)) or ONLY_IN_NEED.get(("*", grant.action, label))
    return LAMBDAS_OWN.get(grant.action) or in_need


class Planted:
    """A stack that is none, for the trial of the comparison."""

    id = "000000000000"
    functions = {"stack-Reader-1": "Reader"}

    def label(self, resource: str) -> str:
        return resource

    def queue(self, address: str) -> str:
        return f"arn:aws:sqs:{tools.REGION}:{self.id}:{address.rsplit('/', 1)[-1]}"

    def secret(self, name: str) -> str:
        return f"arn:aws:secretsmanager:{tools.REGION}:{self.id}:secret:{name}-AbCdEf"


def trial() -> Iterator[tuple[bool, str]]:
    """Plants calls and permissions; what must be found is."""
    planted = Planted()
    line = {"function": "stack-Reader-1", "service": "s3", "method": "GET", "path": "/raw/in/one%20page", "query": "x-id=GetObject", "target": ""}
    document = {"Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::raw/in/*"},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": [f"arn:aws:secretsmanager:{tools.REGION}:{planted.id}:secret:own-??????"]},
        {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": f"arn:aws:ses:{tools.REGION}:{planted.id}:identity/*",
         "Condition": {"StringEquals": {"ses:FromAddress": "us@example.org"}}},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": planted.queue("bells")},
    ]}
    grants = list(granted("Reader", document))
    mail = {"service": "ses", "method": "POST", "path": "/v2/email/outbound-emails", "query": ""}
    secret = {"service": "secretsmanager", "target": "secretsmanager.GetSecretValue", "path": "/"}
    bell = {"service": "sqs", "target": "AmazonSQS.SendMessageBatch", "method": "POST", "path": "/"}
    cases: list[tuple[str, dict[str, Any], bool]] = [
        ("an object of its folder", {}, True),
        ("an object of another folder", {"path": "/raw/out/page"}, False),
        ("an object written instead of read", {"method": "PUT"}, False),
        ("an object's tags", {"query": "tagging"}, False),
        ("the bucket's list", {"path": "/raw", "query": "list-type=2"}, False),
        ("its secret", secret | {"SecretId": "own"}, True),
        ("a secret with a longer name", secret | {"SecretId": "own-other"}, False),
        ("its secret written", secret | {"SecretId": "own", "target": "secretsmanager.PutSecretValue"}, False),
        ("mail from its address", mail | {"FromEmailAddress": "us@example.org"}, True),
        ("mail from another address", mail | {"FromEmailAddress": "them@example.org"}, False),
        ("bells in a batch", bell | {"QueueUrl": "http://host/000000000000/bells"}, True),
        ("a bell elsewhere", bell | {"QueueUrl": "http://host/000000000000/others"}, False),
        ("a call of another function", {"function": "stack-Other-1"}, False),
        ("an unknown service", {"service": "dynamodb", "target": "DynamoDB.Scan"}, False),
    ]
    for words, changed, is_allowed in cases:
        call = read(line | changed, planted)
        yield any(grant.allows(call) for grant in grants) == is_allowed, f"planted: {words} is {'allowed' if is_allowed else 'forbidden'}"
    told = list(compare({read(line | {"method": "DELETE"}, planted)}, grants, planted, set()))
    yield [row[4] for row in told if not row[0]].count("allowed, and never called") == len(grants), "planted: permissions that nobody uses are found"
    yield told[0][0] is False and told[0][2] == "s3:DeleteObject", "planted: a forbidden call is named"


def taken_away(calls: set[Call], grants: list[Grant]) -> tuple[bool, str]:
    """Takes each used permission away in turn: one that is not missed is given twice, or the comparison is blind."""
    used = [grant for grant in grants if any(grant.allows(call) for call in calls)]
    missed = [one for one in used if any(one.allows(call) and not any(other.allows(call) for other in grants if other is not one) for call in calls)]
    twice = sorted({f"{grant.function} {grant.action} {grant.resource}" for grant in used if grant not in missed})
    return bool(used) and not twice, f"planted: each of {len(used)} used permissions is missed when it is taken away" + "".join(f"\n    not {one}" for one in twice)


def main() -> int:
    parser = argparse.ArgumentParser(prog="permissions.py", description="Compare les appels enregistrés des fonctions avec leurs rôles déployés.")
    parser.add_argument("--stack", required=True, metavar="NOM", help="pile locale, encore démarrée")
    parser.add_argument("--recorded", action="store_true", help="compare seulement ce qui est déjà enregistré, sans causer de pannes")
    args = parser.parse_args()
    try:
        stack = Stack(args.stack)
        with stack.locked():
            return _main(stack, args.recorded)
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1


def _main(stack: Stack, is_recorded: bool) -> int:
    if not stack.data.get("outputs"):
        raise Failure(f"La pile « {stack.name} » n'est pas déployée : stack.py up --name {stack.name}")
    account = Account(stack)
    grants, mapped = list(account.grants()), account.mappings()
    if not is_recorded:
        import exercise

        exercise.run(stack, lambda function, action: any((call.function, call.action) == (function, action) for call in recorded(stack, account)))
    deadline = time.monotonic() + (0 if is_recorded else SETTLED_SECONDS_MAX)
    rows = list(compare(recorded(stack, account), grants, account, mapped))
    while not all(row[0] for row in rows) and time.monotonic() < deadline:
        time.sleep(2)
        rows = list(compare(recorded(stack, account), grants, account, mapped))
    for passed, function, action, resource, word in rows:
        print(f"{'✓' if passed else '✗'} {function:<20} {action:<32} {resource:<28} {word}")
    results = [row[0] for row in rows]
    for passed, words in [*trial(), taken_away(recorded(stack, account), grants)]:
        print(f"{'✓' if passed else '✗'} {words}")
        results.append(passed)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 1 if False in results else 0


def recorded(stack: Stack, account: Account) -> set[Call]:
    file = stack.logs / "calls.jsonl"
    if not file.exists() or not file.stat().st_size:
        raise Failure(f"Aucun appel enregistré dans {file} : la pile « {stack.name} » a-t-elle travaillé ?")
    # The last line may still be on its way; thousands of requests are few different ones.
    lines = {line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")}
    return {read(json.loads(line), account) for line in lines}


if __name__ == "__main__":
    sys.exit(main())
