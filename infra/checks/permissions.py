"""Compares what each deployed function asked of AWS with what its role allows: all of it, and nothing else.

`.local/venv/bin/python infra/checks/permissions.py --stack NAME`, after the tests on the deployed functions, before the
page's tests, which give a function another secret. Linters of policies see no calls, and IAM's Access Analyzer needs
CloudTrail: here the calls are those of `.local/NAME/log/calls.jsonl`. permissions.json is its data.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

sys.path.append(str(Path(__file__).resolve().parents[1] / "local"))

import deploy
import emulator
from results import Results, finish_on_stack
from tools import REGION, Failure, Stack, output_of, say

# The last calls may still be on their way through a queue.
SETTLE_SECONDS_MAX = 60.0
# A function waits eight seconds for a connection, and its queue for a second before.
OUTAGE_SECONDS_MAX = 90.0
# A message that was put off comes again after 15, 30, 60 seconds.
RETURN_SECONDS_MAX = 120.0
# Actions of an event source mapping in the role's name, on its own queue.
MAPPING_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
# "unused": permissions that a run may leave unused, by function, action and resource, with the reason. "harmless": for
# each dead-letter queue a message that its function takes once more. "planted": requests that must be judged as by IAM.
DATA = json.loads(Path(__file__).with_name("permissions.json").read_text())
S3_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


class Call(NamedTuple):
    """One call of a function, in the terms of IAM."""

    function: str
    action: str
    resource: str
    sender: str = ""


class Grant(NamedTuple):
    """One action on one resource that a function's role allows."""

    function: str
    action: str
    resource: str
    condition: dict[str, dict[str, str]]

    def allows(self, call: Call) -> bool:
        # fnmatch has IAM's `*` and `?`. A condition other than the sender's address allows nothing.
        named = fnmatchcase(call.action.lower(), self.action.lower()) and fnmatchcase(call.resource, self.resource)
        holds = self.condition in ({}, {"StringEquals": {"ses:FromAddress": call.sender}})
        return self.function == call.function and named and holds


class Account(NamedTuple):
    """The stack's functions by physical name, its resources by ARN, and the ARNs of its secrets by name."""

    id: str
    functions: dict[str, str]
    resources: dict[str, str]
    secrets: dict[str, str]

    def label(self, arn: str) -> str:
        """Returns a resource as the template calls it, with what follows the name."""
        known = next((one for one in self.resources if arn == one or arn.startswith(f"{one}/")), None)
        return self.resources[known] + arn.removeprefix(known) if known else arn.rpartition(":")[2]

    def call(self, request: dict[str, Any]) -> Call:
        """Returns a recorded request as a call; one that is not understood has an action that no role allows."""
        function, service = self.functions.get(request["function"], request["function"]), request["service"]
        arn, operation = f"arn:aws:{service}:{REGION}:{self.id}", request["target"].rpartition(".")[2]
        action, sender = f"{service}:? {operation} {request['method']} {request['query']}", ""
        if service == "sqs" and "QueueUrl" in request:
            # IAM knows no batches: they need what one message needs.
            action, arn = f"sqs:{operation.removesuffix('Batch')}", f"{arn}:{request['QueueUrl'].rpartition('/')[2]}"
        elif service == "secretsmanager" and "SecretId" in request:
            name = request["SecretId"]
            action, arn = f"secretsmanager:{operation}", self.secrets.get(name, f"{arn}:secret:{name} (not there)")
        elif service == "ses" and (request["method"], request["path"]) == ("POST", "/v2/email/outbound-emails"):
            sender = request.get("FromEmailAddress", "")
            action, arn = "ses:SendEmail", f"{arn}:identity/{sender}"
        elif service == "s3":
            path = unquote(request["path"]).strip("/")
            arn = f"arn:aws:s3:::{path}"
            # `x-id` repeats the operation; any other parameter asks for something else than the object itself.
            asked = set(parse_qs(request["query"], keep_blank_values=True)) - {"x-id"}
            if "/" in path and not asked:
                action = S3_ACTIONS.get(request["method"], action)
            elif "/" not in path and request["method"] == "GET" and "list-type" in asked:
                action = "s3:ListBucket"
        return Call(function, action, arn, sender)


