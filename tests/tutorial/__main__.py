"""``make tutorial``: docs/tutorial.md, followed to the letter in an empty folder."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import chromium
from tests.tutorial.page import REPOSITORY
from tests.tutorial.reader import SECONDS, Reader

if TYPE_CHECKING:
    from types import FrameType

IMAGES = REPOSITORY / "docs" / "images"
SHOTS = REPOSITORY / "build" / "tutorial"


def _too_late(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"the tutorial is not done after {SECONDS:.0f} s")


def main() -> int:
    """Follow the page and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tutorial", description=__doc__)
    parser.add_argument("--pictures", action="store_true", help=f"take the pictures of {IMAGES} again")
    options = parser.parse_args()
    if missing := chromium.missing():
        sys.stderr.write(f"{missing}\n")
        return 1
    pictures = IMAGES if options.pictures else SHOTS
    pictures.mkdir(parents=True, exist_ok=True)
    # A call that hangs must not keep the servers running either.
    signal.signal(signal.SIGALRM, _too_late)
    signal.signal(signal.SIGTERM, _too_late)
    signal.alarm(int(SECONDS) + 30)
    with tempfile.TemporaryDirectory(prefix="tutorial-") as folder:
        Reader(Path(folder), pictures).follow()
    sys.stdout.write(f"The tutorial works as it is written. Pictures: {pictures.relative_to(REPOSITORY)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
