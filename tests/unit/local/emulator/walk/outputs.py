"""The output members of every operation, nested ones too: those of a model, and those of answers.

``newest-model.json`` holds the newest botocore's, because the installed one may be older. To make it again
from another botocore, run this module in a virtual environment that has it::

    python -m tests.unit.local.emulator.walk.outputs > tests/unit/local/emulator/walk/newest-model.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWEST = Path(__file__).with_name("newest-model.json")
UNKNOWN = "(not in the model)"


def summary(model: Any) -> dict[str, Any]:
    """Return the outputs of a service model as JSON-safe values.

    The target of a member is the name of a structure, ``["list", target]``, ``["map", target]``, or an empty
    text for a plain value.
    """
    shapes: dict[str, dict[str, Any]] = {}

    def target(shape: Any) -> Any:
        if shape.type_name == "structure":
            if shape.name not in shapes:
                shapes[shape.name] = {}
                shapes[shape.name] |= {name: target(member) for name, member in shape.members.items()}
            return shape.name
        if shape.type_name == "list":
            return ["list", target(shape.member)]
        return ["map", target(shape.value)] if shape.type_name == "map" else ""

    operations = {
        name: target(model.operation_model(name).output_shape) for name in sorted(model.operation_names)
    }
    return {"botocore": botocore.__version__, "operations": operations, "shapes": shapes}


def newest() -> dict[str, Any]:
    """Return the summary of the newest model."""
    return dict(json.loads(NEWEST.read_text("utf-8")))


def paths(outputs: dict[str, Any]) -> set[str]:
    """Return every member as a path: ``GetImage.image.outputResources.amis[].image``."""

    def below(target: Any, at: str) -> Iterator[str]:
        if isinstance(target, list):
            yield from below(target[1], at + {"list": "[]", "map": "{}"}[target[0]])
        elif target:
            for name, member in outputs["shapes"][target].items():
                yield f"{at}.{name}"
                yield from below(member, f"{at}.{name}")

    return {path for name, target in outputs["operations"].items() for path in below(target, name)}


def seen(outputs: dict[str, Any], operation: str, answer: Any) -> set[str]:
    """Return the members of an answer as paths.

    :param outputs: a summary, which says what is a mapping with free keys.
    """

    def below(target: Any, value: Any, at: str) -> Iterator[str]:
        if isinstance(target, list):
            mark = {"list": "[]", "map": "{}"}[target[0]]
            for item in value.values() if target[0] == "map" else value:
                yield from below(target[1], item, at + mark)
        elif target:
            for name, item in value.items():
                member = outputs["shapes"][target].get(name)
                if member is None:
                    yield f"{at}.{name} {UNKNOWN}"
                else:
                    yield f"{at}.{name}"
                    yield from below(member, item, f"{at}.{name}")

    return set(below(outputs["operations"][operation], answer, operation))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    """Write a summary with one shape per line, so that a difference can be read."""
    yield f'{{\n "botocore": "{found["botocore"]}",'
    for key, end in (("operations", " },"), ("shapes", " }\n}")):
        yield f' "{key}": {{'
        rows = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(found[key].items())]
        yield ",\n".join(rows)
        yield end


if __name__ == "__main__":
    session = botocore.session.get_session()
    sys.stdout.write("\n".join(_lines(summary(session.get_service_model("imagebuilder")))) + "\n")
