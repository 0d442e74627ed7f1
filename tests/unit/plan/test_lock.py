"""``plan.lock.json``: written in one step, read strictly, compared file by file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lockgate.errors import PlanError
from lockgate.plan.load import load_plan
from lockgate.plan.lock import LOCK_FILE, check_lock, read_lock, write_lock
from tests.unit.plan.support import load, write_plan

PLAN = """\
plan: p
phases:
  - id: a
    steps:
      - sql: one.sql
      - sql: two.sql
"""
FILES: dict[str, str | bytes] = {"one.sql": "SELECT 1", "two.sql": "SELECT 2"}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, PLAN, FILES)
    assert read_lock(tmp_path) is None
    assert write_lock(loaded, ledger_head="7:ab") == tmp_path / LOCK_FILE
    lock = read_lock(tmp_path)
    assert lock is not None
    assert (lock.plan, lock.digest, lock.files, lock.ledger_head) == ("p", loaded.digest, dict(loaded.files), "7:ab")
    assert str(check_lock(load_plan(tmp_path), lock)) == "nothing changed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.sql", "plan.lock.json", "plan.yaml", "two.sql"]


def test_the_file_is_the_same_each_time_and_has_no_empty_head(tmp_path: Path) -> None:
    loaded = load(tmp_path, PLAN, FILES)
    first = write_lock(loaded).read_bytes()
    assert write_lock(loaded).read_bytes() == first
    assert list(json.loads(first)) == ["digest", "files", "plan"]
    assert first.endswith(b"}\n")


def test_changes_are_named(tmp_path: Path) -> None:
    loaded = load(tmp_path, PLAN, FILES)
    write_lock(loaded)
    lock = read_lock(tmp_path)
    assert lock is not None
    plan = PLAN.replace("two.sql", "three.sql\n      - sql: four.sql")
    now = load(tmp_path, plan, {"one.sql": "SELECT 11", "three.sql": "SELECT 3", "four.sql": "SELECT 4"})
    found = check_lock(now, lock)
    assert (found.plan_changed, found.files_changed) == (True, True)
    assert (found.changed, found.added) == (("one.sql", "plan.yaml"), ("four.sql", "three.sql"))
    assert found.removed == ("two.sql",)
    assert str(found) == "one.sql, plan.yaml changed; four.sql, three.sql were added; two.sql was removed"


def test_a_comment_changes_the_file_and_not_the_plan(tmp_path: Path) -> None:
    write_lock(load(tmp_path, PLAN, FILES))
    lock = read_lock(tmp_path)
    assert lock is not None
    found = check_lock(load(tmp_path, "# why\n" + PLAN), lock)
    assert (found.plan_changed, found.files_changed) == (False, True)
    assert str(found) == "plan.yaml changed (the plan does the same as before)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "plan.lock.json:1:1: The lock file is not JSON"),
        (b'{\n "plan": ,', "plan.lock.json:2:10: The lock file is not JSON"),
        (b"[]", "plan.lock.json:1:1: This is not a lock file of Lockgate"),
        (b"{}", "plan.lock.json:1:1: This is not a lock file of Lockgate"),
        (b'{"plan": "p", "digest": 5, "files": {}}', "plan.lock.json:1:1: This is not a lock file of Lockgate"),
        (
            b'{"plan": "p", "digest": "d", "files": {}, "x": 1}',
            "plan.lock.json:1:1: This is not a lock file of Lockgate",
        ),
        (b'\xff{"a"', "plan.lock.json:1:1: This is not a lock file of Lockgate"),
        (b"[" * 100_000, "plan.lock.json:1:1: This is not a lock file of Lockgate"),
    ],
)
def test_what_is_no_lock_file(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / LOCK_FILE).write_bytes(content)
    with pytest.raises(PlanError) as refused:
        read_lock(tmp_path)
    hint = "Take it back from version control, or remove it and approve the plan again."
    assert str(refused.value) == f"{message}\nDo: {hint}"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(tmp_path, PLAN, FILES)
    before = write_lock(loaded).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PlanError) as refused:
        write_lock(loaded, ledger_head="8:cd")
    assert (refused.value.what, refused.value.why) == ("The lock file cannot be written", "No space left on device")
    assert (tmp_path / LOCK_FILE).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    loaded = load(tmp_path / "plan", PLAN, FILES)
    shutil.rmtree(tmp_path / "plan")
    with pytest.raises(PlanError, match="The lock file cannot be written"):
        write_lock(loaded)


def test_a_reader_never_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(tmp_path, PLAN, FILES)
    write_lock(loaded)
    seen = []
    monkeypatch.setattr("os.fsync", lambda _: seen.append(read_lock(tmp_path)))
    write_lock(loaded, ledger_head="8:cd")
    assert [lock.ledger_head for lock in seen if lock] == [None]
    lock = read_lock(tmp_path)
    assert lock is not None
    assert lock.ledger_head == "8:cd"


def test_a_lock_file_that_may_not_be_read(tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN, FILES)
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(PlanError, match="The lock file cannot be read"):
        read_lock(tmp_path)
