"""A Dag without AWS: it shows that the Airflow of the tests works."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import dag, task


@dag(schedule=None)
def stack_probe() -> None:
    @task
    def say(params: dict[str, Any] | None = None, dag_run: Any = None) -> list[str]:
        word = dag_run.conf["say"]
        if not word:
            raise ValueError("nothing to say")
        logging.getLogger(__name__).info("said %s", word)
        return [word, word]

    @task
    def each(word: str) -> str:
        return word.upper()

    each.expand(word=say())


stack_probe()
