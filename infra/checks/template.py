"""Calculates on the transformed template what cfn-guard cannot: it compares values, but neither multiplies nor adds.

`.local/venv/bin/python infra/checks/template.py FILE` also writes the template as CloudFormation sees it to FILE, for
the other scanners (scan.py). SAM's own translator does the transform; `sam validate` does not print its result.
"""

import copy
import json
import operator
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from results import Results, finish

Template = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
RUST_SOURCES = ROOT / "shared"

# Hours that a dependency may be down before messages are set aside, with a margin.
OUTAGE_HOURS = 24
# These functions put messages off for at most REDELIVERY_DELAY_MAX; to others they come after the visibility timeout.
POSTPONING = ("StagerFunction", "ReconcilerFunction")
# Copies of the health function at once: ten requests a second at most, a few tens of milliseconds each.
READERS = 2
# A test on the crates holds it: the fetcher cannot reach PostgreSQL.
WITHOUT_DATABASE = ("FetcherFunction",)


def transformed() -> Template:
    # The transform writes no region into its result, but refuses to run without one.
    os.environ.setdefault("AWS_DEFAULT_REGION", "ca-central-1")
    from samcli.yamlhelper import yaml_parse
    from samtranslator.translator.transform import transform

    template = yaml_parse((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam package` would put there: the transform takes no folder.
            resource["Properties"]["CodeUri"] = "s3://artifacts/code"
    # SAM may ask AWS for the names of managed policies: this template has none. Through JSON, because an anchor of the
    # file makes two places one object, and a change of one would change the other.
    result: Template = json.loads(json.dumps(transform(template, {}, SimpleNamespace(load=dict))))
    return result


def constant(name: str) -> int:
    """Returns a number of the Rust sources, in seconds where it is a duration."""
    pattern = rf"const {name}: \w+ = (?:Duration::from_(secs|mins)\()?([\d_]+)\)?;"
    found = [match for path in RUST_SOURCES.rglob("*.rs") for match in re.findall(pattern, path.read_text())]
    if len(found) != 1:
        sys.exit(f"shared : la constante {name} s'y trouve {len(found)} fois, au lieu d'une.")
    return int(found[0][1].replace("_", "")) * (60 if found[0][0] == "mins" else 1)


def target(value: dict[str, Any]) -> str:
    """Returns the logical name of the resource that a Ref or Fn::GetAtt points to."""
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


def findings(template: Template) -> Iterator[tuple[str, str]]:
    """Yields the check and the text of whatever is wrong with the template."""
    copies: Counter[str] = Counter()
    redelivery_delay_max, resources = constant("REDELIVERY_DELAY_MAX"), template["Resources"]
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            queue = resources[target(properties["EventSourceArn"])]["Properties"]
            function = target(properties["FunctionName"])
            hidden, timeout = queue.get("VisibilityTimeout", 30), resources[function]["Properties"]["Timeout"]
            # AWS asks for six timeouts: a slow invocation must not see its own messages come back.
            if hidden < 6 * timeout:
                yield "visibility", f"{name}: visibility timeout of {hidden} s, expected {6 * timeout} s"
            pause = redelivery_delay_max if function in POSTPONING else hidden
            hours = queue["RedrivePolicy"]["maxReceiveCount"] * pause / 3600
            if hours < OUTAGE_HOURS:
                yield "retries", f"{name}: set aside after {hours:.1f} h, expected {OUTAGE_HOURS} h"
            copies[function] += properties.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)
        elif resource["Type"] == "AWS::Scheduler::Schedule":
            copies[target(properties["Target"]["Arn"])] += 1
        elif resource["Type"] == "AWS::ApiGatewayV2::Integration":
            copies[target(properties["IntegrationUri"])] = READERS
    processes = sum(count for function, count in copies.items() if function not in WITHOUT_DATABASE)
    needed, room = processes * constant("CONNECTIONS_MAX"), template["Metadata"]["DatabasePool"]["Connections"]
    if needed > room:
        yield "connections", f"{needed} connections, {room} in the pool: {dict(copies)}"


# Violations that are planted in the template, and must be found: the check, a path, and a value or None to remove.
PLANTED: list[tuple[str, str, int | None]] = [
    ("visibility", "Resources/RawEventsQueue/Properties/VisibilityTimeout", 359),
    ("visibility", "Resources/ReconcilerFunction/Properties/Timeout", 121),
    ("visibility", "Resources/AlertsQueue/Properties/VisibilityTimeout", None),
    ("retries", "Resources/RawEventsQueue/Properties/RedrivePolicy/maxReceiveCount", 5),
    ("retries", "Resources/FetchQueue/Properties/RedrivePolicy/maxReceiveCount", 15),
    ("connections", "Resources/StagerFunctionRawEvents/Properties/ScalingConfig/MaximumConcurrency", 10),
    ("connections", "Metadata/DatabasePool/Connections", 15),
]


def plant(template: Template, path: str, value: int | None) -> Template:
    changed = copy.deepcopy(template)
    *parents, last = path.split("/")
    place = reduce(operator.getitem, parents, changed)
    place.pop(last) if value is None else place.update({last: value})
    return changed


def results() -> Results:
    template = transformed()
    Path(sys.argv[1]).write_text(json.dumps(template))
    wrong = [text for _, text in findings(template)]
    yield not wrong, "\n    ".join(["template: visibility, retries and connections", *wrong])
    for check, path, value in PLANTED:
        is_found = any(found == check for found, _ in findings(plant(template, path, value)))
        yield is_found, f"template: planted {path.rpartition('/')[2]}={value} is found"


if __name__ == "__main__":
    finish(results)
