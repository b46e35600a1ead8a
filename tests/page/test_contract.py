"""The deployed health API against infra/openapi.yaml: every operation, with valid requests and with malformed ones."""

import uuid
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from health_api import HealthApi
from tools import ROOT


def load_contract() -> BaseSchema:
    config = SchemathesisConfig.from_path(ROOT / "tests" / "page" / "schemathesis.toml")
    return schemathesis.openapi.from_path(ROOT / "infra" / "openapi.yaml", config=config)


contract = load_contract()

valid_requests = load_contract()
valid_requests.config.phases.update(phases=["fuzzing"])
valid_requests.config.generation.update(modes=[GenerationMode.POSITIVE], max_examples=3)


@pytest.fixture(scope="module", autouse=True)
def _actions_to_close(health: HealthApi) -> None:
    health.fill("degraded")


@contract.parametrize()
def test_response_conforms(case: schemathesis.Case[Any], health: HealthApi) -> None:
    case.call_and_validate(**health.address(health.token))


def test_linked_operations_conform(health: HealthApi, monkeypatch: pytest.MonkeyPatch) -> None:
    # Closes the actions that the API lists; each sequence of requests begins with all of them open.
    reopen = "update admin_actions set resolved_at = null, resolved_by = null"
    machine = contract.as_state_machine()
    monkeypatch.setattr(machine, "setup", lambda _: health.query(reopen))
    monkeypatch.setattr(machine, "get_call_kwargs", lambda *_: health.address(health.token))
    # As many steps as schemathesis' own runner takes; hypothesis' default is fifty.
    settings = hypothesis.settings(contract.config.get_hypothesis_settings(phase="stateful"), stateful_step_count=6)
    machine.run(settings=settings)


@valid_requests.parametrize()
def test_refusal_of_a_wrong_token_conforms(case: schemathesis.Case[Any], health: HealthApi) -> None:
    # `ignored_auth` looks at the status of a refusal only; here the whole answer is held against the contract.
    case.call_and_validate(**health.address("another"), excluded_checks=[positive_data_acceptance])


@pytest.mark.parametrize("path", contract.raw_schema["paths"])
def test_undocumented_methods_are_refused(health: HealthApi, path: str) -> None:
    for method in {"get", "post", "put", "patch", "delete"} - set(contract.raw_schema["paths"][path]):
        status, text = health.request(path.format(id=uuid.UUID(int=0)), method.upper())
        assert status in (404, 405), f"{method}: {text}"


@pytest.fixture(scope="module")
def unreachable_database(health: HealthApi) -> Iterator[None]:
    with health.unreachable_database():
        yield


# The last test of the module, until whose end the database stays out of reach.
@valid_requests.parametrize()
@pytest.mark.usefixtures("unreachable_database")
def test_response_without_database_conforms(case: schemathesis.Case[Any], health: HealthApi) -> None:
    case.call_and_validate(**health.address(health.token))
