"""Walks the transformed template: what must be true of every resource of its kind, and that each check can fail.

Run with `.local/venv/bin/python infra/checks/template.py`. A check is a function with a sentence as its name; it answers
what is wrong. Beside it stand violations that are planted in a copy, and must be found: a check that cannot fail is none.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from transformed import Properties, Template, constant, listed, of_type, properties, statements, target, text, transformed

Check = Callable[[Template], list[str]]
Plant = Callable[[Template], Any]

CHECKS: list[tuple[Check, tuple[Plant, ...]]] = []

VISIBILITY_PER_TIMEOUT = 6
"""What AWS asks of a queue: a slow invocation must not see its own messages come back."""

OUTAGE_HOURS = 24
"""So long a pillar may be down before messages are set aside. «Hours», and a margin."""

RETENTION_SECONDS = 14 * 24 * 3600
"""The most that SQS offers, and what a holiday takes."""

PAUSE_SECONDS_MAX = constant("shared/runtime/src/queue.rs", "PAUSE_MAX")
"""How soon a message that was put off comes again, at the latest; then it counts as received once more."""

POSTPONED_BY = ("StagerFunction", "ReconcilerFunction")
"""Who puts messages off. To all others they come again after the visibility timeout."""

CONNECTIONS_PER_PROCESS = constant("shared/db/src/connect.rs", "CONNECTIONS_MAX")

READERS = 2
"""Copies of the health function at once: ten requests a second at most, a few tens of milliseconds each."""

WITHOUT_DATABASE = ("FetcherFunction",)
"""A test on the crates holds it: the fetcher cannot reach PostgreSQL."""

WILDCARDS = {
    "*": "X-Ray knows no resources. No other action may have it: see the check.",
    "${RawBucket.Arn}/raw/*": "Objects have no names beforehand: a folder is the narrowest that S3 knows.",
    "${RawBucket.Arn}/runs/*": "A folder, as raw/.",
    "${RawBucket.Arn}/state/*": "A folder, as raw/.",
    "${RawBucket.Arn}/archive/*": "A folder, as raw/.",
    "${RawBucket.Arn}/alerts/*": "A folder, as raw/.",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${GazelleSecretName}-??????": "Secrets Manager adds six characters to a name, which nobody knows beforehand.",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${DatabaseSecretName}-??????": "As above.",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${HealthSecretName}-??????": "As above.",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AlertsSecretName}-??????": "As above.",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*": "The identity may be the address or its domain, in SES's sandbox the recipients' as well; ses:FromAddress binds it.",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/*": "An identity may have a default set, which SES asks for as well; ses:FromAddress binds it.",
}
"""Resources of our roles that are patterns, and why. One that no role has any more is a finding, too."""

TRACING = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]


def check(*plants: Plant) -> Callable[[Check], Check]:
    def add(function: Check) -> Check:
        CHECKS.append((function, plants))
        return function

    return add


def put(name: str, **changed: Any) -> Plant:
    """Plants other properties in a resource; None takes one away."""

    def plant(template: Template) -> None:
        for key, value in changed.items():
            if value is None:
                properties(template, name).pop(key)
            else:
                properties(template, name)[key] = value

    return plant


def remove(name: str) -> Plant:
    return lambda template: template["Resources"].pop(name)


def allow(role: str, actions: Any, resource: Any) -> Plant:
    """Plants one statement more in a role."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return lambda template: properties(template, role)["Policies"][0]["PolicyDocument"]["Statement"].append(statement)


# -------------------------------------------------------------------------------- roles


