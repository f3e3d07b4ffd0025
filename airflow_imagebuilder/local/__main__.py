"""``python -m airflow_imagebuilder.local``: an EC2 Image Builder on your machine, and what controls it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTROL = "control"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service until it is stopped, or with ``control`` as the first argument change a running one.

    :return: the exit code.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    # Each is imported only where it is used: the service takes seconds, and a change should take none.
    if given[:1] == [CONTROL]:
        from airflow_imagebuilder.local.control import command_line

        return command_line.main(given[1:])
    from airflow_imagebuilder.local import server

    return server.main(given)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Python would wait for threads of moto that are still in a long poll.
    os._exit(code)
