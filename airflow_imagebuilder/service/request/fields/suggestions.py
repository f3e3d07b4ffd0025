"""Unknown names, and the known name that the user probably meant."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


def closest(name: object, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like a name; upper case and underscores do not count.

    :param cutoff: how alike the two must be, from 0 (not at all) to 1 (the same); default 0.6.
    :return: ``None`` where no known name is alike enough.
    """
    from difflib import get_close_matches

    plain = {member.replace("_", "").lower(): member for member in known}
    wanted = str(name).replace("_", "").strip().lower()
    close = get_close_matches(wanted, plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def unknown_member(
    path: str, name: object, value: object, known: Mapping[str, object] | Sequence[str]
) -> Fault:
    """Return the fault of a member that is not known.

    :param path: the structure that the member is in; empty for a member of the request itself.
    :param known: the names of the known members.
    """
    close = closest(name, known)
    remedy = f"did you mean {close}?" if close else "leave it out"
    return Fault(f"{path}.{name}" if path else str(name), value, ", ".join(known), remedy)


def refuses_unknown_names(
    fault: Callable[[str, object], Fault] | None = None,
) -> Callable[[type[T]], type[T]]:
    """Return a decorator for a class that reports misspelt arguments as faults, not as a TypeError.

    :param fault: makes the fault of an unknown name and its value (default: :func:`unknown_member`).
    """

    def decorate(cls: type[T]) -> type[T]:
        init: Callable[..., None] = cls.__init__
        signature = inspect.signature(cls)
        known = list(signature.parameters)

        @wraps(init)
        def checked(self: T, *args: Any, **given: Any) -> None:
            make = fault or (lambda name, value: unknown_member("", name, value, known))
            faults = [make(name, value) for name, value in given.items() if name not in known]
            try:
                signature.bind(*args, **{name: given[name] for name in given if name in known})
            except TypeError as error:  # an argument is missing, or there is one too many
                faults.append(Fault("arguments", (*args, *given), ", ".join(known), str(error)))
            if faults:
                raise InvalidRequestError(faults, of=f"{cls.__name__}(...)")
            init(self, *args, **given)

        cls.__init__ = checked  # type: ignore[method-assign,assignment]
        return cls

    return decorate
