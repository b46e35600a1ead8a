"""Execution environments that are frozen between two invocations, as on Lambda.

ministack keeps a process warm and speaks the Runtime API to it, but lets it run on after its answer. Here it is stopped
(SIGSTOP) once it asks for its next event, so that work left running shows here and not only in production; no kept tool
does that. Its variables are the template's and nothing of the shell that started the stack, its whole output goes to a
file, and each invocation ends with the report that a function with JSON logs has.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

LOGS = Path(os.environ.get("STACK_LOGS", "."))

PASSED_ON = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
    *("TMPDIR", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY"),
)
"""Access of this machine to the internet, as a function calling the real Gazelle needs it; and the emulator's own."""

PROVIDED_ENV = lambda_svc._provided_worker_env


class FrozenWorker(lambda_runtime.ProvidedWorker):  # type: ignore[misc]
    """One process of a function, which runs during invocations only."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self._freezing = threading.Lock()
        self._is_invoked = False
        self._is_waiting = False
        self.is_retired = False

    def invoke(self, *words: Any, **options: Any) -> dict[str, Any]:
        with self._freezing:
            self._is_invoked = True
            self._signal(signal.SIGCONT)
        try:
            return dict(super().invoke(*words, **options))
        finally:
            with self._freezing:
                self._is_invoked = False
                self._freeze()
            if self.is_retired:
                self._teardown()

    def _mark_first_poll(self, generation: int) -> bool:
        """Called at each request for a next event, not only at the first."""
        is_current = bool(super()._mark_first_poll(generation))
        with self._freezing:
            self._is_waiting = is_current
            self._freeze()
        return is_current

    def _record_result(self, *words: Any) -> bool:
        with self._freezing:
            self._is_waiting = False
        return bool(super()._record_result(*words))

    def _freeze(self) -> None:
        if self._is_waiting and not self._is_invoked:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        process = self._proc
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _await_init(self, *words: Any) -> None:
        # A stopped process does not hear SIGTERM, and what ends an environment on Lambda does not ask.
        self._proc.terminate = self._proc.kill
        try:
            super()._await_init(*words)
        except RuntimeError as error:
            if self._proc.poll() is None:
                raise
            raise lambda_runtime.ProvidedRuntimeError(str(error), "Runtime.ExitError") from error

    def _pump_output(self, stream: IO[bytes], log_queue: queue.Queue[str]) -> None:
        with (LOGS / f"{self.func_name}.log").open("ab", buffering=0) as file:

            def readline() -> bytes:
                line = stream.readline()
                file.write(line)
                return line

            super()._pump_output(SimpleNamespace(readline=readline, close=stream.close), log_queue)


def kill_idle(workers: list[FrozenWorker], kill: Callable[[list[FrozenWorker]], None]) -> None:
    """Kills the environments of an updated function, after their invocation where one runs, as Lambda does."""
    for worker in workers:
        worker.is_retired = True
    kill([worker for worker in workers if not worker.in_use])


def environment(config: dict[str, Any], code: str, port: int) -> dict[str, str]:
    """Returns the variables of a function's process. Its access key is its own name, by which its calls are known."""
    variables = (config.get("Environment") or {}).get("Variables") or {}
    logging, name = config.get("LoggingConfig") or {}, str(config["FunctionName"])
    given = PROVIDED_ENV(config, code, port).items()
    env = {key: str(value) for key, value in given if key in variables or key in PASSED_ON or key not in os.environ}
    return env | {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "NO_PROXY": f"{os.environ.get('NO_PROXY', '')},127.0.0.1,localhost".lstrip(","),
        "AWS_ACCESS_KEY_ID": name,
        "AWS_SESSION_TOKEN": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": str(logging.get("LogGroup", f"/aws/lambda/{name}")),
        "AWS_LAMBDA_LOG_FORMAT": str(logging.get("LogFormat", "Text")),
    }


def report(request_id: str, result: dict[str, Any]) -> str:
    """Returns the platform's own line about an invocation, as a function with JSON logs has it."""
    body = result.get("body")
    kind = str(body.get("errorType", "")) if result.get("error") and isinstance(body, dict) else ""
    status = "timeout" if kind == "Sandbox.Timedout" else "error" if result.get("error") else "success"
    record = {"requestId": request_id, "status": status} | ({"errorType": kind} if kind else {})
    when = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return json.dumps({"time": when, "type": "platform.report", "record": record})
