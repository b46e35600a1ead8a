"""template.yaml as CloudFormation sees it, SAM's shorthand written out, and words to speak of it.

Runs with the packages of .local/venv: `.local/venv/bin/python infra/checks/transformed.py FILE` writes it as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Template = dict[str, Any]
Properties = dict[str, Any]


class NoManagedPolicies:
    """SAM may ask AWS what a managed policy is called. This template uses none, and nothing here asks AWS."""

    def load(self) -> dict[str, str]:
        return {}


def transformed() -> Template:
    # The transform writes a region into nothing, but wants to know one.
    os.environ.setdefault("AWS_DEFAULT_REGION", "ca-central-1")
    from samcli.yamlhelper import yaml_parse
    from samtranslator.translator.transform import transform

    template = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam package` would put there: the transform takes no folder.
            resource["Properties"]["CodeUri"] = "s3://artifacts/code"
    # Through JSON: anchors of the file make two places one object, and a change of one would change the other.
    return json.loads(json.dumps(transform(template, {}, NoManagedPolicies())))


# ------------------------------------------------------------------------------- reading


def of_type(template: Template, *kinds: str) -> Iterator[tuple[str, Properties]]:
    """Name and properties of each resource of these types, `AWS::` left out."""
    for name, resource in template["Resources"].items():
        if resource["Type"].removeprefix("AWS::") in kinds:
            yield name, resource.get("Properties", {})


def properties(template: Template, name: str) -> Properties:
    return template["Resources"][name].setdefault("Properties", {})


def target(value: Any) -> str:
    """The resource that a `Ref` or a `GetAtt` means; of anything else its text."""
    if isinstance(value, dict):
        if "Ref" in value:
            return str(value["Ref"])
        if "Fn::GetAtt" in value:
            found = value["Fn::GetAtt"]
            return str(found if isinstance(found, str) else found[0]).split(".")[0]
    return text(value)


def text(value: Any) -> str:
    """A value in one line, as a person would write it in the template."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        return str(value["Fn::Sub"])
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        found = value["Fn::GetAtt"]
        return "${" + (found if isinstance(found, str) else ".".join(found)) + "}"
    if isinstance(value, dict) and "Ref" in value:
        return "${" + str(value["Ref"]) + "}"
    return value if isinstance(value, str) else json.dumps(value)


def listed(value: Any) -> list[Any]:
    """What may be one or many as many; both ways of an `If`, without what is then left out."""
    if value is None:
        return []
    if isinstance(value, list):
        return [one for member in value for one in listed(member)]
    if isinstance(value, dict) and "Fn::If" in value:
        return listed(value["Fn::If"][1:])
    return [] if value == {"Ref": "AWS::NoValue"} else [value]


def statements(role: Properties) -> list[dict[str, Any]]:
    """Every statement of a role's own policies."""
    return [one for policy in role.get("Policies", []) for one in listed(policy["PolicyDocument"]["Statement"])]


def constant(path: str, name: str) -> int:
    """A number of the Rust sources, seconds where it is a duration: what is said twice must be said alike."""
    source = (ROOT / path).read_text()
    found = re.search(rf"const {name}: \w+ = (?:Duration::from_(secs|mins)\()?([\d_]+)\)?;", source)
    if not found:
        sys.exit(f"{path} : la constante {name} est introuvable.")
    return int(found[2].replace("_", "")) * (60 if found[1] == "mins" else 1)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(transformed(), indent=1))
