"""A mirror of our own in the stack's database, and the deployed health function reading it for a while.

Other tests share the database: this one has its own schema, to which only the function's settings lead. At the end the
settings are those of the deployment again and the schema is gone, also after a failure.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

import deploy
import emulator
import postgres
import tools
from tools import ROOT, Failure, Stack

SCHEMA = "page_test"

DASHBOARD = "/api/v6/dashboard"

CHANGE_LIMIT_S = 30
"""A changed function starts afresh within a second; a busy machine takes longer."""


class Ground:
    """The schema, the function's settings, and the addresses of its answers."""

    def __init__(self, stack: Stack) -> None:
        if not stack.data.get("outputs"):
            raise Failure(f"La pile « {stack.name} » n'est pas déployée : stack.py up --name {stack.name}")
        self.stack = stack
        known = deploy.exports(stack)
        self.token: str = known["HEALTH_TOKEN"]
        self.host: str = known["HEALTH_HOST"]
        self.gateway: str = known["HEALTH_URL"]
        # Browsers resolve every name below localhost to this machine.
        self.address = f"http://{self.host}:{urlsplit(self.gateway).port}{DASHBOARD}"
        self._function: str = known["HEALTH_FUNCTION"]
        self._unreachable = f"{emulator.stack_name(stack)}/unreachable"

    def __enter__(self) -> Ground:
        try:
            self._drop()
            env = dict(os.environ) | {"DATABASE_URL": postgres.url(self.stack), "DATABASE_SCHEMA": SCHEMA}
            tools.output_of([str(deploy.binary("gazelle-admin")), "migrate"], "Les migrations ont échoué", env=env, cwd=ROOT)
            self.use_database()
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def query(self, sql: str) -> str:
        return postgres.query(self.stack, f"set search_path to {SCHEMA}; {sql}")

    def use_database(self) -> None:
        """The function reads our schema."""
        self._point(deploy.secret_names(self.stack)["database"], SCHEMA)
        self._wait_for({200, 503}, lambda text: "database_unreachable" not in text)

    def lose_database(self) -> None:
        """The function finds nothing where its secret says that the database is."""
        text = json.dumps({"url": f"postgres://nobody:nothing@127.0.0.1:{tools.free_port()}/none?sslmode=disable"})
        client = deploy.aws(self.stack, "secretsmanager")
        try:
            client.create_secret(Name=self._unreachable, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=self._unreachable, SecretString=text)
        self._point(self._unreachable, SCHEMA)
        self._wait_for({503}, lambda text: "database_unreachable" in text)

    def _restore(self) -> None:
        # From what is deployed, not from what was found: a run that was killed has left its own settings there.
        self._point(deploy.secret_names(self.stack)["database"], deploy.DATABASE_SCHEMA)
        self._drop()
        client = deploy.aws(self.stack, "secretsmanager")
        if any(secret["Name"] == self._unreachable for secret in client.list_secrets()["SecretList"]):
            client.delete_secret(SecretId=self._unreachable, ForceDeleteWithoutRecovery=True)

    def _drop(self) -> None:
        postgres.query(self.stack, f"set client_min_messages to warning; drop schema if exists {SCHEMA} cascade")

    def _point(self, secret: str, schema: str) -> None:
        client = deploy.aws(self.stack, "lambda")
        known = client.get_function_configuration(FunctionName=self._function)["Environment"]["Variables"]
        variables = known | {"DATABASE_SECRET_ID": secret, "DATABASE_SCHEMA": schema}
        client.update_function_configuration(FunctionName=self._function, Environment={"Variables": variables})

    def _wait_for(self, statuses: set[int], fits: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + CHANGE_LIMIT_S
        while True:
            status, text = self.ask("/api/v6/runs")
            if status in statuses and fits(text):
                return
            if time.monotonic() > deadline:
                raise Failure(f"La fonction health ne suit pas ses réglages : {status} {text[:200]}")
            time.sleep(0.2)

    def entities(self) -> list[str]:
        """The entities that the function knows."""
        return list(json.loads(self.ask("/api/v6/health")[1]))

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """What a program gets: status and text."""
        headers = {"Host": self.host, "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.gateway + path, headers=headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
