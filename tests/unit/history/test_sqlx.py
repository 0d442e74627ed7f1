from __future__ import annotations

from hashlib import sha384
from pathlib import Path

import pytest

from lockgate.history import detect
from lockgate.history.base import Row
from lockgate.history.files import FolderError
from lockgate.history.sqlx import Sqlx
from lockgate.history.standing import State, compare


def test_files_are_read_as_sqlx_reads_them(tmp_path: Path) -> None:
    (tmp_path / "10_b_c.sql").write_text("SELECT 10;\r\n")
    (tmp_path / "0009_a.up.sql").write_text("SELECT 9;")
    (tmp_path / "0009_a.down.sql").write_text("-- no-transaction\nSELECT -9;")
    (tmp_path / "11_x.sql.sql").write_text("SELECT 11;")
    (tmp_path / "README.md").write_text("no migration")
    (tmp_path / "12.sql").write_text("no underscore")
    found = Sqlx(tmp_path).migrations()
    assert [each.version for each in found] == ["9", "10", "11"]
    assert [each.facts["description"] for each in found] == ["a", "b c", "x"]
    assert [each.name for each in found] == ["0009_a", "10_b_c", "11_x.sql"]
    assert found[1].checksum == sha384(b"SELECT 10;\r\n").hexdigest()
    assert found[0].down is not None
    assert (found[0].up and found[0].up.transaction, found[0].down.transaction) == (True, False)


def test_everything_that_is_wrong_with_a_folder_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("SELECT 1;")
    (tmp_path / "001_b.sql").write_text("SELECT 1;")
    (tmp_path / "x_c.sql").write_text("SELECT 1;")
    (tmp_path / "3_d.down.sql").write_text("SELECT 1;")
    (tmp_path / "4_e.sql").write_bytes(b"SELECT 1;\nSELECT '\xff';")
    with pytest.raises(FolderError) as raised:
        Sqlx(tmp_path).migrations()
    said = str(raised.value)
    assert "version 1 already" in said
    assert "`x` is no number" in said
    assert "no file that applies version 3" in said
    assert "4_e.sql:2:9: is not UTF-8" in said


def test_how_migrations_stand(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        (tmp_path / f"{number}_m.sql").write_text(f"SELECT {number};")
    tool = Sqlx(tmp_path)
    known = tool.migrations()
    rows = [
        Row("1", checksum=known[0].checksum),
        Row("3", checksum="00"),
        Row("7", "gone"),
    ]
    found = {entry.version: entry for entry in compare(tool, known, rows)}
    assert {version: entry.state for version, entry in found.items()} == {
        "1": State.APPLIED,
        "2": State.LATE,
        "3": State.CHANGED,
        "4": State.PENDING,
        "7": State.MISSING,
    }
    assert [version for version, entry in found.items() if entry.blocks] == ["3", "7"]


def test_a_rust_project_is_told(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").touch()
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "1_a.sql").write_text("SELECT 1;")
    assert detect.opened(migrations).name == "sqlx"
