"""Values for the members of the model: good ones, and ones that no client should send."""

from __future__ import annotations

import json
import random  # noqa: TC003  (its class is used at run time by the tests' signatures)
import re
from typing import Any

#: Texts of which some fit each pattern of the model.
TEXTS = (
    "golden",
    "1.0.0",
    "1.0.x",
    "x.x.x",
    "us-east-1",
    "123456789012",
    "golden-al2023",
    "/aws/imagebuilder/golden",
    "ImageBuilderExecution",
    "arn:aws:iam::123456789012:role/ImageBuilderExecution",
    "arn:aws:sns:us-east-1:123456789012:topic",
    "lce-01234567-89ab-cdef-0123-456789abcdef",
    "wf-01234567-89ab-cdef-0123-456789abcdef",
    "step-01234567-89ab-cdef-0123-456789abcdef",
    "import-ami-0123456789abcdef0",
    "lt-0123456789abcdef0",
    "s3://bucket/key",
    "rate(1 day)",
    "Europe/Berlin",
    "optional",
    "required",
    "arn:aws:organizations::123456789012:organization/o-1234567890",
    "arn:aws:organizations::123456789012:ou/o-1234567890/ou-1234-12345678",
    "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef",
)
WEIRD_TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "é\u202e漢\U0001f4a9",
    "a" * 70_000,
    "../../etc/passwd",
    "%s%n{}{{ imagebuilder:buildDate }}",
    "*",
    "x.x.1",
    "99999999999999999999.0.0",
    "1.0.0\n",
    "arn:aws:imagebuilder:::",
    "arn:aws:imagebuilder:us-east-1:123456789012:image/a/1.0.0/99999999999999999999",
    "$.stepOutputs.a.b",
    "cron(0 0 31 2 ? *)",
    "rate(0 day)",
    "NaN",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, True)
MOST_TEXTS = 400
#: JSON texts that Python's own writer does not make.
RAW = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'"\\ud800"',
    b'"\\u0000"',
    b"1" * 5_000,
    b"01",
    b'"\xff\xfe"',
    b"{]",
    b"",
)
DOCUMENTS = (
    "{schemaVersion: 1.0, phases: [{name: build, steps: [{name: Run, action: Reboot}]}]}",
    "schemaVersion: 1.0\nsteps:\n  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}\n",
    "schemaVersion: 1.0\nsteps:\n  - {name: Wait, action: WaitForAction}\n",
    "schemaVersion: 1.0\nsteps:\n  - {name: Wait, action: WaitForAction, if: 5}\n",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    "a: &a [*a]\n",
    "? [a]\n: b\n",
    "!!python/object/apply:os.system ['true']\n",
    "- 1\n- 2\n",
    "'",
    "\t",
)


class Raw(str):
    """A text that is put into JSON as it is, without quotes."""

    __slots__ = ()


class Values:
    """Chooses values.

    :param chooser: makes every choice, so that a seed repeats them.
    :param arns: ARNs and ids that the service knows.
    """

    def __init__(self, chooser: random.Random, arns: tuple[str, ...]) -> None:
        self._random = chooser
        self._texts = [*arns, *TEXTS]
        self._given = len(self._texts)
        self._fitting: dict[str, list[str]] = {}

    def learn(self, text: str) -> None:
        """Use an ARN or an id that the service has answered."""
        if text in self._texts or len(self._texts) > MOST_TEXTS:
            return
        self._texts.append(text)
        for pattern, fitting in self._fitting.items():
            if re.fullmatch(pattern, text):
                fitting.append(text)

    def known(self, prefix: str) -> str | None:
        """Return an id of a kind; None if the service has answered none."""
        fitting = [text for text in self._texts[self._given :] if text.startswith(prefix)]
        return self._random.choice(fitting) if fitting else None

    def _of(self, pattern: str) -> list[str]:
        if pattern not in self._fitting:
            self._fitting[pattern] = [text for text in self._texts if re.fullmatch(pattern, text)]
        return self._fitting[pattern]

    def good(self, shape: Any, depth: int = 0) -> Any:
        """Return a value that fits a shape, as far as a text is known that does."""
        kind = shape.type_name
        if kind == "structure":
            return {
                name: self.good(member, depth + 1)
                for name, member in shape.members.items()
                if name in shape.required_members or self._random.random() < (0.5 if depth == 0 else 0.3)
            }
        if kind == "list":
            least = shape.metadata.get("min", 0)
            return [self.good(shape.member, depth + 1) for _ in range(max(least, self._random.randint(0, 2)))]
        if kind == "map":
            return {"team": self.good(shape.value, depth + 1)}
        return self._scalar(shape)

    def _scalar(self, shape: Any) -> Any:
        kind, metadata = shape.type_name, shape.metadata
        if kind != "string":
            least = int(metadata.get("min", 1))
            most = min(int(metadata.get("max", least + 10)), least + 100)
            plain = {"boolean": self._random.random() < 0.5, "timestamp": 1_900_000_000}
            return plain.get(kind, self._random.randint(least, most))
        if shape.enum:
            return self._random.choice(shape.enum)
        if shape.name in ("InlineComponentData", "InlineWorkflowData"):
            return self._random.choice(DOCUMENTS)
        if shape.name == "ClientToken":
            return f"token-{self._random.getrandbits(64)}"
        return self._random.choice(self._of(metadata.get("pattern", ".*")) or self._texts)

    def bad(self) -> Any:
        """Return a value that fits hardly any shape."""
        choose = self._random.choice
        return choose(
            (
                lambda: choose(WEIRD_TEXTS),
                lambda: choose(NUMBERS),
                lambda: None,
                list,
                dict,
                lambda: [None],
                lambda: [{"a": [choose(TEXTS)]}] * 300,
                lambda: {choose(WEIRD_TEXTS): choose(NUMBERS)},
                lambda: Raw(choose(RAW).decode("latin-1")),
            )
        )()

    def spoiled(self, value: Any) -> Any:
        """Return a value with one of its parts, however deep, replaced or removed."""
        if isinstance(value, dict) and value and self._random.random() < 0.8:
            name = self._random.choice(sorted(value))
            if self._random.random() < 0.15:
                return {key: item for key, item in value.items() if key != name}
            return {**value, name: self.spoiled(value[name])}
        if isinstance(value, list) and value and self._random.random() < 0.6:
            place = self._random.randrange(len(value))
            return [self.spoiled(item) if index == place else item for index, item in enumerate(value)]
        return self.bad()


def dumps(value: Any) -> bytes:
    """Write JSON, with :class:`Raw` as it is and with lone surrogates."""
    if isinstance(value, Raw):
        return value.encode("latin-1")
    if isinstance(value, dict):
        items = [json.dumps(str(name)).encode() + b":" + dumps(item) for name, item in value.items()]
        return b"{" + b",".join(items) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(dumps(item) for item in value) + b"]"
    return json.dumps(value).encode()
