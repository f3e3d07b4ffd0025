"""
Remove the Variables that finished runs of this package left in Airflow before 3.3.

Without --delete, the command only reports what it would remove. It keeps the Variables of runs that are in
progress or ended recently, and those that it cannot judge.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_imagebuilder.clean_up import OLDER_THAN, AirflowServer, ApiError, MwaaEnvironment, clean_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_imagebuilder.clean_up import Report
    from airflow_imagebuilder.clean_up.apis import Api

TOKEN, PASSWORD = "AIRFLOW_TOKEN", "AIRFLOW_PASSWORD"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    :return: the exit code: 0, or 1 if a run could not be checked or a Variable could not be removed.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        report = clean_up(_api(parser, options), older_than=options.older_than, delete=options.delete)
    except ApiError as error:
        sys.stderr.write(f"Nothing was removed: {error}\n")
        return 1
    _print(report, deleted=options.delete)
    return 1 if report.unreadable else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_imagebuilder.clean_up",
        description=__doc__,
        epilog=f"Environment variables: {TOKEN} is a token for --url, {PASSWORD} the password of --username.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="address of Airflow, e.g. https://airflow.example.com")
    where.add_argument("--mwaa", metavar="NAME", help="name of an Amazon MWAA environment")
    parser.add_argument("--username", help=f"user of --url, whose password is in {PASSWORD}")
    parser.add_argument("--region", help="AWS region of --mwaa (default: boto3's)")
    days = OLDER_THAN.days
    parser.add_argument(
        "--older-than",
        type=_days,
        default=OLDER_THAN,
        metavar="DAYS",
        help=f"remove the Variables of runs that ended at least DAYS days ago (default {days})",
    )
    parser.add_argument("--delete", action="store_true", help="remove them; without it, only report")
    return parser


def _days(text: str) -> timedelta:
    try:
        found = timedelta(days=float(text))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days") from error
    if found < timedelta(0):
        raise argparse.ArgumentTypeError(f"{text} days: it must not be negative")
    return found


def _api(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Api:
    if options.mwaa:
        if options.username is not None:
            parser.error("--username is for --url; --mwaa takes AWS credentials")
        return MwaaEnvironment(options.mwaa, region_name=options.region)
    if options.region is not None:
        parser.error("--region is for --mwaa; --url names the server itself")
    token, password = os.environ.get(TOKEN), os.environ.get(PASSWORD)
    if options.username and password:
        return AirflowServer(options.url, username=options.username, password=password)
    if options.username or not token:
        parser.error(f"--url needs a token in {TOKEN}, or --username and its password in {PASSWORD}")
    return AirflowServer(options.url, token=token)


def _print(report: Report, *, deleted: bool) -> None:
    def named(key: str) -> str:
        return " ".join((key, *report.runs.get(key, ())))

    done = "removed" if deleted else "to remove"
    lines = [f"{done}: {named(key)} ({reason})" for key, reason in report.removed.items()]
    lines += [f"kept, not written by this package: {key}" for key in report.foreign]
    lines += [
        f"kept, could not be checked or removed: {named(key)}: {error}"
        for key, error in report.unreadable.items()
    ]
    lines.append(
        f"{len(report.removed)} {done}, {len(report.kept)} kept for runs in progress or ended recently, "
        f"{len(report.foreign)} not written by this package, {len(report.unreadable)} could not be checked "
        "or removed"
    )
    if report.removed and not deleted:
        lines.append("This was a dry run: with --delete they are removed.")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
