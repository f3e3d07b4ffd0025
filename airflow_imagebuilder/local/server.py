"""The local Image Builder as a process: its command line, its socket, and its end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import os
import re
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from airflow_imagebuilder.local.emulator.backend import Backend
from airflow_imagebuilder.local.emulator.engine import ACCOUNT, guesses
from airflow_imagebuilder.local.emulator.http.app import App
from airflow_imagebuilder.local.emulator.journal import JournalError
from airflow_imagebuilder.local.emulator.scenario import ScenarioError, load
from airflow_imagebuilder.local.scenarios import SHIPPED, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_imagebuilder.local.emulator.engine import Effect, World


#: Seconds that open calls get when the service stops; what is left then is a long poll or a fault that hangs.
GRACE = 0.3


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it would wait for long polls, and exit by the signal itself."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signals to :func:`_serve`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce the address once connections are accepted."""
        await super().startup(sockets=sockets)
        self._announce()


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    program = "python -m airflow_imagebuilder.local"
    parser = argparse.ArgumentParser(
        prog=program,
        description="An EC2 Image Builder on your machine.",
        epilog=f"To change it while it runs: {program} control --help",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=5005, help="port to listen on; 0 takes a free one (%(default)s)"
    )
    parser.add_argument(
        "--speed", type=float, default=600.0, help="virtual seconds per second; 0: by hand (%(default)g)"
    )
    parser.add_argument(
        "--scenario",
        metavar="NAME|FILE",
        help=f"what fails, how long it takes: {', '.join(SHIPPED)}, or a YAML file",
    )
    parser.add_argument("--state", type=Path, help="file that keeps the state across restarts")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="allow a --host that other machines can reach; there is no check of credentials",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which clients ask for this machine, beside localhost; may be repeated",
    )
    parser.add_argument(
        "--account",
        type=_account,
        default=os.environ.get("MOTO_ACCOUNT_ID"),
        help="account of every call whose access key belongs to no other: keys of IAM users and of assumed "
        f"roles do (MOTO_ACCOUNT_ID, else the account of --state, else {ACCOUNT})",
    )
    parser.add_argument(
        "--guess",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="behave otherwise where AWS's documents are silent (engine/guesses.py); may be repeated",
    )
    parser.add_argument("--no-seed", action="store_true", help="start without recipes and workflows")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM.

    :return: the exit code.
    """
    options = arguments(argv)
    # moto would put the keys of assumed roles into this account, too.
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    if not _is_loopback(options.host):
        warning = f"{options.host} can be reached from other machines, and credentials are not checked here."
        print(f"airflow_imagebuilder.local: {warning}", file=sys.stderr)
        if not options.allow_remote:
            print("Give --allow-remote if that is meant.", file=sys.stderr)
            return 2
    _raise_limit_of_files()
    try:
        listener = _listener(options.host, options.port)
        # asyncio sets this only on sockets that it makes; without it each answer waits for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _turn(options)
        app = _app(options)
    except (OSError, ScenarioError, JournalError, guesses.GuessError) as error:
        print(f"airflow_imagebuilder.local: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
    )
    port = listener.getsockname()[1]

    def announce() -> None:
        details = f"speed {app.backend.engine.clock.speed:g}, {app.backend.seeded} resources seeded"
        print(f"Image Builder on http://{options.host}:{port} ({details})", flush=True)
        if app.backend.resumed:
            print(_resumed(app.backend, options.state), file=sys.stderr, flush=True)

    _new_loop().run_until_complete(_serve(app, _Server(config, announce), listener))
    app.backend.close()
    return 0


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                f"port {port} is in use: another service runs there; --port 0 takes a free one"
            ) from error
        raise


def _account(text: str) -> str:
    if not re.fullmatch("[0-9]{12}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an account: 12 digits")
    return text


def _resumed(backend: Backend, path: Path) -> str:
    """Say in a line what a restart has brought back, and what not."""
    images = len(backend.engine.state.images)
    return (
        f"Resumed {images} images from {path}. AMIs, container images, parameters and logs of builds were "
        "made again. What clients had made in other services is lost: buckets, topics, queues, rules, roles, "
        "instance profiles, launch templates, parameters, AMIs. Faults and call records start again."
    )


def _raise_limit_of_files() -> None:
    """Allow as many open connections as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _turn(options: argparse.Namespace) -> None:
    if options.guess and options.state:
        # A later start would replay its calls with other guesses.
        raise guesses.GuessError(
            "--guess and --state exclude each other: the state file does not keep guesses"
        )
    for text in options.guess:
        guesses.turn_text(text)


def _app(options: argparse.Namespace) -> App:
    scenario = load(find(options.scenario)) if options.scenario else None

    def make(world: World, sink: Callable[[Effect], None]) -> Backend:
        return Backend(
            world,
            speed=options.speed,
            scenario=scenario,
            state=options.state,
            seeded=not options.no_seed,
            sink=sink,
            account=options.account,
        )

    return App(make, frozenset(options.allow_host))


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _serve(app: App, server: uvicorn.Server, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True
        loop.call_later(GRACE, setattr, server, "force_exit", True)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    ticker = asyncio.create_task(app.tick())
    await server.serve(sockets=[listener])
    ticker.cancel()
