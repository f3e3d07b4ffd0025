"""The reader: follows the page in an empty folder, in terminals and in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser import chromium
from tests.tutorial.output import Words
from tests.tutorial.page import (
    PAGE,
    REPOSITORY,
    Action,
    Browser,
    File,
    Interrupt,
    Replacement,
    Terminal,
    actions,
)
from tests.tutorial.screen import Screen
from tests.tutorial.terminal import Shell, TerminalError

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 480.0
"""For the whole page; installing the packages is the longest part."""
_COMMAND_SECONDS = 120.0
_FOREIGN = ("AIRFLOW", "AWS_", "PYTEST_", "MAKE", "MFLAGS", "ARGS", "VIRTUAL_ENV", "PYTHONPATH", "GIT_")
URL = "https://github.com/airflow-imagebuilder/airflow-imagebuilder"
"""Where the page clones from. Here git takes the files of this checkout instead."""


def snapshot(folder: Path) -> None:
    """Make a repository of this checkout: what git keeps, with what is changed and not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    git = [
        "git",
        "-c",
        "user.name=reader",
        "-c",
        "user.email=reader@example.com",
        "-c",
        "commit.gpgsign=false",
    ]
    for command in (["init", "-q"], ["add", "--all", "--force"], ["commit", "-q", "-m", "As it is"]):
        subprocess.run([*git, *command], cwd=folder, check=True, capture_output=True)


def environment(repository: Path) -> dict[str, str]:
    """Return the environment of a reader: nothing of an Airflow, an account or a running make."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {
        **kept,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Reader:
    """Follows a page.

    :param folder: an empty folder.
    :param pictures: the folder of the screenshots.
    """

    def __init__(self, folder: Path, pictures: Path) -> None:
        self._folder, self._pictures = folder, pictures
        self._began = time.monotonic()
        self._words = Words()

    def follow(self, text: str = PAGE.read_text("utf-8")) -> None:
        """Do everything that the page says, in its order, and end everything that was started.

        :raises AssertionError: something is not as the page says.
        :raises TerminalError: a command failed.
        """
        todo = actions(text)
        repository, self._home = self._folder / "repository", self._folder / "home"
        repository.mkdir()
        self._home.mkdir()
        snapshot(repository)
        env = environment(repository)
        with ExitStack() as stack:
            playwright = stack.enter_context(sync_playwright())
            browser = stack.enter_context(chromium.launch(playwright))
            context = stack.enter_context(
                browser.new_context(
                    viewport={"width": 1200, "height": 750},
                    color_scheme="light",
                    locale="en-GB",
                    timezone_id="UTC",
                    reduced_motion="reduce",
                )
            )
            self._screen = Screen(context.new_page(), self._words, self._pictures)
            self._first = Shell(self._home, env)
            stack.callback(self._first.close)
            self._second = Shell(self._home, env)
            stack.callback(self._second.close)
            self._stays = False
            for action in todo:
                self._do(action)
            if self._stays:
                raise AssertionError("the page leaves a command running: it has no <!-- interrupt -->")

    def _left(self, most: float) -> float:
        left = SECONDS - (time.monotonic() - self._began)
        if left <= 0:
            raise TerminalError(f"the page is not done after {SECONDS:.0f} s")
        return min(left, most)

    def _say(self, action: Action, what: str) -> None:
        seconds = time.monotonic() - self._began
        sys.stdout.write(f"[{seconds:5.1f} s] line {action.line}: {what}\n")
        sys.stdout.flush()

    def _do(self, action: Action) -> None:
        if isinstance(action, Terminal):
            self._terminal(action)
        elif isinstance(action, Browser):
            self._say(action, action.words[:90])
            self._screen.do(action, self._left(90))
        elif isinstance(action, File):
            self._say(action, f"write {action.path}")
            self._path(action.path).write_text(action.text)
        elif isinstance(action, Replacement):
            self._say(action, f"change {action.path}")
            path = self._path(action.path)
            before = path.read_text("utf-8")
            assert before.count(action.old) == 1, f"{action.path} has this not once: {action.old}"
            path.write_text(before.replace(action.old, action.new))
        elif isinstance(action, Interrupt):
            self._say(action, "Ctrl-C")
            self._first.interrupt()
            self._until(("Everything is stopped. Logs: ...",), action.line)
            self._stays = False

    def _path(self, path: str) -> Path:
        return self._home / URL.rsplit("/", 1)[1] / path

    def _terminal(self, block: Terminal) -> None:
        for command in block.commands:
            text = self._words.here(command.text)
            self._say(block, f"$ {text}")
            if block.stays and command is block.commands[-1]:
                self._stays = True
                self._first.type(text)
                self._until(command.prints, block.line)
                continue
            # Both terminals are in the folder that the reader has gone to.
            if text.startswith("cd "):
                self._first.run(text, 10)
            printed = self._second.run(text, self._left(_COMMAND_SECONDS))
            missing = self._words.missing(command.prints, printed)
            assert missing is None, f"line {block.line}: no line {missing!r} in this order in:\n{printed}"

    def _until(self, lines: tuple[str, ...], line: int) -> None:
        end = time.monotonic() + self._left(SECONDS)
        while (missing := self._words.missing(lines, self._first.output)) is not None:
            output = self._first.output
            assert time.monotonic() < end, f"line {line}: no line {missing!r} in this order in:\n{output}"
            assert not self._first.ended, f"line {line}: it ended without {missing!r}:\n{output}"
            time.sleep(0.3)
