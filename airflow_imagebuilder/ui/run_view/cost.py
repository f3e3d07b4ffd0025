"""Build minutes of an image, and what they cost where the user gives prices."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_imagebuilder.ui.api.models import BuildMinutes
from airflow_imagebuilder.ui.run_view import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_imagebuilder.ui.api.models import Workflow

SECTION = "imagebuilder"
HIGHEST_PRICE = 1e6
"""Per hour. A higher one is an error, and could be no number of JSON when it is multiplied."""
log = logging.getLogger(__name__)


def prices() -> tuple[Mapping[str, float], str]:
    """Return the price per hour of each instance type, and their currency, from Airflow's configuration."""
    from airflow.configuration import conf

    try:
        text = conf.get(SECTION, "instance_prices", fallback="") or ""
        currency = conf.get(SECTION, "prices_currency", fallback="") or "USD"
    except Exception as error:  # noqa: BLE001 - a lone % in airflow.cfg, a command that fails: no cost, but a page
        _complain(f"cannot be read ({type(error).__name__})")
        return {}, ""
    return prices_in(text), currency


@lru_cache(maxsize=8)
def _complain(why: str) -> None:
    """Log what is wrong with the option, once."""
    log.warning(
        "The option [imagebuilder] instance_prices %s. It is a JSON object of prices per hour by instance "
        'type, e.g. {"m6i.large": 0.096}: the pages show no cost.',
        why,
    )


@lru_cache(maxsize=8)
def prices_in(text: str) -> Mapping[str, float]:
    """
    Read the option ``[imagebuilder] instance_prices``.

    :param text: a JSON object, e.g. ``{"m6i.large": 0.096}``.
    :return: prices by instance type; nothing, if the text is malformed, which is logged once.
    """
    if not text.strip():
        return {}
    try:
        read: Any = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    if isinstance(read, dict) and all(_is_price(price) for price in read.values()):
        return {name: float(price) for name, price in read.items()}
    _complain("is malformed")
    return {}


def build_minutes_of(
    record: Mapping[str, Any],
    workflows: Sequence[Workflow],
    observed_at: str,
    priced: tuple[Mapping[str, float], str] | None = None,
) -> BuildMinutes | None:
    """
    Return how long instances ran: those of the build and of the tests, in every life of the image.

    :param record: the record of the image.
    :param workflows: its workflows; AWS distributes an image without an instance of the account.
    :param observed_at: where a running workflow ends for now.
    :param priced: what :func:`prices` returns (default: what it returns now).
    :return: minutes; ``None`` before the first instance.
    """
    spans = [
        _seconds(one.start, one.end or observed_at)
        for one in workflows
        if one.type in {"BUILD", "TEST"} and one.start is not None
    ]
    if not spans:
        return None
    total = sum(spans) / 60
    types = values.texts(record, "instance_types")
    known, currency = priced or prices()
    hourly = [known[one] for one in types if one in known]
    complete = bool(types) and len(hourly) == len(types)
    return BuildMinutes(
        total=round(total, 3),
        instance_types=types,
        cost_low=round(total / 60 * min(hourly), 4) if complete else None,
        cost_high=round(total / 60 * max(hourly), 4) if complete else None,
        currency=currency if complete else None,
    )


def _seconds(start: str, end: str) -> float:
    begun, stopped = (datetime.fromisoformat(one.replace("Z", "+00:00")) for one in (start, end))
    return max(0.0, (stopped - begun).total_seconds())


def _is_price(price: object) -> bool:
    number = isinstance(price, (int, float)) and not isinstance(price, bool)
    return number and 0 <= price <= HIGHEST_PRICE  # type: ignore[operator]