@check(
    put("StagerFunction", Role={"Fn::GetAtt": ["FetcherRole", "Arn"]}),
    put("StagerFunction", Role="arn:aws:iam::123456789012:role/admin"),
    put("StagerRole", ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonS3FullAccess"]),
)
def every_function_has_a_role_of_its_own_and_no_managed_policy(template: Template) -> list[str]:
    roles = dict(of_type(template, "IAM::Role"))
    used = [target(role["RoleArn"]) for _, schedule in of_type(template, "Scheduler::Schedule") for role in [schedule["Target"]]]
    wrong = []
    for name, function in of_type(template, "Lambda::Function"):
        role = target(function["Role"])
        if role not in roles:
            wrong.append(f"{name} has the foreign role {role}")
        if role in used:
            wrong.append(f"{name} shares {role}")
        used.append(role)
    return wrong + [f"{name} has managed policies" for name, role in roles.items() if role.get("ManagedPolicyArns")]


@check(
    allow("StagerRole", "s3:*", {"Fn::GetAtt": ["RawBucket", "Arn"]}),
    allow("StagerRole", "s3:GetObject", "*"),
    allow("StagerRole", "sqs:SendMessage", {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:*"}),
    lambda template: template["Resources"].pop("AlerterRole"),
    lambda template: properties(template, "HealthRole")["Policies"][0]["PolicyDocument"]["Statement"].append(
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": {"Ref": "AlarmTopic"}}),
)
def no_role_allows_a_wildcard_that_is_not_written_down(template: Template) -> list[str]:
    wrong, met = [], set()
    for name, role in of_type(template, "IAM::Role"):
        for statement in statements(role):
            actions = sorted(listed(statement.get("Action")))
            if not actions or any("*" in action or "?" in action for action in actions):
                wrong.append(f"{name} allows {text(statement)}")
            for resource in map(text, listed(statement.get("Resource"))):
                if "*" not in resource and "?" not in resource:
                    continue
                met.add(resource)
                if resource not in WILDCARDS or (resource == "*" and actions != TRACING):
                    wrong.append(f"{name} allows {', '.join(actions)} on {resource}")
    return wrong + [f"no role has {resource} any more" for resource in WILDCARDS if resource not in met]


@check(lambda template: [one.pop("Condition") for one in statements(properties(template, "AlerterRole")) if one["Action"] == "ses:SendEmail"])
def mail_goes_out_under_our_own_address_alone(template: Template) -> list[str]:
    senders = [one for _, role in of_type(template, "IAM::Role") for one in statements(role) if "ses:SendEmail" in listed(one["Action"])]
    bound = {"StringEquals": {"ses:FromAddress": {"Ref": "AlertEmailFrom"}}}
    return [f"{text(one)} sends as anybody" for one in senders if one.get("Condition") != bound] + ([] if senders else ["nobody may send"])


@check(
    lambda template: properties(template, "RawEventsQueuePolicy")["PolicyDocument"]["Statement"][0].pop("Condition"),
    put("LogsMayInvokeAlerter", SourceArn=None),
    lambda template: template["Resources"]["StagerTroubles"].update(DependsOn="LogsMayInvokeAlerter"),
    put("HealthApiPermission", SourceArn={"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:*"}),
    lambda template: properties(template, "AlarmTopicPolicy")["PolicyDocument"]["Statement"][0].update(Principal="*"),
)
def every_service_that_is_let_in_is_let_in_from_this_stack(template: Template) -> list[str]:
    wrong = []
    for name, policy in of_type(template, "SQS::QueuePolicy", "SNS::TopicPolicy", "S3::BucketPolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] != "Allow":
                continue
            conditions = statement.get("Condition", {})
            if conditions.get("StringEquals", {}).get("aws:SourceAccount") != {"Ref": "AWS::AccountId"}:
                wrong.append(f"{name} does not ask for whom {text(statement['Principal'])} comes")
            if "Service" not in statement["Principal"]:
                wrong.append(f"{name} lets in {text(statement['Principal'])}")
    for name, permission in of_type(template, "Lambda::Permission"):
        named = re.findall(r"\$\{(\w+)", text(permission.get("SourceArn", "")))
        if not set(named) & set(template["Resources"]):
            wrong.append(f"{name} does not name its caller")
    for name, subscription in of_type(template, "Logs::SubscriptionFilter"):
        permission = template["Resources"].get(template["Resources"][name].get("DependsOn"), {}).get("Properties", {})
        if target(permission.get("SourceArn")) != target(subscription["LogGroupName"]):
            wrong.append(f"{name} is not let in before it begins")
    return wrong


# -------------------------------------------------------------------------------- queues


def dead_letters(template: Template) -> dict[str, list[str]]:
    """Each dead-letter queue and the queues that empty themselves into it."""
    found: dict[str, list[str]] = {}
    for name, queue in of_type(template, "SQS::Queue"):
        if "RedrivePolicy" in queue:
            found.setdefault(target(queue["RedrivePolicy"]["deadLetterTargetArn"]), []).append(name)
    return found


@check(put("RawEventsQueue", RedrivePolicy=None), remove("FetchDeadLetterQueue"))
def every_queue_has_a_dead_letter_queue_or_is_one(template: Template) -> list[str]:
    queues, dead = dict(of_type(template, "SQS::Queue")), dead_letters(template)
    return [f"{name} has none" for name, queue in queues.items() if "RedrivePolicy" not in queue and name not in dead] + [
        f"{name} is no queue of this template" for name in dead if name not in queues]


@check(
    put("RawEventsDeadLetterQueue", RedriveAllowPolicy=None),
    put("RawEventsDeadLetterQueue", RedriveAllowPolicy={"redrivePermission": "allowAll"}),
    put("RawEventsQueue", RedriveAllowPolicy=None),
    put("ReconcileQueue", QueueName={"Fn::Sub": "${AWS::StackName}-other"}),
    put("FetchQueue", RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["ReconcileDeadLetterQueue", "Arn"]}, "maxReceiveCount": 30}),
)
def a_dead_letter_queue_takes_from_its_own_queues_alone(template: Template) -> list[str]:
    dead, wrong = dead_letters(template), []
    for name, queue in of_type(template, "SQS::Queue"):
        allowed = queue.get("RedriveAllowPolicy", {})
        if name not in dead:
            wrong += [] if allowed == {"redrivePermission": "denyAll"} else [f"{name} may be made a dead-letter queue"]
            continue
        sources = {text(properties(template, source).get("QueueName")) for source in dead[name]}
        named = {text(arn).removeprefix("arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:") for arn in allowed.get("sourceQueueArns", [])}
        if allowed.get("redrivePermission") != "byQueue" or named != sources:
            wrong.append(f"{name} takes from {sorted(named) or 'anyone'} instead of {sorted(sources)}")
    return wrong


@check(
    lambda template: [one.update(Resource=[]) for one in statements(properties(template, "AlerterRole")) if "sqs:SendMessage" in one["Action"]],
    remove("AlertsDeadLettersAlarm"),
)
def every_dead_letter_is_put_back_or_rings(template: Template) -> list[str]:
    """The alerter puts back what lies in a queue that it may read and return; of its own an alarm tells."""
    may: dict[str, set[str]] = {}
    for statement in statements(properties(template, "AlerterRole")):
        for action in listed(statement["Action"]):
            may.setdefault(action, set()).update(map(target, listed(statement["Resource"])))
    watched = {target(one["Value"]) for _, alarm in of_type(template, "CloudWatch::Alarm") for one in alarm.get("Dimensions", [])}
    return [
        f"{name} keeps what it gets"
        for name, sources in dead_letters(template).items()
        if not (name in may.get("sqs:ReceiveMessage", set()) and set(sources) <= may.get("sqs:SendMessage", set())) and name not in watched
    ]


@check(put("FetchQueue", SqsManagedSseEnabled=False), put("AlertsQueue", SqsManagedSseEnabled=None), put("AlertsDeadLetterQueue", MessageRetentionPeriod=345600))
def every_queue_is_encrypted_and_keeps_what_it_has_for_two_weeks(template: Template) -> list[str]:
    return [
        f"{name} is not" for name, queue in of_type(template, "SQS::Queue")
        if queue.get("SqsManagedSseEnabled") is not True or queue.get("MessageRetentionPeriod") != RETENTION_SECONDS
    ]


@check(put("RawEventsQueue", VisibilityTimeout=359), put("ReconcilerFunction", Timeout=121), put("AlertsQueue", VisibilityTimeout=None))
def a_queue_hides_a_message_for_six_timeouts_of_its_consumer(template: Template) -> list[str]:
    wrong = []
    for name, mapping in of_type(template, "Lambda::EventSourceMapping"):
        hidden = properties(template, target(mapping["EventSourceArn"])).get("VisibilityTimeout", 30)
        needed = VISIBILITY_PER_TIMEOUT * properties(template, target(mapping["FunctionName"]))["Timeout"]
        if hidden < needed:
            wrong.append(f"{name}: {hidden} s instead of {needed} s")
    return wrong


@check(
    put("RawEventsQueue", RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["RawEventsDeadLetterQueue", "Arn"]}, "maxReceiveCount": 5}),
    put("FetchQueue", RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["FetchDeadLetterQueue", "Arn"]}, "maxReceiveCount": 15}),
)
def a_message_outlasts_an_outage_of_a_day(template: Template) -> list[str]:
    wrong = []
    for name, mapping in of_type(template, "Lambda::EventSourceMapping"):
        queue = properties(template, target(mapping["EventSourceArn"]))
        pause = PAUSE_SECONDS_MAX if target(mapping["FunctionName"]) in POSTPONED_BY else queue["VisibilityTimeout"]
        hours = queue["RedrivePolicy"]["maxReceiveCount"] * pause / 3600
        if hours < OUTAGE_HOURS:
            wrong.append(f"{name}: set aside after {hours:.1f} h")
    return wrong


