"""Runs ministack with four additions, so that what works here works on AWS.

1. Functions run in the environments of `sandbox.py`, which are frozen between invocations.
2. A subscription filter of a log group reads JSON patterns (`{ $.level = "ERROR" || … }`), not mere words.
3. Each call of a function is recorded as a line of JSON in `calls.jsonl`: `infra/checks` compares it with its role.
4. It serves the inbox of the alerts.

Everything replaced is private to ministack, hence the pinned version and the checks of `_replace`.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from jsonata import Jsonata
from ministack import app
from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, lambda_svc

import inbox
import sandbox

RESOURCE_NAMES = ("QueueUrl", "SecretId", "FromEmailAddress")
"""The only parts of a request that are recorded: they name the resource where the path does not."""

SENT_BY = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")


def run_functions_in_sandboxes() -> None:
    execute = lambda_svc._execute_function_provided_warm

    def execute_and_report(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = execute(function, event, request_id)
        lines = [str(result.get("log") or ""), sandbox.report(request_id, result)]
        return result | {"log": "\n".join(filter(None, lines))}

    kill = lambda_runtime.kill_workers
    _replace(lambda_runtime, "kill_workers", lambda workers: sandbox.kill_idle(workers, kill))
    _replace(lambda_runtime, "ProvidedWorker", sandbox.FrozenWorker)
    _replace(lambda_svc, "_provided_worker_env", sandbox.environment)
    _replace(lambda_svc, "_execute_function_provided_warm", execute_and_report)


def read_json_patterns() -> None:
    """CloudWatch's patterns are JSONata but for the operators' names."""
    matches_words = cloudwatch_logs._subscription_pattern_matches

    def matches(pattern: str, message: str) -> bool:
        if not pattern.strip().startswith("{"):
            return bool(matches_words(pattern, message))
        expression = pattern.strip()[1:-1].replace("&&", " and ").replace("||", " or ")
        return bool(Jsonata(expression).evaluate(parsed(message)))

    _replace(cloudwatch_logs, "_subscription_pattern_matches", matches)


def record_calls_and_serve_inbox() -> None:
    """Functions are known by their access keys, which are their names."""
    handle = app._handle_post_body_shortcuts
    file = (sandbox.LOGS / "calls.jsonl").open("a", buffering=1)

    async def record_and_handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]], request_id: str
    ) -> Any:
        if path.startswith(inbox.PREFIX):
            return await inbox.handle(path, headers, body)
        sent_by = SENT_BY.search(headers.get("authorization", ""))
        if sent_by and sent_by[1] in lambda_svc._functions:
            function, service = sent_by.groups()
            asked = parsed(body) if service != "s3" else {}
            call = {"function": function, "service": service, "method": method, "path": path}
            call |= {"query": urlencode(query, doseq=True), "target": headers.get("x-amz-target", "")}
            file.write(json.dumps(call | {name: asked[name] for name in RESOURCE_NAMES if name in asked}) + "\n")
        return await handle(method, path, headers, body, query, request_id)

    _replace(app, "_handle_post_body_shortcuts", record_and_handle)


def parsed(text: str | bytes) -> dict[str, Any]:
    """Returns the JSON object of a text, empty where it is none."""
    with contextlib.suppress(ValueError):
        if isinstance(value := json.loads(text), dict):
            return value
    return {}


def _replace(module: Any, name: str, new: Callable[..., Any]) -> None:
    if not callable(getattr(module, name, None)):
        sys.exit(f"{module.__name__} has no {name}: another ministack than the pinned one?")
    setattr(module, name, new)


if __name__ == "__main__":
    run_functions_in_sandboxes()
    read_json_patterns()
    record_calls_and_serve_inbox()
    app.main()
