"""Schedules of pipelines: ``cron(...)`` and ``rate(...)``.

Sources: User Guide, "Use cron expressions in EC2 Image Builder"; API reference, ``Schedule``.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
#: Sunday is 1.
_DAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"rate\((\d{1,6}) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\(([^()]{1,200})\)")
_STEP = re.compile(r"(\*|\?|[0-9A-Z]{1,4}(?:-[0-9A-Z]{1,4})?)(?:/([0-9]{1,4}))?")
#: Days to search: no day of any calendar is rarer than a 29th of February on a given weekday.
_HORIZON = 366 * 45
_WEEK = 7


class ScheduleError(ValueError):
    """An expression that AWS does not take."""


@dataclass(frozen=True)
class Rate:
    """``rate(value unit)``."""

    seconds: int

    def next(self, after: float) -> float | None:
        """Return the next moment, counted from the epoch so that it is the same after a restart."""
        return (after // self.seconds + 1) * self.seconds


@dataclass(frozen=True)
class Cron:
    """``cron(minutes hours day-of-month month day-of-week year)``.

    :param days: the expression for the day of the month.
    :param weekdays: the expression for the day of the week.
    :param zone: the name of the time zone.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: str
    months: frozenset[int]
    weekdays: str
    years: frozenset[int]
    zone: str

    def next(self, after: float) -> float | None:
        """Return the next moment after another one.

        :param after: seconds since the epoch.
        :return: seconds since the epoch; None if there is no such moment.
        """
        zone = ZoneInfo(self.zone)
        start = datetime.fromtimestamp(after, tz=zone)
        day = start.date()
        for _ in range(_HORIZON):
            if day.year in self.years and day.month in self.months and self._is_day(day):
                first = start.hour if day == start.date() else 0
                for hour in sorted(hour for hour in self.hours if hour >= first):
                    for minute in sorted(self.minutes):
                        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp()
                        if moment > after:
                            return moment
            if day.year > max(self.years):
                return None
            day += timedelta(days=1)
        return None

    def _is_day(self, day: date) -> bool:
        by_month = self.days == "?" or _fits_month(self.days, day)
        return by_month and (self.weekdays == "?" or _fits_week(self.weekdays, day))


def parse(expression: str, zone: str | None = None) -> Rate | Cron:
    """Read a schedule expression.

    :param zone: a name of the IANA time zones; UTC by default.
    :raises ScheduleError: AWS does not take it.
    """
    if match := _RATE.fullmatch(expression):
        seconds = int(match[1]) * _UNITS[match[2]]
        if not seconds:
            raise ScheduleError("The value of a rate is at least 1.")
        _zone(zone or "UTC")
        return Rate(seconds)
    match = _CRON.fullmatch(expression)
    if match is None:
        raise ScheduleError("A schedule is cron(<fields>) or rate(<value> <unit>).")
    fields = match[1].upper().split()
    if len(fields) < 6:  # noqa: PLR2004
        # Five fields, as in examples of 2020, are refused since 2021, in these words (Terraform's AWS
        # provider, issue 17396; buildkite/image-builder, issue 7).
        raise ScheduleError(
            "Invalid schedule expression. Details: Invalid CRON expression: error at position "
            f"{len(match[1])}, details: Unexpected end of expression."
        )
    if len(fields) != 6:  # noqa: PLR2004
        raise ScheduleError("cron() has the fields minutes, hours, day of month, month, day of week, year.")
    return _cron(fields, zone or "UTC")


def _cron(fields: list[str], zone: str) -> Cron:
    minutes, hours, days, months, weekdays, years = fields
    for name, text in (("day of month", days), ("day of week", weekdays)):
        if not re.fullmatch(r"[0-9A-Z*?,/#-]{1,100}", text):
            raise ScheduleError(f"'{text}' is no {name}.")
    cron = Cron(
        _numbers(minutes, 0, 59, {}),
        _numbers(hours, 0, 23, {}),
        days,
        _numbers(months, 1, 12, _MONTHS),
        weekdays,
        _numbers(years, 1970, 2199, {}),
        _zone(zone),
    )
    probe = date(2024, 2, 29)
    _fits_month(days, probe)
    _fits_week(weekdays, probe)
    return cron


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(f"'{name}' is not a time zone.") from error
    return name


def _numbers(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    """Read ``*``, ``5``, ``1-5``, ``0/15``, ``MON-FRI`` and lists of these."""
    found: set[int] = set()
    for part in text.split(","):
        match = _STEP.fullmatch(part)
        if match is None:
            raise ScheduleError(f"'{part}' is not a value of a cron expression.")
        first, last = _range(match[1], low, high, names, stepped=match[2] is not None)
        step = int(match[2] or 1)
        if not (low <= first <= high and low <= last <= high) or step < 1:
            raise ScheduleError(f"'{part}' is not between {low} and {high}.")
        # A range of weekdays may go over the end: FRI-MON.
        span = last - first if first <= last else last + high - low + 1 - first
        found |= {(first - low + offset) % (high - low + 1) + low for offset in range(0, span + 1, step)}
    return frozenset(found)


def _range(text: str, low: int, high: int, names: dict[str, int], *, stepped: bool) -> tuple[int, int]:
    if text in ("*", "?"):
        return low, high
    first, _, last = text.partition("-")
    values = [_value(item, names) for item in (first, last) if item]
    return values[0], values[1] if len(values) > 1 else (high if stepped else values[0])


def _value(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit():
        raise ScheduleError(f"'{text}' is not a value of a cron expression.")
    return int(text)


def _fits_month(text: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    for part in text.split(","):
        if part == "L":
            fits = day.day == last
        elif part == "LW":
            fits = day.day == _workday(day.year, day.month, last)
        elif match := re.fullmatch(r"([0-9]{1,2})W", part):
            fits = day.day == _workday(day.year, day.month, min(int(match[1]) or 1, last))
        else:
            fits = day.day in _numbers(part, 1, 31, {})
        if fits:
            return True
    return False


def _workday(year: int, month: int, wanted: int) -> int:
    """Return the day from Monday to Friday that is nearest to a day, in the same month."""
    last = calendar.monthrange(year, month)[1]
    weekday = date(year, month, wanted).weekday()
    if weekday == calendar.SATURDAY:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == calendar.SUNDAY:
        return wanted + 1 if wanted < last else wanted - 2
    return wanted


def _fits_week(text: str, day: date) -> bool:
    number = day.isoweekday() % _WEEK + 1
    last = calendar.monthrange(day.year, day.month)[1]
    for part in text.split(","):
        if part == "L":
            fits = number == _WEEK
        elif match := re.fullmatch(r"([0-9A-Z]{1,3})#([1-5])", part):
            fits = number == _weekday(match[1]) and (day.day - 1) // _WEEK + 1 == int(match[2])
        elif match := re.fullmatch(r"([1-7]|[A-Z]{3})L", part):
            fits = number == _weekday(match[1]) and day.day + _WEEK > last
        else:
            fits = number in _numbers(part, 1, _WEEK, _DAYS)
        if fits:
            return True
    return False


def _weekday(text: str) -> int:
    number = _value(text, _DAYS)
    if not 1 <= number <= _WEEK:
        raise ScheduleError(f"'{text}' is not a day of the week.")
    return number


def iso_of(moment: float) -> str:
    """Return a moment as ``dateNextRun`` shows it."""
    return (
        datetime.fromtimestamp(moment, tz=timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