# --------------------------------------------------------------------------- invocations


@check(put("StagerFunctionRawEvents", FunctionResponseTypes=None), put("FetcherFunctionRequests", ScalingConfig=None))
def every_mapping_answers_for_each_message_and_is_bounded(template: Template) -> list[str]:
    return [
        f"{name} does not" for name, mapping in of_type(template, "Lambda::EventSourceMapping")
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"] or "MaximumConcurrency" not in mapping.get("ScalingConfig", {})
    ]


def asynchronous(template: Template) -> dict[str, set[str]]:
    """Functions that nobody waits for, and by whose word they are invoked."""
    found: dict[str, set[str]] = {}
    for name, schedule in of_type(template, "Scheduler::Schedule"):
        found.setdefault(target(schedule["Target"]["Arn"]), set()).add(name)
    for name, subscription in of_type(template, "Logs::SubscriptionFilter"):
        found.setdefault(target(subscription["DestinationArn"]), set()).add(name)
    return found


@check(
    remove("StagerFunctionEventInvokeConfig"),
    put("AlerterFunctionEventInvokeConfig", DestinationConfig={}),
    lambda template: properties(template, "StagerFunctionAudit")["Target"].pop("DeadLetterConfig"),
    lambda template: [one.update(Resource=[]) for one in statements(properties(template, "FetcherRole")) if one["Action"] == "sqs:SendMessage"],
)
def what_nobody_waits_for_is_kept_when_it_fails(template: Template) -> list[str]:
    kept = {target(config["FunctionName"]): target(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
            for _, config in of_type(template, "Lambda::EventInvokeConfig")}
    queues, wrong = dict(of_type(template, "SQS::Queue")), []
    for function in asynchronous(template):
        destination = kept.get(function)
        role = properties(template, target(properties(template, function)["Role"]))
        may = {target(one) for statement in statements(role) if "sqs:SendMessage" in listed(statement["Action"]) for one in listed(statement["Resource"])}
        if destination not in queues:
            wrong.append(f"{function} has no OnFailure")
        elif destination not in may:
            wrong.append(f"{function} may not write to {destination}")
    for name, schedule in of_type(template, "Scheduler::Schedule"):
        if target(schedule["Target"].get("DeadLetterConfig", {}).get("Arn")) not in queues or "RetryPolicy" not in schedule["Target"]:
            wrong.append(f"{name} forgets what it could not deliver")
    return wrong


@check(
    put("StagerFunctionRawEvents", ScalingConfig={"MaximumConcurrency": 10}),
    lambda template: template["Metadata"]["DatabasePool"].update(Connections=15),
)
def what_runs_at_once_fits_into_the_pool_of_connections(template: Template) -> list[str]:
    copies: dict[str, int] = {}
    for _, mapping in of_type(template, "Lambda::EventSourceMapping"):
        function = target(mapping["FunctionName"])
        copies[function] = copies.get(function, 0) + mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)
    for _, schedule in of_type(template, "Scheduler::Schedule"):
        function = target(schedule["Target"]["Arn"])
        copies[function] = copies.get(function, 0) + 1
    for _, integration in of_type(template, "ApiGatewayV2::Integration"):
        copies[target(integration["IntegrationUri"])] = READERS
    needed = sum(count * CONNECTIONS_PER_PROCESS for function, count in copies.items() if function not in WITHOUT_DATABASE)
    room = template["Metadata"]["DatabasePool"]["Connections"]
    return [f"{needed} connections, {room} are there: {copies}"] if needed > room else []


