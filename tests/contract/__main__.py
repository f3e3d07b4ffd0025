"""
Holds the contract tests against an AWS account (``make verify-aws``), and writes what they have seen.

``python -m tests.contract verify`` and ``python -m tests.contract clean``; both need the account and the
region, and send nothing without them.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.contract import clean, plan
from tests.contract.account import PREFIX, Account
from tests.contract.report import Report
from tests.contract.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

BROKEN, LEFT_OVER, INTERRUPTED = 3, 4, 130
_signals: list[int] = []
"""The signals that have stopped this run."""


class RefusedError(Exception):
    """The run does not start."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; exit with 2 if account or region are missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("command", choices=("verify", "clean"))
    parser.add_argument("--account", required=True, type=_account, help="12 digits")
    parser.add_argument("--region", required=True, type=_region)
    parser.add_argument("--part", choices=("cheap", "full"), default="cheap")
    parser.add_argument("--execution-role", type=_given, help="name or ARN; PART=full needs it")
    parser.add_argument("--instance-profile", type=_given, help="name; PART=full needs it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--poll", type=float, default=15.0, help="seconds between two polls (%(default)g)")
    parser.add_argument("--patience", type=float, default=3600.0, help="seconds of one wait (%(default)g)")
    parser.add_argument("--report", type=Path, default=ROOT, help="folder of the report (%(default)s)")
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=[], help="options of pytest")
    options = parser.parse_args(argv)
    if options.command == "verify" and options.part == "full":
        for name in ("execution_role", "instance_profile"):
            if not getattr(options, name):
                parser.error(f"PART=full needs --{name.replace('_', '-')} (docs/local-image-builder.md)")
    return options


def _account(text: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", text):
        raise argparse.ArgumentTypeError("an account has 12 digits: ACCOUNT=123456789012")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", text):
        raise argparse.ArgumentTypeError("not a region: REGION=eu-west-1")
    return text


def _given(text: str) -> str | None:
    return text or None


def connect(options: argparse.Namespace) -> Account:
    """
    Return the account, after its number was compared; that is the first call of a run.

    :raises RefusedError: the credentials are missing or belong to another account.
    """
    session = boto3.Session(region_name=options.region)
    account = Account(
        session,
        options.region,
        execution_role=options.execution_role,
        instance_profile=options.instance_profile,
        poll=options.poll,
        patience=options.patience,
    )
    try:
        found = account.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise RefusedError(f"The account cannot be asked for its number: {error}") from error
    if found != options.account:
        raise RefusedError(f"The credentials belong to the account {found}, not to {options.account}.")
    return account


def _agreed(options: argparse.Namespace) -> None:
    if options.yes:
        return
    try:
        answer = input("Continue? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise RefusedError("Nothing was made or removed. (YES=1 does not ask.)")


def verify(options: argparse.Namespace) -> int:
    """Run the contract tests, remove what they have made, and write the report."""
    account = connect(options)
    print(plan.text(account, options.account, options.part), flush=True)
    _agreed(options)
    names = (options.account, account.instance_profile, account.execution_role)
    hidden = [part for name in names if name for part in (name, name.rsplit("/", 1)[-1])]
    report = Report(options.part, options.region, tuple(hidden))
    code = INTERRUPTED
    try:
        code = _run(account, report, options)
    finally:
        # What costs money comes first: a full disk or a wrong folder must not keep it.
        try:
            left = _clean(account, account.stem)
        finally:
            paths = report.write(options.report)
    print(f"Report: {', '.join(str(path) for path in paths)}")
    print(f"Different from the local service: {', '.join(report.different) or 'none'}")
    print(f"Facts that did not hold: {', '.join(report.faults) or 'none'}")
    return code or (LEFT_OVER if left else 0)


def _run(account: Account, report: Report, options: argparse.Namespace) -> int:
    # The tests' own environment keeps every test away from AWS, so its conftest must not be read here.
    arguments_ = [str(FOLDER), f"--rootdir={ROOT}", f"-c={ROOT / 'pyproject.toml'}", f"--confcutdir={FOLDER}"]
    arguments_ += ["-p", "no:cacheprovider", "-o", "timeout=0", "-q", "-W", "ignore"]
    arguments_ += ["-m", "not images"] if options.part == "cheap" else []
    try:
        code = pytest.main([*arguments_, *options.pytest], plugins=[Verification(account, report)])
    # pytest shows where it was interrupted, and itself fails there at some places in the code.
    except Exception:
        if _signals:
            return INTERRUPTED
        raise
    # A guess that AWS does not confirm is a finding, and so is a fact that does not hold.
    known = {pytest.ExitCode.OK: 0, pytest.ExitCode.TESTS_FAILED: 0, pytest.ExitCode.INTERRUPTED: INTERRUPTED}
    return known.get(pytest.ExitCode(code), BROKEN)


def _clean(account: Account, stem: str) -> list[clean.Leftover]:
    """Remove what is left, and say what could not be removed."""
    print("Removing what was made ...", flush=True)
    left = clean.remove(account, stem)
    for leftover in left:
        print(f"Could not be removed: {leftover.kind} {leftover.id}", file=sys.stderr)
    if left:
        print("make verify-aws-clean tries it again.", file=sys.stderr)
    return left


def tidy(options: argparse.Namespace) -> int:
    """Find what earlier runs have left, and remove it."""
    account = connect(options)
    found = clean.find(account)
    for leftover in found:
        print(f"{leftover.kind} {leftover.id}")
    print(f"{len(found)} things are left of earlier runs.", flush=True)
    if not found:
        return 0
    _agreed(options)
    return LEFT_OVER if _clean(account, PREFIX) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :return: 0, also if AWS behaves otherwise, which is a finding; 2 if nothing was started, 3 if the tests
        could not run, 4 if something could not be removed, 130 after Ctrl-C, SIGTERM or the end of
        the terminal.
    """
    options = arguments(argv)
    try:
        return {"verify": verify, "clean": tidy}[options.command](options)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"The report cannot be written: {error}", file=sys.stderr)
        return BROKEN
    except KeyboardInterrupt:
        print("Interrupted: make verify-aws-clean finds what is left, and removes it.", file=sys.stderr)
        return INTERRUPTED


def _stop(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does; what is made must be removed, whatever ends the run."""
    _signals.append(number)
    if number == signal.SIGHUP:
        # Nothing can be printed to a terminal that is closed.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
    signal.default_int_handler(number, frame)


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, _stop)
    sys.exit(main())
