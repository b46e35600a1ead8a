"""The Lambda Runtime API for compiled functions: warm, frozen between invocations, their logs kept.

As on Lambda: one process serves one invocation at a time and is reused; between two invocations it is stopped, so that
work left running after the answer shows here and not only in production; a crash, a missing answer or a late one is an
error; the environment is the template's and nothing of the shell that started the stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

IDLE_LIMIT_S = 300.0
"""A sandbox nobody called for this long is ended, as Lambda does after some minutes."""

LOG_PER_INVOCATION_MAX = 256 * 1024
"""What CloudWatch Logs here gets of one invocation; the file of the function gets everything."""

PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
"""How this machine reaches the internet: the only thing of the shell that a function calling the real Gazelle needs."""


@dataclass
class Invocation:
    """One event, and what became of it."""

    event: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = 0.0
    answer: Any = None
    error: dict[str, Any] | None = None
    log: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def fail(self, kind: str, message: str) -> None:
        if not self.done.is_set():
            self.error = {"errorType": kind, "errorMessage": message}
            self.done.set()

    def report(self) -> str:
        """The platform's own line about the invocation, as a function with JSON logs has it."""
        kind = (self.error or {}).get("errorType", "")
        status = "success" if self.error is None else "timeout" if kind == "Sandbox.Timedout" else "error"
        record = {"requestId": self.request_id, "status": status} | ({"errorType": kind} if kind else {})
        return json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "type": "platform.report", "record": record})

    def as_ministack(self) -> dict[str, Any]:
        log = "".join(self.log)[-LOG_PER_INVOCATION_MAX:] + self.report()
        if self.error is not None:
            return {"body": self.error, "error": True, "function_error": "Unhandled", "log": log}
        return {"body": self.answer, "log": log}


class Sandbox:
    """One process of a function with its own Runtime API."""

    def __init__(self, config: dict[str, Any], code: Path, env: dict[str, str], log: Path) -> None:
        self.name: str = config["FunctionName"]
        self.idle_since = 0.0
        self._log = log
        self._current: Invocation | None = None
        self._next: queue.Queue[Invocation | None] = queue.Queue(maxsize=1)
        self._waiting = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(config["FunctionArn"]))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._process = subprocess.Popen(
            [str(code / "bootstrap")],
            cwd=code,
            env=env | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._keep_log, daemon=True).start()

    def invoke(self, invocation: Invocation, timeout_s: float) -> None:
        """Returns when the function answered, failed, died or was too late."""
        self._current = invocation
        invocation.deadline = time.time() + timeout_s
        self._signal(signal.SIGCONT)
        self._next.put(invocation)
        if not invocation.done.wait(timeout_s):
            invocation.fail("Sandbox.Timedout", f"RequestId: {invocation.request_id} Task timed out after {timeout_s:.2f} seconds")
            self.end()

    def freeze_when_it_waits(self, limit_s: float) -> bool:
        """Whether the function asked for its next event in time; then it is stopped until there is one."""
        if not self._waiting.wait(limit_s):
            return False
        self._signal(signal.SIGSTOP)
        self.idle_since = time.monotonic()
        return self._process.poll() is None

    def end(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _keep_log(self) -> None:
        """Copies the output to the function's file and to the invocation that wrote it, until the process ends."""
        assert self._process.stdout is not None
        with self._log.open("ab") as file:
            for line in self._process.stdout:
                file.write(line)
                file.flush()
                if self._current is not None:
                    self._current.log.append(line.decode(errors="replace"))
        code = self._process.wait()
        self._waiting.clear()
        if self._current is not None:
            self._current.fail("Runtime.ExitError", f"RequestId: {self._current.request_id} Error: Runtime exited with code {code}")
        with contextlib.suppress(queue.Full):
            self._next.put_nowait(None)
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, arn: str) -> type[BaseHTTPRequestHandler]:
        sandbox = self

        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Silent: the function's own log says more."""

            def do_GET(self) -> None:
                if not self.path.endswith("/runtime/invocation/next"):
                    return self._reply(404, b"{}")
                sandbox._waiting.set()
                invocation = sandbox._next.get()
                sandbox._waiting.clear()
                if invocation is None:
                    self.close_connection = True
                    return None
                return self._reply(200, invocation.event.encode(), {
                    "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": arn,
                    "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
                })

            def do_POST(self) -> None:
                body = self._body()
                self._reply(202, b'{"status":"OK"}')
                invocation = sandbox._current
                if invocation is None or invocation.done.is_set():
                    return
                if self.path.endswith(f"/{invocation.request_id}/response"):
                    invocation.answer = _parsed(body)
                    invocation.done.set()
                elif self.path.endswith(("/init/error", f"/{invocation.request_id}/error")):
                    error = _parsed(body)
                    invocation.error = error if isinstance(error, dict) else {"errorType": "Runtime.Unknown", "errorMessage": str(error)}
                    invocation.done.set()

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return b"".join(parts)

            def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return RuntimeApi