@check(put("HealthFunction", ReservedConcurrentExecutions=5), put("HealthFunction", TracingConfig=None))
def every_function_is_traced_and_reserves_nothing_of_a_small_account(template: Template) -> list[str]:
    return [
        f"{name} is not" for name, function in of_type(template, "Lambda::Function")
        if function.get("TracingConfig") != {"Mode": "Active"} or "ReservedConcurrentExecutions" in function
        or not any(sorted(listed(one["Action"])) == TRACING for one in statements(properties(template, target(function["Role"]))))
    ]


# ------------------------------------------------------------------- what is seen and told


@check(
    put("StagerErrorsAlarm", AlarmActions=[]),
    put("HeartbeatAlarm", OKActions=None),
    put("HeartbeatAlarm", AlarmActions=[{"Ref": "RawBucket"}]),
    put("HeartbeatAlarm", ActionsEnabled=False),
)
def every_alarm_tells_the_topic_when_it_begins_and_when_it_ends(template: Template) -> list[str]:
    topics = dict(of_type(template, "SNS::Topic"))
    return [
        f"{name}: {kind}" for name, alarm in of_type(template, "CloudWatch::Alarm") for kind in ("AlarmActions", "OKActions")
        if not {target(one) for one in alarm.get(kind, [])} & set(topics) or alarm.get("ActionsEnabled") is False
    ]


