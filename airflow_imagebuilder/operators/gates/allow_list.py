"""Where the allow-list of a gate comes from: the Dag file, a file beside it, or an Airflow Variable."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError
from airflow_imagebuilder.service.gates.allow_list import AllowedFinding, read_allow_list
from airflow_imagebuilder.service.request.fields.templates import is_blank

if TYPE_CHECKING:
    from collections.abc import Sequence

_FILES = (".yaml", ".yml", ".json")
_BYTES = 1024 * 1024
"""The largest file or Variable that is read."""

_ALLOWED = "a list or mapping of entries, the path of a YAML or JSON file, or the name of an Airflow Variable"


def load_allow_list(given: object, folder: str) -> tuple[AllowedFinding, ...]:
    """
    Return the entries of an allow-list.

    Text is the path of a file if it has a slash or ends with ``.yaml``, ``.yml`` or ``.json``; a list or
    mapping as YAML or JSON if it begins with ``[`` or ``{``; else the name of an Airflow Variable.

    :param given: the operator's ``allow_list`` as it has been rendered.
    :param folder: the folder from which relative paths count.
    :raises InvalidRequestError: it is not there, or cannot be read.
    """
    if isinstance(given, PathLike):
        return _from_file(Path(folder) / given)
    if not isinstance(given, str):
        return read_allow_list(given)
    text = given.strip()
    if is_blank(text) or text == "None":
        return ()
    if text.startswith(("[", "{")):
        return read_allow_list(_parsed(text, "allow_list"))
    if "/" in text or text.endswith(_FILES):
        return _from_file(Path(folder) / text)
    return read_allow_list(_parsed(_variable(text), f"Variable {text}"), f"Variable {text}")


def _from_file(path: Path) -> tuple[AllowedFinding, ...]:
    try:
        content = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        remedy = f"it cannot be read on this worker: {error}"
        raise InvalidRequestError([Fault("allow_list", str(path), _ALLOWED, remedy)]) from None
    return read_allow_list(_parsed(content, str(path)), str(path))


def _variable(name: str) -> str:
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

    try:
        return str(Variable.get(name))
    except AirflowRuntimeError as error:
        if error.error.error != ErrorType.VARIABLE_NOT_FOUND:
            raise
        remedy = "Airflow has no Variable of this name: create it, or write the path of a file"
        raise InvalidRequestError([Fault("allow_list", name, _ALLOWED, remedy)]) from None


class _TwiceError(ValueError):
    """A key is there twice. YAML and JSON take the last one silently."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON whose keys are there once."""
    _refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def _refuse_twice(keys: Sequence[str]) -> None:
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise _TwiceError(f"{twice[0]!r} is there more than once: keep the one that holds")


def _parsed(content: str, where: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        """A loader that refuses a key which is there twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            _refuse_twice([key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)])
            return super().construct_mapping(node, deep)

    if len(content) > _BYTES:
        remedy = f"it has {len(content)} characters: keep the entries that are needed"
        raise InvalidRequestError([Fault(where, "", f"at most {_BYTES} characters", remedy)])
    try:
        with contextlib.suppress(json.JSONDecodeError):  # YAML refuses the tabs that JSON may have
            return json.loads(content, object_pairs_hook=_once)
        return yaml.load(content, Loader)  # noqa: S506 (it is a SafeLoader)
    except _TwiceError as error:
        raise InvalidRequestError([Fault(where, content, "each key once", str(error))]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        remedy = f"it is not YAML or JSON: {error}"
        raise InvalidRequestError([Fault(where, content, "a list or mapping of entries", remedy)]) from None
