"""The journal: what a restart reads, and time that never goes back."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from airflow_imagebuilder.local.emulator.journal import FORMAT, Journal, JournalError, PausableClock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "state.jsonl"


def written(path: Path, *entries: dict[str, Any]) -> Journal:
    journal = Journal(path)
    journal.open({"seed": 1})
    for entry in entries:
        journal.write(entry)
    return journal


def test_a_restart_reads_the_settings_and_then_every_entry_in_order(path: Path) -> None:
    written(path, {"operation": "CreateImage"}, {"control": {"speed": 60}})
    assert list(Journal(path).read()) == [
        {"journal": FORMAT, "seed": 1},
        {"operation": "CreateImage"},
        {"control": {"speed": 60}},
    ]


def test_an_entry_is_in_the_file_as_soon_as_it_is_written(path: Path) -> None:
    journal = written(path)
    journal.write({"operation": "CreateImage"})
    assert path.read_bytes().splitlines()[-1] == b'{"operation":"CreateImage"}'


def test_without_a_file_there_is_nothing_to_read(path: Path) -> None:
    assert list(Journal(path).read()) == []


def test_only_the_user_can_read_a_journal(path: Path) -> None:
    written(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_journal_replaces_the_old_one_and_a_continued_one_keeps_it(path: Path) -> None:
    written(path, {"operation": "CreateImage"}).close()
    continued = Journal(path)
    continued.open()
    continued.write({"operation": "RetryImage"})
    assert len(list(Journal(path).read())) == 3
    continued.close()
    written(path)
    assert list(Journal(path).read()) == [{"journal": FORMAT, "seed": 1}]


def test_a_line_that_a_crash_cut_short_is_removed_before_the_next_is_written(path: Path) -> None:
    written(path).close()
    with path.open("ab") as file:
        file.write(b'{"operation": "Crea')
    continued = Journal(path)
    continued.open()
    continued.write({"operation": "RetryImage"})
    assert [json.loads(line) for line in path.read_text().splitlines()][1:] == [{"operation": "RetryImage"}]


def test_a_damaged_line_is_named(path: Path) -> None:
    written(path).close()
    with path.open("ab") as file:
        file.write(b"half of a line\n")
    with pytest.raises(JournalError, match=r"state\.jsonl:2: not a line of a journal"):
        list(Journal(path).read())


def test_another_format_is_refused_with_the_remedy(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"journal": 99}\n')
    with pytest.raises(
        JournalError, match=f"not a journal of format {FORMAT}; remove it to start without state"
    ):
        list(Journal(path).read())


def test_a_closed_journal_writes_nothing(path: Path) -> None:
    journal = written(path)
    journal.close()
    size = path.stat().st_size
    journal.write({"operation": "CreateImage"})
    assert path.stat().st_size == size


class Wall:
    """The clock of the machine, as the test sets it, and one that only goes forward."""

    now = 1000.0
    up = 50.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.up += seconds

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.up


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr("airflow_imagebuilder.local.emulator.journal.time", wall)
    return wall


def test_time_stops_while_it_is_held(wall: Wall) -> None:
    moments = PausableClock()
    assert moments.hold() == 1000.0
    wall.pass_(5)
    assert moments() == 1000.0
    moments.release()
    assert moments() == 1005.0


def test_a_replay_sees_the_moment_of_the_journal(wall: Wall) -> None:
    moments = PausableClock()
    assert moments.hold(400.0) == 400.0
    assert moments() == 400.0
    moments.release()
    assert moments() == wall.now


def test_time_does_not_go_back_behind_a_replayed_moment(wall: Wall) -> None:
    moments = PausableClock()
    moments.hold(2000.0)
    moments.release()
    assert moments() == 2000.0
    wall.pass_(1)
    assert moments() == 2001.0


def test_a_machine_clock_that_is_set_back_does_not_stop_time(wall: Wall) -> None:
    moments = PausableClock()
    wall.now -= 3600
    wall.up += 7
    assert moments() == 1007.0


def test_a_second_service_on_the_same_file_is_refused(path: Path) -> None:
    first = written(path, {"operation": "CreateImage"})
    with pytest.raises(JournalError, match=r"state\.jsonl is in use by another service"):
        Journal(path).open()
    first.write({"operation": "RetryImage"})
    assert len(list(Journal(path).read())) == 3


@pytest.mark.parametrize("content", ["my notes", "my notes\n", '{"a": 1}', '{"journalist": 1}\n', "\0" * 9])
def test_a_file_that_something_else_wrote_is_never_changed(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    for use in (lambda: list(Journal(path).read()), lambda: Journal(path).open({"seed": 1})):
        with pytest.raises(JournalError, match="is not a state file of this service"):
            use()
    assert path.read_text() == content


@pytest.mark.parametrize("content", ["", '{"jour'])
def test_a_file_that_was_only_begun_is_begun_again(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    assert list(Journal(path).read()) == []
    written(path)
    assert list(Journal(path).read()) == [{"journal": FORMAT, "seed": 1}]


def test_what_cannot_be_written_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(path)
    whole = path.read_bytes()
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:5])

    monkeypatch.setattr("airflow_imagebuilder.local.emulator.journal.os.write", full)
    with pytest.raises(JournalError, match="cannot be written: No space left on device"):
        journal.write({"operation": "CreateImage"})
    assert path.read_bytes() == whole
