"""The deployed health function of a stack, reading for a while a schema of the tests' own in the stack's database."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

import deploy
import emulator
import postgres
import tools

# Other tests share the database: only the function's settings lead to this schema.
SCHEMA = "page_test"
DASHBOARD = "/api/v6/dashboard"


class HealthApi:
    """The function's addresses and token, the schema that it reads, and the settings that lead it there."""

    def __init__(self, stack: tools.Stack) -> None:
        if not stack.data.get("outputs"):
            raise tools.Failure(f'stack "{stack.name}" is not deployed; run stack.py up --name {stack.name}')
        exports = deploy.exports(stack)
        self.stack = stack
        self.token, self.host, self.gateway = (exports[f"HEALTH_{part}"] for part in ("TOKEN", "HOST", "URL"))
        # Browsers resolve every name below localhost to this machine.
        self.dashboard = f"http://{self.host}:{urlsplit(self.gateway).port}{DASHBOARD}"
        self._function = exports["HEALTH_FUNCTION"]
        self._database = deploy.secret_names(stack)["database"]

    @contextlib.contextmanager
    def schema(self) -> Iterator[None]:
        """Migrates the schema and points the function at it; afterwards both are as the deployment left them."""
        drop = f"set client_min_messages to warning; drop schema if exists {SCHEMA} cascade"
        try:
            postgres.query(self.stack, drop)
            deploy.admin(self.stack, "migrate", schema=SCHEMA)
            self._configure(self._database, SCHEMA)
            yield
        finally:
            # From what is deployed, not from what was found: a run that was killed has left its own settings there.
            self._configure(self._database, deploy.DATABASE_SCHEMA)
            postgres.query(self.stack, drop)

    @contextlib.contextmanager
    def unreachable_database(self) -> Iterator[None]:
        """Points the function at a secret that names a database where nothing listens."""
        port = tools.free_port()
        name = f"{emulator.stack_name(self.stack)}/unreachable-{port}"
        url = f"postgres://nobody:nothing@127.0.0.1:{port}/none?sslmode=disable"
        secrets = deploy.aws(self.stack, "secretsmanager")
        secrets.create_secret(Name=name, SecretString=json.dumps({"url": url}))
        try:
            self._configure(name, SCHEMA)
            yield
        finally:
            self._configure(self._database, SCHEMA)
            secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def fill(self, state: str) -> None:
        """Replaces the schema's rows by those of `{state}.sql`, after a day of runs of every entity."""
        entities = json.dumps(list(json.loads(self.request("/api/v6/health")[1])))
        rows = "".join(Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8") for name in ("day", state))
        self.query(f"set page.entities = '{entities}'; {rows}")

    def query(self, sql: str) -> str:
        """Returns the rows as lines, their columns separated by tabs."""
        return postgres.query(self.stack, f"set search_path to {SCHEMA}; {sql}").strip()

    def address(self, token: str) -> dict[str, Any]:
        """Returns where a program's requests go, and the headers that bring them there."""
        return {"base_url": self.gateway, "headers": {"Host": self.host, "Authorization": f"Bearer {token}"}}

    def request(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Returns the status and the text that a program gets; redirects are not followed."""
        headers = self.address(self.token)["headers"]
        response = urllib3.request(method, self.gateway + path, headers=headers, retries=False, timeout=30)
        return response.status, response.data.decode()

    def _configure(self, secret: str, schema: str) -> None:
        functions = deploy.aws(self.stack, "lambda")
        known = functions.get_function_configuration(FunctionName=self._function)["Environment"]["Variables"]
        variables = known | {"DATABASE_SECRET_ID": secret, "DATABASE_SCHEMA": schema}
        functions.update_function_configuration(FunctionName=self._function, Environment={"Variables": variables})
        functions.get_waiter("function_updated_v2").wait(FunctionName=self._function)
