"""Deploys a running stack again, then with another parameter: nothing is replaced, nothing is lost.

`.local/venv/bin/python infra/checks/update.py --stack NAME`. The stack is put back as it was. A change set of
CloudFormation announces replacements; only a deployment shows that data and queues survive it.
"""

import sys
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.append(str(Path(__file__).resolve().parents[1] / "local"))

import deploy
import emulator
from results import Results, finish_on_stack
from tools import Stack

# The parameter that is changed, and the fetcher's variable that it becomes.
PARAMETER, VARIABLE = "PageSize", "PAGE_SIZE"
# Attributes of a queue that an update keeps.
KEPT = ["VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy", "Policy"]
# An object of which no notification tells, and the body of a message in a queue that nobody reads.
PROBE = "probe/kept"


def observe(stack: Stack) -> dict[str, Any]:
    """Returns the state of the deployed stack: asked of AWS, not read from the template."""
    name = emulator.stack_name(stack)
    cloudformation, functions, sqs = (deploy.aws(stack, key) for key in ("cloudformation", "lambda", "sqs"))
    resources = {
        one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
        for one in cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        # Policies and permissions describe other resources: they may be written anew.
        if not one["ResourceType"].endswith(("Policy", "::Permission", "::EventInvokeConfig"))
    }
    fetcher = functions.get_function_configuration(FunctionName=stack.data["outputs"]["FetcherFunctionName"])
    return {
        "status": cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"],
        "resources": resources,
        "queues": {
            queue: sqs.get_queue_attributes(QueueUrl=address, AttributeNames=KEPT)["Attributes"]
            for queue, address in resources.items()
            if queue.endswith("Queue")
        },
        "variable": fetcher["Environment"]["Variables"][VARIABLE],
    }


def results(stack: Stack, schedules: str) -> Results:
    before = observe(stack)
    own, other = before["variable"], "150" if before["variable"] != "150" else "100"
    s3, sqs = deploy.aws(stack, "s3"), deploy.aws(stack, "sqs")
    probe = {"Bucket": stack.data["outputs"]["RawBucket"], "Key": PROBE}
    queue = {"QueueUrl": before["resources"]["AlertsDeadLetterQueue"]}

    def messages() -> list[str]:
        # They stay, and are hidden for no time at all.
        received = sqs.receive_message(**queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        return [message["ReceiptHandle"] for message in received if message["Body"] == PROBE]

    s3.put_object(**probe, Body=b"kept")
    sqs.send_message(**queue, MessageBody=PROBE)
    try:
        for step, wanted in ("deployed again", None), ("updated", other), ("put back", own):
            stack.forget("deployed")
            # Every deployment takes the built functions with it.
            deploy.build()
            changed = deploy.parameters(stack, schedules) | ({PARAMETER: wanted} if wanted else {})
            with mock.patch.object(deploy, "parameters", return_value=changed):
                deploy.deploy(stack, schedules)
            after = observe(stack)
            new = sorted({name for name, _ in before["resources"].items() ^ after["resources"].items()})
            yield after["status"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), f"{step}: {after['status']}"
            yield not new, f"{step}: {len(after['resources'])} resources, replaced: {', '.join(new) or 'none'}"
            yield after["queues"] == before["queues"], f"{step}: {len(after['queues'])} queues keep their attributes"
            yield s3.get_object(**probe)["Body"].read() == b"kept", f"{step}: an object is still there"
            yield bool(messages()), f"{step}: a message is still there"
            yield after["variable"] == (wanted or own), f"{step}: {VARIABLE}={after['variable']}"
    finally:
        s3.delete_object(**probe)
        for receipt in messages():
            sqs.delete_message(**queue, ReceiptHandle=receipt)


if __name__ == "__main__":
    text, states = "Déploie de nouveau une pile, puis la met à jour sur place.", ("ENABLED", "DISABLED")
    finish_on_stack(text, results, "--schedules", default="DISABLED", choices=states, help="comme au démarrage")