def granted(function: str, document: dict[str, Any]) -> list[Grant]:
    grants = []
    for one in document["Statement"]:
        if one["Effect"] != "Allow" or "NotAction" in one or "NotResource" in one:
            raise Failure(f"Énoncé que la comparaison ne comprend pas : {one}")
        actions, resources = ([one[key]] if isinstance(one[key], str) else one[key] for key in ("Action", "Resource"))
        grants += [Grant(function, action, arn, one.get("Condition", {})) for action in actions for arn in resources]
    return grants


def allowing(call: Call, grants: list[Grant]) -> list[Grant]:
    return [grant for grant in grants if grant.allows(call)]


def deployed(stack: Stack) -> tuple[Account, list[Grant], set[tuple[str, str]]]:
    """Returns the account, what the functions' roles allow, and the function and queue of each event source mapping."""
    names = ("sts", "cloudformation", "lambda", "iam", "secretsmanager")
    sts, cloudformation, functions, iam, secrets = (deploy.aws(stack, name) for name in names)
    account, grants = Account(sts.get_caller_identity()["Account"], {}, {}, {}), list[Grant]()
    own = f"{REGION}:{account.id}"
    for one in cloudformation.describe_stack_resources(StackName=emulator.stack_name(stack))["StackResources"]:
        physical, logical, kind = one["PhysicalResourceId"], one["LogicalResourceId"], one["ResourceType"]
        arns = {
            "AWS::S3::Bucket": f"arn:aws:s3:::{physical}",
            "AWS::SQS::Queue": f"arn:aws:sqs:{own}:{physical.rpartition('/')[2]}",
            "AWS::Logs::LogGroup": f"arn:aws:logs:{own}:log-group:{physical}:*",
        }
        account.resources[arns.get(kind, physical)] = logical
        if kind == "AWS::Lambda::Function":
            account.functions[physical] = logical
            role = functions.get_function_configuration(FunctionName=physical)["Role"].rpartition("/")[2]
            if iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
                raise Failure(f"{role} a une politique gérée : la comparaison ne la lit pas.")
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                grants += granted(logical, document if isinstance(document, dict) else json.loads(unquote(document)))
    for part, name in deploy.secret_names(stack).items():
        account.secrets[name] = secrets.describe_secret(SecretId=name)["ARN"]
        account.resources[f"arn:aws:secretsmanager:{own}:secret:{name}-??????"] = f"{part.capitalize()}SecretName"
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    pairs = ((account.functions.get(one["FunctionArn"].split(":")[6], ""), one["EventSourceArn"]) for one in mappings)
    return account, grants, {(function, account.label(queue)) for function, queue in pairs}


def compare(calls: set[Call], grants: list[Grant], account: Account, mapped: set[tuple[str, str]]) -> Results:
    """Yields each call that no role allows, and each permission with its use or the reason why it is unused."""
    forbidden = {call._replace(resource=account.label(call.resource)) for call in calls if not allowing(call, grants)}
    for call in sorted(forbidden):
        yield False, f"{call.function:<20} {call.action:<32} {call.resource:<28} called, and not allowed"
    for grant in sorted(grants, key=lambda grant: grant[:3]):
        function, action, label = grant.function, grant.action, account.label(grant.resource)
        reasons = [text for key, text in DATA["unused"].items() if fnmatchcase(f"{function} {action} {label}", key)]
        if (function, label) in mapped and action in MAPPING_ACTIONS:
            reasons = ["The event source mapping does it in the function's name."]
        if any(grant.allows(call) for call in calls):
            reasons = ["called"]
        yield bool(reasons), f"{function:<20} {action:<32} {label:<28} {(reasons or ['allowed, and never called'])[0]}"


def planted() -> Results:
    """Yields whether planted requests are judged as IAM would, and reported."""
    tests = DATA["planted"]
    account, grants = Account(**tests["account"]), granted("Reader", tests["role"])
    for request in tests["requests"]:
        verdict = "allowed" if allowing(account.call(request), grants) else "forbidden"
        yield verdict == request["expected"], f"planted: {request['label']} is {verdict}"
    calls = {account.call(tests["forbidden"])}
    failed = [text for passed, text in compare(calls, grants, account, set()) if not passed]
    yield sum("never called" in text for text in failed) == len(grants), "planted: unused permissions are found"
    yield "s3:DeleteObject" in failed[0] and "not allowed" in failed[0], "planted: a forbidden call is named"


