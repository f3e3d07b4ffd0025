"""Names that are not known, and which one was probably meant."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_imagebuilder.service.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


def closest(name: object, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is nearest to a name, whatever its case and underscores.

    :param cutoff: how alike the two must be: 0 (any) to 1 (the same).
    """
    from difflib import get_close_matches

    plain = {member.replace("_", "").lower(): member for member in known}
    wanted = str(name).replace("_", "").strip().lower()
    close = get_close_matches(wanted, plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def unknown_member(
    path: str, name: object, value: object, known: Mapping[str, object] | Sequence[str]
) -> Fault:
    """Return the fault of a member that is not known, with the one that was probably meant."""
    close = closest(name, known)
    way_out = f"did you mean {close}?" if close else "leave it out"
    return Fault(f"{path}.{name}" if path else str(name), value, ", ".join(known), way_out)


def refuses_unknown_names(
    fault: Callable[[str, object], Fault] | None = None,
) -> Callable[[type[T]], type[T]]:
    """Return a decorator for a class whose misspelt arguments are to be told like all other faults.

    :param fault: makes the fault of an unknown name and its value.
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
            except TypeError as error:  # one too few, or one too many
                faults.append(Fault("arguments", (*args, *given), ", ".join(known), str(error)))
            if faults:
                raise InvalidRequestError(faults, of=f"{cls.__name__}(...)")
            init(self, *args, **given)

        cls.__init__ = checked  # type: ignore[method-assign,assignment]
        return cls

    return decorate