class Calls:
    """What functions ask of AWS, a line of JSON per call: `infra/checks/permissions.py` compares it with their roles.

    Each function has its own name as access key, which the emulator takes like any other, so that every request says
    who sent it. Only names are kept of a request: which queue, which secret, whose address; never what it carries.
    """

    NAMES = ("QueueUrl", "SecretId", "FromEmailAddress")
    """What tells the resource where the path does not."""

    SENT_BY = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._callers: set[str] = set()

    def of(self, function: str) -> str:
        """The access key by which the function's calls are known."""
        self._callers.add(function)
        return function

    def heard_by(self, server: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """The emulator's front door (ASGI), which writes down what functions ask before it answers as before."""

        async def door(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Any) -> None:
            headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope.get("headers", [])}
            sent_by = self.SENT_BY.search(headers.get("authorization", ""))
            if sent_by is None or sent_by[1] not in self._callers:
                return await server(scope, receive, send)
            has_names = sent_by[2] != "s3"
            body = bytearray()

            async def listen() -> dict[str, Any]:
                message = await receive()
                if has_names:
                    body.extend(message.get("body", b""))
                return message

            try:
                return await server(scope, listen, send)
            finally:
                self._write(sent_by[1], sent_by[2], scope, headers.get("x-amz-target", ""), bytes(body))

        return door

    def _write(self, function: str, service: str, scope: dict[str, Any], target: str, body: bytes) -> None:
        asked = _parsed(body) if body else {}
        names = {name: asked[name] for name in self.NAMES if isinstance(asked, dict) and name in asked}
        call = {"function": function, "service": service, "method": scope["method"], "path": scope["path"],
                "query": scope.get("query_string", b"").decode(), "target": target} | names
        self._file.write(json.dumps(call) + "\n")


class Sandboxes:
    """The warm processes of every function; a changed function starts afresh."""

    def __init__(self, endpoint: str, region: str, logs: Path) -> None:
        # Imported here: the rest of this file knows nothing of the emulator.
        from ministack import app

        self._calls = Calls(logs / "calls.jsonl")
        app.app = self._calls.heard_by(app.app)
        self._endpoint = endpoint
        self._region = region
        self._logs = logs
        self._idle: dict[str, list[Sandbox]] = {}
        self._lock = threading.Lock()

    def invoke(self, config: dict[str, Any], code: Path, invocation: Invocation) -> Invocation:
        key = json.dumps([config["FunctionName"], code.name, config.get("Environment"), config.get("Timeout"), config.get("MemorySize")])
        sandbox = self._take(config["FunctionName"], key)
        if sandbox is None:
            try:
                sandbox = Sandbox(config, code, self._environment(config, code), self._log_of(config))
            except OSError as error:
                invocation.fail("Runtime.InvalidEntrypoint", str(error))
                return invocation
        sandbox.invoke(invocation, float(config.get("Timeout", 3)))
        # The answer is on its way at once; the process is only reused once it asks for more.
        threading.Thread(target=self._give_back, args=(key, sandbox), daemon=True).start()
        return invocation

    def _take(self, name: str, key: str) -> Sandbox | None:
        now = time.monotonic()
        with self._lock:
            for other, idle in self._idle.items():
                fresh = [s for s in idle if now - s.idle_since < IDLE_LIMIT_S and (s.name != name or other == key)]
                for sandbox in idle:
                    if sandbox not in fresh:
                        sandbox.end()
                idle[:] = fresh
            while waiting := self._idle.get(key):
                sandbox = waiting.pop()
                if sandbox._process.poll() is None:
                    return sandbox
        return None

    def _give_back(self, key: str, sandbox: Sandbox) -> None:
        if sandbox.freeze_when_it_waits(limit_s=10.0):
            with self._lock:
                self._idle.setdefault(key, []).append(sandbox)
        else:
            sandbox.end()

    def _log_of(self, config: dict[str, Any]) -> Path:
        return self._logs / f"{config['FunctionName']}.log"

    def _environment(self, config: dict[str, Any], code: Path) -> dict[str, str]:
        env = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        if env:
            env["NO_PROXY"] = env["no_proxy"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))
        env |= {str(key): str(value) for key, value in ((config.get("Environment") or {}).get("Variables") or {}).items()}
        logging = config.get("LoggingConfig") or {}
        return env | {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "LAMBDA_TASK_ROOT": str(code),
            "_HANDLER": str(config.get("Handler", "bootstrap")),
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_ACCESS_KEY_ID": self._calls.of(self._name(config)),
            "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_LAMBDA_FUNCTION_NAME": self._name(config),
            "AWS_LAMBDA_FUNCTION_VERSION": str(config.get("Version", "$LATEST")),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": str(logging.get("LogGroup", f"/aws/lambda/{self._name(config)}")),
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
            "AWS_LAMBDA_LOG_FORMAT": str(logging.get("LogFormat", "Text")),
        }

    @staticmethod
    def _name(config: dict[str, Any]) -> str:
        return str(config["FunctionName"])


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