def needed(calls: set[Call], grants: list[Grant]) -> tuple[bool, str]:
    """Takes each used permission away in turn: one that is not missed is given twice, or the comparison is blind."""
    allowed = [allowing(call, grants) for call in calls]
    used, missed = [grant for some in allowed for grant in some], [some[0] for some in allowed if len(some) == 1]
    twice = sorted({" ".join(grant[:3]) for grant in used if grant not in missed})
    text = f"planted: each of {len({grant[:3] for grant in used})} used permissions is missed when it is taken away"
    return bool(used) and not twice, "\n    not ".join([text, *twice])


def wait_until(holds: Callable[[], Any], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(1.0)
    return bool(held)


def exercise(stack: Stack, has_called: Callable[[str, str], bool]) -> None:
    """Causes the calls that the tests do not: by the drill's faults, which are mended, and by rare tasks."""
    sqs, env = deploy.aws(stack, "sqs"), dict(os.environ) | deploy.exports(stack)

    def drill(verb: str, fault: str) -> None:
        output_of([str(deploy.binary("drill")), f"--{verb}", fault], f"drill --{verb} {fault} a échoué", env=env)

    say("Panne de la base de données…")
    drill("cause", "database_unreachable")
    try:
        drill("cause", "record_failed")
        # While the database is down, stager and reconciler put their messages off.
        done = wait_until(lambda: has_called("StagerFunction", "sqs:ChangeMessageVisibility"), OUTAGE_SECONDS_MAX)
        done &= wait_until(lambda: has_called("ReconcilerFunction", "sqs:ChangeMessageVisibility"), OUTAGE_SECONDS_MAX)
    finally:
        drill("mend", "database_unreachable")
    say("Enregistrements en échec, reprise, relecture…")
    # The entry without a date fails once the database is back; a retry rings for it.
    retry = {"task": "retry", "entity": "timeline"}
    done &= wait_until(lambda: deploy.invoke(stack, "Reconciler", retry)["retried"]["timeline"] > 0, RETURN_SECONDS_MAX)
    drill("mend", "record_failed")
    if not done:
        raise Failure("Aucun message remis à plus tard, ou aucune reprise : voir les journaux des fonctions.")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    deploy.invoke(stack, "Stager", {"task": "replay", "entity": "users", "start": today, "end": today})
    say("Panne de Gazelle, messages mis de côté…")
    drill("cause", "schema_changed")
    drill("mend", "schema_changed")
    for queue, body in DATA["harmless"].items():
        sqs.send_message(QueueUrl=stack.data["outputs"][f"{queue}DeadLetterQueueUrl"], MessageBody=json.dumps(body))
    deploy.invoke(stack, "Alerter", {"task": "redrive"})


def results(stack: Stack, recorded: bool) -> Results:
    account, grants, mapped = deployed(stack)

    def calls() -> set[Call]:
        file = stack.logs / "calls.jsonl"
        # The last line may still be incomplete; thousands of requests are few different ones.
        lines = set(file.read_text().rpartition("\n")[0].splitlines()) if file.exists() else set()
        if not lines:
            raise Failure(f"Aucun appel enregistré dans {file} : la pile « {stack.name} » a-t-elle travaillé ?")
        return {account.call(json.loads(line)) for line in lines}

    if not recorded:
        exercise(stack, lambda function, action: any(call[:2] == (function, action) for call in calls()))
        wait_until(lambda: all(passed for passed, _ in compare(calls(), grants, account, mapped)), SETTLE_SECONDS_MAX)
    yield from compare(calls(), grants, account, mapped)
    yield from planted()
    yield needed(calls(), grants)


if __name__ == "__main__":
    text, option = "Compare les appels des fonctions avec leurs rôles déployés.", "compare sans causer de pannes"
    finish_on_stack(text, results, "--recorded", action="store_true", help=option)
