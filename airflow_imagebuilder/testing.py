"""For the tests of your own Dags: a fast local Image Builder, and no way to a real AWS account."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_imagebuilder.local.stack.image_builder import LocalService

QUICKLY = {
    "AIRFLOW__IMAGEBUILDER__POLL_INTERVAL": "0.2",
    "AIRFLOW__IMAGEBUILDER__FIRST_LOOK": "0",
}
"""Polls that suit builds of a second. Not for production: a task must not resume in its first seconds."""


@contextmanager
def local_image_builder(speed: float = 3600, scenario: Path | None = None) -> Iterator[LocalService]:
    """
    Run a local Image Builder, and point boto3 and the connection ``aws_default`` of this process at it.

    ::

        with local_image_builder() as aws:
            run = dag.test()
            assert run.state == "success"
            assert aws.client("imagebuilder").list_images()["imageVersionList"]

    Needs the extra ``local``. No call of it can reach a real AWS account.

    :param speed: virtual seconds per second. 3600 (default) bakes the seeded images in less than a second.
    :param scenario: a YAML file with durations, failures and faults; its schema is in
        :mod:`airflow_imagebuilder.local.emulator.scenario`. ``None`` (default) has none of them.
    :return: the service: ``url``, ``client(name)``, ``records()`` and ``control(**settings)``.
    """
    from airflow_imagebuilder.local.stack.image_builder import LocalService

    with (
        TemporaryDirectory(prefix="imagebuilder-") as home,
        LocalService(speed=speed, scenario=scenario, home=Path(home)) as service,
        patch.dict(os.environ, {**service.env, **QUICKLY}),
    ):
        yield service