@check(remove("HealthErrorsAlarm"), remove("StagerThrottlesAlarm"))
def every_function_has_an_alarm_for_failures_and_one_for_throttles(template: Template) -> list[str]:
    watched = {(alarm.get("MetricName"), target(one["Value"])) for _, alarm in of_type(template, "CloudWatch::Alarm") for one in alarm.get("Dimensions", [])}
    return [f"{name}: {metric}" for name, _ in of_type(template, "Lambda::Function") for metric in ("Errors", "Throttles") if (metric, name) not in watched]


@check(put("HealthLogGroup", RetentionInDays=None), put("HealthFunction", LoggingConfig=None), put("HealthFunction", LoggingConfig={"LogGroup": {"Ref": "StagerLogGroup"}}))
def every_log_is_forgotten_in_time_and_is_of_one_function(template: Template) -> list[str]:
    groups = dict(of_type(template, "Logs::LogGroup"))
    wrong = [f"{name} is kept for ever" for name, group in groups.items() if group.get("RetentionInDays") != {"Ref": "LogRetentionDays"}]
    used: list[str] = []
    for name, function in of_type(template, "Lambda::Function"):
        group = target(function.get("LoggingConfig", {}).get("LogGroup"))
        if group not in groups or group in used:
            wrong.append(f"{name} writes to {group}")
        used.append(group)
    return wrong


@check(put("HealthStage", AccessLogSettings=None), put("HealthStage", DefaultRouteSettings=None))
def the_api_is_throttled_and_writes_down_who_knocks(template: Template) -> list[str]:
    groups = dict(of_type(template, "Logs::LogGroup"))
    return [
        f"{name} does not" for name, stage in of_type(template, "ApiGatewayV2::Stage")
        if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(stage.get("DefaultRouteSettings", {}))
        or target(stage.get("AccessLogSettings", {}).get("DestinationArn")) not in groups
    ]


# ------------------------------------------------------------------------- what is stored

CLOSED = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)


