"""Runs ministack with five corrections, so that what works here works on AWS.

1. Functions run in `sandbox.py` instead of ministack's own executor. That one starts a process per invocation, hands it
   the same event again while it is being ended (a second run that takes a lease and dies), and never reads its output
   (a function that logs more than 64 KiB hangs until its timeout).
2. CloudFormation's `RedrivePolicy` of a queue is kept, and an updated queue keeps its messages.
3. A key in an S3 notification is URL-encoded, as S3 does it.
4. Every event source mapping has its own poller, so that staging and promotion run side by side as they do on Lambda,
   instead of one after the other; and it looks five times a second, not once.
5. A subscription filter of a log group reads JSON patterns (`{ $.level = "ERROR" || … }`), not mere words.

Everything replaced is private to ministack, hence the pinned version and the checks below.
"""

from __future__ import annotations

import copy
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from ministack import app
from ministack.services import cloudwatch_logs, lambda_svc, s3, sqs
from ministack.services.cloudformation import provisioners

from sandbox import Invocation, Sandboxes

POLL_PAUSE_S = 0.2


def run_functions_in_sandboxes() -> None:
    sandboxes = Sandboxes(
        endpoint=os.environ["AWS_ENDPOINT_URL"], region=os.environ["MINISTACK_REGION"], logs=Path(os.environ["STACK_LOGS"])
    )

    def execute(function: dict[str, Any], event: Any) -> dict[str, Any]:
        code_zip = function.get("code_zip")
        if not code_zip:
            return {"body": {"errorType": "Runtime.NoCode", "errorMessage": "The function has no code."}, "error": True}
        code = Path(lambda_svc._provided_runtime_code_dir(code_zip))
        return sandboxes.invoke(function.get("config") or function, code, Invocation(json.dumps(event))).as_ministack()

    _replace(lambda_svc, "_execute_function_provided", execute)


def keep_redrive_policies() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SQS::Queue"]
    create: Callable[..., tuple[str, dict[str, Any]]] = handlers["create"]

    def create_with_redrive(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        before = dict(sqs._queues.items())
        address, attributes = create(logical_id, props, stack_name)
        queue = sqs._queues[address]
        if address in before:
            queue["messages"] = before[address]["messages"]
        if props.get("RedrivePolicy"):
            queue["attributes"]["RedrivePolicy"] = json.dumps(props["RedrivePolicy"])
        return address, attributes

    handlers["create"] = create_with_redrive


def encode_notified_keys() -> None:
    deliver = s3._deliver_event_to_sqs

    def deliver_encoded(arn: str, payload: dict[str, Any], bucket_region: str) -> None:
        # A copy: every configuration of the bucket is told about the same record. An s3:TestEvent has none.
        payload = copy.deepcopy(payload)
        for record in payload.get("Records", []):
            thing = record["s3"]["object"]
            thing["key"] = quote_plus(thing["key"], safe="/")
        deliver(arn, payload, bucket_region)

    _replace(s3, "_deliver_event_to_sqs", deliver_encoded)


def poll_mappings_side_by_side() -> None:
    every = lambda_svc._iter_all_esms
    mine = threading.local()

    def only_mine() -> Iterator[Any]:
        return (found for found in every() if found[2]["UUID"] == mine.uuid)

    def follow(uuid: str) -> None:
        mine.uuid = uuid
        while any(only_mine()):
            try:
                worked = lambda_svc._poll_sqs()
            except Exception:
                lambda_svc.logger.exception("Event source mapping %s", uuid)
                worked = False
            if not worked:
                time.sleep(POLL_PAUSE_S)

    def loop() -> None:
        followed: dict[str, threading.Thread] = {}
        while True:
            for _, _, mapping in every():
                uuid = mapping["UUID"]
                if uuid not in followed or not followed[uuid].is_alive():
                    followed[uuid] = threading.Thread(target=follow, args=(uuid,), daemon=True)
                    followed[uuid].start()
            time.sleep(POLL_PAUSE_S)

    _replace(lambda_svc, "_iter_all_esms", only_mine)
    _replace(lambda_svc, "_poll_loop", loop)


def read_json_patterns() -> None:
    term = re.compile(r"""\$((?:\.\w+)+)\s*(!?=)\s*"([^"]*)\"""")

    def holds(pattern: str, message: str) -> bool:
        try:
            line = json.loads(message)
        except ValueError:
            return False

        def compared(match: re.Match[str]) -> str:
            value: Any = line
            for name in match[1].split(".")[1:]:
                value = value.get(name) if isinstance(value, dict) else None
            return str(value is not None and (value == match[3]) == (match[2] == "="))

        words = term.sub(compared, pattern.strip()[1:-1])
        words = words.replace("&&", " and ").replace("||", " or ")
        if not re.fullmatch(r"(?:True|False|and|or|[()\s])*", words):
            raise ValueError(f"not understood here: {pattern}")
        return bool(eval(words))  # noqa: S307 - only True, False, and, or and parentheses

    def matches(pattern: str, message: str) -> bool:
        return holds(pattern, message) if pattern.strip().startswith("{") else pattern in message

    _replace(cloudwatch_logs, "_subscription_pattern_matches", matches)


def _replace(module: Any, name: str, new: Callable[..., Any]) -> None:
    if not callable(getattr(module, name, None)):
        sys.exit(f"{module.__name__} has no {name}: another ministack than the pinned one?")
    setattr(module, name, new)


if __name__ == "__main__":
    run_functions_in_sandboxes()
    keep_redrive_policies()
    encode_notified_keys()
    poll_mappings_side_by_side()
    read_json_patterns()
    app.main()
