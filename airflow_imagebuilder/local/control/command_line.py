"""The command line of ``control``: one subcommand for each thing that can be changed."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from airflow_imagebuilder.local.control import commands
from airflow_imagebuilder.local.control.remote import DEFAULT_URL, ControlError, RemoteService

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    _Run = Callable[[RemoteService, argparse.Namespace], str]
    # Adds a command by its name, what it does, its help text and an example.
    _Command = Callable[[str, _Run, str, str], argparse.ArgumentParser]

PROGRAM = "python -m airflow_imagebuilder.local control"


def main(arguments: Sequence[str]) -> int:
    """Change a running service, or show it.

    :return: the exit code: 0 if it is done, 1 if the service does not answer or refuses it.
    """
    options = _parser().parse_args(arguments)
    try:
        service = RemoteService(getattr(options, "url", None))
        print(options.run(service, options), flush=True)
    except BrokenPipeError:  # its reader, e.g. head, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ControlError as error:
        print(
            f"{PROGRAM.removeprefix('python -m ')}: {str(error).removeprefix('control: ')}", file=sys.stderr
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    address = argparse.ArgumentParser(add_help=False)
    address.add_argument(
        "--url",
        default=argparse.SUPPRESS,
        help=f"address of the service (AWS_ENDPOINT_URL, else {DEFAULT_URL})",
    )
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        parents=[address],
        description="Change a local Image Builder while it runs, or show it.",
        epilog=f"{PROGRAM} COMMAND --help shows options and an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: _Run, text: str, example: str) -> argparse.ArgumentParser:
        made = added.add_parser(
            name,
            parents=[address],
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=f"example:\n  {PROGRAM} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    for add in (_breaking, _changing, _setting, _showing):
        add(command)
    return parser


def _breaking(command: _Command) -> None:
    """Add the commands that let something fail."""
    _fail_options(
        command(
            "fail",
            commands.fail,
            "let a workflow, a step, a component or the copy to a region fail",
            'fail --workflow boot --times 1 --message "no capacity"',
        )
    )
    throttle = command(
        "throttle",
        commands.throttle,
        "let AWS refuse calls as too many",
        "throttle GetImage ListWorkflowExecutions --times 3",
    )
    throttle.add_argument("operation", nargs="+", help='operations of Image Builder, or "*"')
    _calls(throttle)
    _fault_options(
        command(
            "fault",
            commands.fault,
            "damage the answers to calls: an error, a broken connection, a delay",
            "fault GetImage --kind delay --seconds 5 --times 3",
        )
    )


def _changing(command: _Command) -> None:
    """Add the commands that change clock and findings."""
    speed = command("speed", commands.speed, "set how fast the clock runs", "speed 600")
    speed.add_argument("speed", type=float, help="virtual seconds per second; 0: by hand")
    advance = command("advance", commands.advance, "let virtual time pass at once", "advance 3600")
    advance.add_argument("seconds", type=float, help="virtual seconds")
    findings = command(
        "findings", commands.findings, "set what a scan of an image finds", "findings critical=1 high=2"
    )
    findings.add_argument("count", nargs="+", type=_pair, metavar="SEVERITY=COUNT", help="e.g. high=2")


def _setting(command: _Command) -> None:
    """Add the commands that set more than one thing."""
    apply = command(
        "apply",
        commands.apply,
        "add a scenario to what is set: failures, faults, durations",
        "apply failing-region",
    )
    apply.add_argument("scenario", metavar="NAME|FILE", help="a shipped scenario, or a YAML file")
    clear = command(
        "clear", commands.clear, "remove failures and faults, both without an argument", "clear faults"
    )
    clear.add_argument("what", nargs="*", metavar="failures|faults", help="only these")
    command(
        "reset",
        commands.reset,
        "make it a new service: no images, no resources of clients, no records",
        "reset",
    )
    command(
        "expire-credentials",
        commands.expire,
        "let the credentials of all sessions expire",
        "expire-credentials",
    )


def _showing(command: _Command) -> None:
    """Add the commands that change nothing."""
    command("health", commands.health, "show the clock and its speed", "health")
    records = command(
        "records", commands.records, "show images, calls and faults", "records --url http://127.0.0.1:5005"
    )
    records.add_argument("--json", action="store_true", help="everything, as JSON")


def _fail_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workflow", help="name of a workflow; may hold * and ?")
    parser.add_argument("--step", help="name of a step; by default the main one of the workflow")
    parser.add_argument("--component", help="name of a component of the recipe")
    parser.add_argument("--phase", help="build, validate or test: where the component fails")
    parser.add_argument("--region", help="the copy of the AMI to this region fails")
    parser.add_argument("--account", help="account of the copy")
    parser.add_argument("--status", help="of the copy: FAILED, CANCELLED or TIMED_OUT")
    parser.add_argument("--configuration-step", help="a step after the copy fails, e.g. PUT_SSM_PARAMETERS")
    parser.add_argument("--message", help="why it fails")
    parser.add_argument("--times", type=int, help="how often (always)")
    parser.add_argument("--per", help="image or service: what --times counts (service)")
    parser.add_argument("--image", help="only images of this name or ARN; may hold * and ?")
    parser.add_argument(
        "--rollback", action="store_true", default=None, help="the execution becomes ROLLBACK_COMPLETED"
    )
    parser.add_argument(
        "--later", action="store_true", help="the workflow or component is made later, and may be unknown now"
    )


def _fault_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", help='an operation of Image Builder, or "*"')
    parser.add_argument("--kind", help="error (default), reset, delay, hang, truncated, empty, malformed")
    parser.add_argument("--code", help="error code (ServiceUnavailableException)")
    parser.add_argument("--status", type=int, help="HTTP status; by default that of the code")
    parser.add_argument("--message", help="text of the error")
    parser.add_argument("--seconds", type=float, help="of a delay (5)")
    parser.add_argument(
        "--performed", action="store_true", default=None, help="carry the request out, whatever is answered"
    )
    _calls(parser)


def _calls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--times", type=int, help="how many calls it hits (all)")
    parser.add_argument("--skip", type=int, help="how many calls it spares first (0)")
    parser.add_argument("--rate", type=float, help="the share of calls that it hits (1)")
    parser.add_argument("--start", type=float, help="real seconds until it begins (0)")
    parser.add_argument("--lasts", type=float, help="real seconds until it ends (never)")


def _pair(text: str) -> tuple[str, int]:
    name, separator, count = text.partition("=")
    if not separator or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not SEVERITY=COUNT, e.g. high=2")
    return name, int(count)