@check(
    put("RawBucket", PublicAccessBlockConfiguration={**CLOSED, "BlockPublicPolicy": False}),
    put("RawBucket", OwnershipControls=None),
    put("RawBucket", VersioningConfiguration={"Status": "Suspended"}),
    put("RawBucket", BucketEncryption=None),
    put("RawBucket", LifecycleConfiguration=None),
    lambda template: template["Resources"]["RawBucket"].update(DeletionPolicy="Delete"),
    lambda template: template["Resources"]["RawBucket"].pop("UpdateReplacePolicy"),
)
def every_bucket_is_closed_owned_versioned_encrypted_tidied_and_kept(template: Template) -> list[str]:
    wrong = []
    for name, bucket in of_type(template, "S3::Bucket"):
        rules = [rule for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", []) if rule["Status"] == "Enabled"]
        resource = template["Resources"][name]
        holds = {
            "closed": bucket.get("PublicAccessBlockConfiguration") == CLOSED,
            "owned": bucket.get("OwnershipControls") == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "versioned": bucket.get("VersioningConfiguration") == {"Status": "Enabled"},
            "encrypted": "AES256" in json.dumps(bucket.get("BucketEncryption", {})),
            "rid of old versions": any("NoncurrentVersionExpiration" in rule for rule in rules),
            "rid of broken uploads": any("AbortIncompleteMultipartUpload" in rule for rule in rules),
            "kept": resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain",
        }
        wrong += [f"{name} is not {what}" for what, is_so in holds.items() if not is_so]
    return wrong


def refuses_without_tls(policy: Properties, name: str) -> bool:
    whole = {f"${{{name}}}", f"${{{name}.Arn}}"}
    for one in policy["PolicyDocument"]["Statement"]:
        is_for_all = one["Effect"] == "Deny" and one["Principal"] == "*" and one.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        if is_for_all and whole & set(map(text, listed(one["Resource"]))) and text(one["Action"]) in ("s3:*", "sqs:*", "sns:Publish"):
            return True
    return False


@check(
    remove("RawBucketPolicy"),
    remove("FetchDeadLetterQueuePolicy"),
    remove("AlarmTopicPolicy"),
    lambda template: properties(template, "AlertsQueuePolicy")["PolicyDocument"]["Statement"][0].update(Effect="Allow"),
    lambda template: properties(template, "AlertsQueuePolicy")["PolicyDocument"]["Statement"][0].update(Resource={"Fn::GetAtt": ["FetchQueue", "Arn"]}),
    put("AlertsQueuePolicy", Queues=[{"Ref": "FetchQueue"}]),
)
def nothing_is_spoken_to_without_tls(template: Template) -> list[str]:
    policies = list(of_type(template, "S3::BucketPolicy", "SQS::QueuePolicy", "SNS::TopicPolicy"))
    wrong = []
    for name, _ in of_type(template, "S3::Bucket", "SQS::Queue", "SNS::Topic"):
        own = [policy for _, policy in policies if name in map(target, listed([policy.get("Bucket"), policy.get("Queues"), policy.get("Topics")]))]
        # A second policy of one thing would replace the first.
        if len(own) != 1 or not refuses_without_tls(own[0], name):
            wrong.append(f"{name} speaks in the clear")
    return wrong


NAMES = ("QueueName", "BucketName", "TopicName", "FunctionName", "RoleName", "LogGroupName", "AlarmName", "Name", "DashboardName")


@check(put("FetchQueue", QueueName="fetch"), put("RawBucket", BucketName={"Fn::Sub": "gazelle-${Stage}"}))
def two_stacks_live_side_by_side(template: Template) -> list[str]:
    """A name is made by CloudFormation or begins with the stack's."""
    kinds = {resource["Type"].removeprefix("AWS::") for resource in template["Resources"].values()}
    # These name another resource, not themselves.
    kinds -= {"Lambda::Permission", "Lambda::EventSourceMapping", "Lambda::EventInvokeConfig", "Logs::SubscriptionFilter"}
    return [
        f"{name} is called {text(found[key])}" for name, found in of_type(template, *kinds) for key in NAMES
        if key in found and not text(found[key]).startswith("${AWS::StackName}-")
    ]


# --------------------------------------------------------------------------------- running


def main() -> int:
    template, passed, failed = transformed(), 0, 0
    for function, plants in CHECKS:
        wrong = function(template)
        blind = [str(number) for number, plant in enumerate(plants, 1) if not _finds(function, plant, template)]
        if blind or not plants:
            wrong.append(f"planted violations not found: {', '.join(blind) or 'none is planted'}")
        sentence = function.__name__.replace("_", " ")
        print(f"{'✗' if wrong else '✓'} {sentence} ({len(plants)} planted)" + "".join(f"\n    {one}" for one in wrong))
        passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _finds(function: Check, plant: Plant, template: Template) -> bool:
    planted = copy.deepcopy(template)
    plant(planted)
    return function(planted) != function(template)


if __name__ == "__main__":
    sys.exit(main())
