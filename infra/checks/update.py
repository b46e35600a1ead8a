"""Deploys a stack that is up a second time, then with another parameter: nothing is replaced, nothing is lost.

`.local/venv/bin/python infra/checks/update.py --stack NAME`. The stack is put back as it was.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "local")]

import deploy
import emulator
from tools import Failure, Stack

PARAMETER, VARIABLE = "PageSize", "PAGE_SIZE"
"""The parameter that is changed, and the variable of the fetcher that it becomes."""

PROBE = "probe/kept"
"""An object that no notification tells of."""


class Deployed:
    """What is there, asked of the deployed stack and not of the template."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = emulator.stack_name(stack)
        self._outputs = stack.data["outputs"]

    def resources(self) -> dict[str, str]:
        """Logical and physical names. Policies and permissions are words about others: they may be written anew."""
        found = deploy.aws(self._stack, "cloudformation").describe_stack_resources(StackName=self._name)["StackResources"]
        words = ("Policy", "::Permission", "::EventInvokeConfig")
        return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in found if not one["ResourceType"].endswith(words)}

    def status(self) -> str:
        return str(deploy.aws(self._stack, "cloudformation").describe_stacks(StackName=self._name)["Stacks"][0]["StackStatus"])

    def fetcher(self, variable: str) -> str:
        function = deploy.aws(self._stack, "lambda").get_function_configuration(FunctionName=self._outputs["FetcherFunctionName"])
        return str(function["Environment"]["Variables"][variable])

    def queues(self) -> dict[str, tuple[Any, ...]]:
        """What each queue is: how it hides, keeps and redrives, and who may speak to it."""
        sqs, found = deploy.aws(self._stack, "sqs"), {}
        for name, address in self.resources().items():
            if name.endswith("Queue"):
                has = sqs.get_queue_attributes(QueueUrl=address, AttributeNames=["All"])["Attributes"]
                found[name] = tuple(has.get(key) for key in ("VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy", "Policy"))
        return found

    def leave_probes(self) -> None:
        deploy.aws(self._stack, "s3").put_object(Bucket=self._outputs["RawBucket"], Key=PROBE, Body=b"kept")
        deploy.aws(self._stack, "sqs").send_message(QueueUrl=self._dead_letters(), MessageBody=PROBE)

    def take_probes(self) -> tuple[bool, bool]:
        """Whether the object and the message are still there. The message stays, unseen for no time at all."""
        s3, sqs = deploy.aws(self._stack, "s3"), deploy.aws(self._stack, "sqs")
        kept = s3.get_object(Bucket=self._outputs["RawBucket"], Key=PROBE)["Body"].read() == b"kept"
        messages = sqs.receive_message(QueueUrl=self._dead_letters(), MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        return kept, any(message["Body"] == PROBE for message in messages)

    def remove_probes(self) -> None:
        deploy.aws(self._stack, "s3").delete_object(Bucket=self._outputs["RawBucket"], Key=PROBE)
        sqs = deploy.aws(self._stack, "sqs")
        for message in sqs.receive_message(QueueUrl=self._dead_letters(), MaxNumberOfMessages=10).get("Messages", []):
            if message["Body"] == PROBE:
                sqs.delete_message(QueueUrl=self._dead_letters(), ReceiptHandle=message["ReceiptHandle"])

    def _dead_letters(self) -> str:
        # The alerts' own: nobody reads it.
        return self.resources()["AlertsDeadLetterQueue"]


def again(stack: Stack, schedules: str, **changed: str) -> None:
    """Deploys though nothing has changed, with other parameters than the stack's own if asked to."""
    own = deploy.parameters
    stack.forget("deployed")
    # Every deployment takes the built functions with it.
    deploy.build()
    try:
        deploy.parameters = lambda *words: own(*words) | changed
        deploy.deploy(stack, schedules)
    finally:
        deploy.parameters = own


def trial(stack: Stack, schedules: str) -> Iterator[tuple[bool, str]]:
    deployed = Deployed(stack)
    before, queues, own = deployed.resources(), deployed.queues(), deployed.fetcher(VARIABLE)
    other = "150" if own != "150" else "100"
    deployed.leave_probes()
    try:
        for words, changed in (("deployed a second time", {}), ("updated", {PARAMETER: other}), ("put back", {PARAMETER: own})):
            again(stack, schedules, **changed)
            after = deployed.resources()
            new = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            kept = deployed.take_probes()
            yield deployed.status().endswith("_COMPLETE") and "ROLLBACK" not in deployed.status(), f"{words}: {deployed.status()}"
            yield not new, f"{words}: {len(after)} resources are what they were" + (f", except {', '.join(new)}" if new else "")
            yield deployed.queues() == queues, f"{words}: {len(queues)} queues hide, keep and redrive as before"
            yield all(kept), f"{words}: an object and a message are still there"
            wanted = changed.get(PARAMETER, own)
            yield deployed.fetcher(VARIABLE) == wanted, f"{words}: the fetcher has {VARIABLE}={wanted}"
    finally:
        deployed.remove_probes()


def main() -> int:
    parser = argparse.ArgumentParser(prog="update.py", description="Déploie de nouveau une pile démarrée, puis la met à jour sur place.")
    parser.add_argument("--stack", required=True, metavar="NOM", help="pile locale, démarrée")
    parser.add_argument("--schedules", default="DISABLED", choices=("ENABLED", "DISABLED"), help="planifications, comme au démarrage (DISABLED)")
    args = parser.parse_args()
    try:
        stack = Stack(args.stack)
        with stack.locked():
            if not stack.data.get("outputs"):
                raise Failure(f"La pile « {stack.name} » n'est pas déployée : stack.py up --name {stack.name}")
            results = []
            for passed, words in trial(stack, args.schedules):
                print(f"{'✓' if passed else '✗'} {words}", flush=True)
                results.append(passed)
    except Failure as failure:
        print(f"\n✗ {failure}", file=sys.stderr)
        return 1
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 1 if False in results else 0


if __name__ == "__main__":
    sys.exit(main())
