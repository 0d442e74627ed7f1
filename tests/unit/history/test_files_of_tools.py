"""How each tool's folder is read; what a tool itself makes of the same files is tested by ``make conformance``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lockgate.errors import UsageError
from lockgate.history import detect, flyway, supabase
from lockgate.history.base import Row
from lockgate.history.files import FolderError
from lockgate.history.standing import State, compare

DBMATE = "-- migrate:up\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 2;\n"
GOOSE = "-- +goose Up\nSELECT 1;\n\n-- +goose Down\nSELECT 2;\n"


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def problems(folder: Path, tool: str, files: Mapping[str, str | bytes]) -> str:
    write(folder, files)
    with pytest.raises(FolderError) as raised:
        detect.opened(folder, tool).migrations()
    return str(raised.value).replace(f"{folder}/", "")


def test_dbmate_files_are_cut_at_their_marks(tmp_path: Path) -> None:
    write(tmp_path, {"2_b.sql": DBMATE, "10_a.sql": DBMATE, "notes.sql": "", "3.txt": ""})
    found = detect.opened(tmp_path).migrations()
    assert [each.version for each in found] == ["10", "2"]  # by the names of the files, as dbmate does
    up, down = found[0].up, found[0].down
    assert up is not None
    assert down is not None
    assert (up.text, up.transaction) == ("-- migrate:up\nSELECT 1;\n", True)
    assert (down.text, down.transaction) == ("-- migrate:down transaction:false\nSELECT 2;\n", False)
    assert down.at(down.text.index("SELECT")) == f"{tmp_path}/10_a.sql:4:1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1;", "1_a.sql:1:1: has no `-- migrate:up` block"),
        ("-- migrate:up\nSELECT 1;", "1_a.sql:1:1: has no `-- migrate:down` block"),
        ("-- why\nSELECT 0;\n" + DBMATE, "1_a.sql:2:1: stands before `-- migrate:up`"),
        ("-- migrate:down\n\n-- migrate:up\n", "1_a.sql:1:1: `-- migrate:up` must come before `-- migrate:down`"),
        (b"-- migrate:up\n\xe4\n-- migrate:down\n", "1_a.sql:2:1: is not UTF-8"),
    ],
)
def test_what_dbmate_refuses_is_refused_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in problems(tmp_path, "dbmate", {"1_a.sql": text})


def test_goose_files_are_cut_at_their_annotations(tmp_path: Path) -> None:
    plain = "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\nSELECT 2\n-- +goose StatementEnd\n"
    loose = "-- +goose NO TRANSACTION\n-- +goose up\nSELECT 1; -- one\n"
    write(tmp_path, {"00002_b.sql": GOOSE, "00010_c.sql": plain, "3_d.sql": loose, "00004_e.go": "package main"})
    found = detect.opened(tmp_path).migrations()
    assert [each.version for each in found] == ["2", "3", "4", "10"]
    assert [each.up is not None for each in found] == [True, True, False, True]
    assert [each.down is not None for each in found] == [True, False, False, False]
    assert found[1].up is not None
    assert (found[1].up.transaction, found[1].up.apart) == (False, True)
    assert found[0].down is not None
    assert found[0].down.text == "-- +goose Down\nSELECT 2;\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1;", "1_a.sql:1:1: stands before `-- +goose Up`"),
        ("-- nothing\n", "1_a.sql:1:1: has no `-- +goose Up`"),
        ("-- +goose Up\nSELECT 1\n", "1_a.sql:2:1: this statement ends without a semicolon"),
        ("-- +goose Up\nSELECT 1\n-- +goose Down\n", "1_a.sql:2:1: this statement ends without a semicolon"),
        ("-- +goose Up\n-- +goose ENVSUB ON\nSELECT '${X}';\n", "1_a.sql:2:1: environment variables"),
        ("-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n", "1_a.sql:4:1: `-- +goose StatementEnd` is missing"),
        ("-- +goose Up\n-- +goose Upp\n", "1_a.sql:2:1: goose takes no `-- +goose Upp` here"),
        ("-- +goose Up\n  -- +goose Down\n", "1_a.sql:2:1: goose wants its annotations at the beginning"),
    ],
)
def test_what_goose_refuses_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(tmp_path, "goose", {"1_a.sql": text})


def test_golang_migrate_takes_one_row_for_all_before_it(tmp_path: Path) -> None:
    files = {"1_a.up.sql": "SELECT 1;", "1_a.down.sql": "", "002_b.up.sql": "SELECT 2;", "3_c.down.sql": "SELECT 3;"}
    write(tmp_path, {"go.mod": "module x\n", **{f"migrations/{name}": text for name, text in files.items()}})
    tool = detect.opened(tmp_path / "migrations")
    found = tool.migrations()
    assert tool.name == "golang-migrate"
    assert [(each.version, each.name) for each in found] == [("1", "1_a"), ("2", "002_b"), ("3", "3_c")]
    assert [each.up.text if each.up else None for each in found] == ["SELECT 1;", "SELECT 2;", ""]
    assert [each.down is not None for each in found] == [True, False, True]


def test_a_dirty_version_that_the_folder_does_not_hold_is_told_as_half_done(tmp_path: Path) -> None:
    tool = detect.opened(write(tmp_path, {"1_a.up.sql": "SELECT 1;"}), "golang-migrate")
    (_, entry) = compare(tool, tool.migrations(), [Row("-1", state="half", why="version -1 is dirty")])
    assert (entry.state, entry.blocks) == (State.HALF, True)
    assert "version -1 is dirty" in entry.why


def test_flyways_order_is_by_numbers_then_repeatables(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "V2__b.sql": "SELECT 2;",
            "V1_10__c.sql": "SELECT 10;",
            "sub/V1.9__d_e.sql": "SELECT 9;",
            "U2__b.sql": "SELECT -2;",
            "R__views.sql": "SELECT 3;",
            "B1__base.sql": "SELECT 0;",
            "beforeMigrate.sql": "SELECT 4;",
            "V2__b.sql.conf": "executeInTransaction=false\n",
        },
    )
    found = detect.opened(tmp_path).migrations()
    assert [each.version for each in found] == ["1.9", "1.10", "2", "R__views"]
    assert [each.facts["script"] for each in found][:2] == ["sub/V1.9__d_e.sql", "V1_10__c.sql"]
    assert found[0].facts["description"] == "d e"
    assert [each.repeatable for each in found] == [False, False, False, True]
    assert found[2].up is not None
    assert (found[2].up.transaction, found[2].up.apart) == (False, True)
    assert found[2].down is not None


def test_flyways_checksum_leaves_line_ends_out() -> None:
    assert flyway.checksum("") == 0
    assert flyway.checksum("CREATE TABLE t (id int);\n") == flyway.checksum("CREATE TABLE\r\n t (id int);\r\n\r\n")
    assert flyway.checksum("a\x0bb\x85c\u2028d") != flyway.checksum("abcd")
    assert flyway.checksum("SELECT 1;") == 78787420


def test_a_placeholder_is_refused_with_its_place_unless_the_file_says_there_are_none(tmp_path: Path) -> None:
    said = problems(tmp_path, "flyway", {"V1__a.sql": "SELECT 1;\nSELECT '${who}';"})
    assert "V1__a.sql:2:9: the placeholder ${who}" in said
    write(tmp_path, {"V1__a.sql.conf": "placeholderReplacement=false"})
    assert len(detect.opened(tmp_path).migrations()) == 1


def test_supabase_keeps_the_statements(tmp_path: Path) -> None:
    text = (
        "-- one\nSELECT ';', \"a;b\" /* ; /* ; */ ; */;;\n\nDO $x$ BEGIN ; END $x$;\n"
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\n"
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\nSELECT 3 "
    )
    assert list(supabase.statements(text)) == [
        "-- one\nSELECT ';', \"a;b\" /* ; /* ; */ ; */",
        "DO $x$ BEGIN ; END $x$",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
        "SELECT 3",
    ]
    write(tmp_path, {"20200101000000_init.sql": "SELECT 0;", "20260101000000_a_b.sql": text, "x.sql": ""})
    (found,) = detect.opened(tmp_path, "supabase").migrations()
    assert (found.version, found.facts["name"]) == ("20260101000000", "a_b")


def test_a_plain_folder_takes_its_way_back_from_the_file_beside(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "20260102_b.sql": "SELECT 2;\r\n",
            "20260101_a.sql": "SELECT 1;",
            "20260101_a.down.sql": "SELECT -1;",
            "20260102_b_rollback.sql": "SELECT -2;",
        },
    )
    tool = detect.opened(tmp_path)
    found = tool.migrations()
    assert tool.name == "timestamped"
    assert [each.name for each in found] == ["20260101_a", "20260102_b"]
    assert [each.down.text if each.down else None for each in found] == ["SELECT -1;", "SELECT -2;"]
    (tmp_path / "20260102_b.sql").write_text("SELECT 2;\n")
    assert tool.migrations()[1].checksum == found[1].checksum  # other line ends are no change


@pytest.mark.parametrize(
    ("tool", "files", "said"),
    [
        ("dbmate", {"1_a.sql": DBMATE, "1_b.sql": DBMATE}, "1_a.sql has version 1 already"),
        ("goose", {"1_a.sql": GOOSE, "001_b.sql": GOOSE}, "001_b.sql has version 1 already"),
        ("golang-migrate", {"1_a.up.sql": "", "01_b.up.sql": ""}, "01_b.up.sql is the up file of version 1 already"),
        ("flyway", {"V1__a.sql": "", "V1.0__b.sql": ""}, "is V of version 1"),
        ("supabase", {"1_a.sql": "", "1_b.sql": ""}, "1_a.sql has version 1 already"),
        ("timestamped", {"1_a.sql": "", "01_b.sql": ""}, "01_b.sql has number 1 already"),
    ],
)
def test_two_files_of_one_version_are_refused(tmp_path: Path, tool: str, files: Mapping[str, str], said: str) -> None:
    assert said in problems(tmp_path, tool, files)


@pytest.mark.parametrize(
    ("around", "files", "tool"),
    [
        ("go.mod", {"db/migrations/1_a.sql": DBMATE}, "dbmate"),
        ("go.mod", {"migrations/1_a.sql": GOOSE}, "goose"),
        ("go.mod", {"migrations/1_a.up.sql": "", "migrations/1_a.down.sql": ""}, "golang-migrate"),
        ("Cargo.toml", {"migrations/1_a.up.sql": "", "migrations/1_a.down.sql": ""}, "sqlx"),
        ("pom.xml", {"src/main/resources/db/migration/V1__a.sql": ""}, "flyway"),
        ("Cargo.toml", {"supabase/migrations/1_a.sql": "", "supabase/config.toml": ""}, "supabase"),
        ("README.md", {"supabase/migrations/1_a.sql": "", "supabase/config.toml": ""}, "supabase"),
        ("README.md", {"migrations/1_a.sql": ""}, "timestamped"),
    ],
)
def test_the_tool_is_told_from_the_folder(tmp_path: Path, around: str, files: Mapping[str, str], tool: str) -> None:
    write(tmp_path, {around: "", **files})
    assert detect.opened((tmp_path / next(iter(files))).parent).name == tool


def test_where_it_cannot_be_told_the_possible_ones_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"1_a.up.sql": "", "1_a.down.sql": ""})
    with pytest.raises(UsageError) as raised:
        detect.opened(tmp_path)
    assert raised.value.why == "Its files are named as those of sqlx, golang-migrate, timestamped."


def test_other_line_ends_are_told_from_another_text(tmp_path: Path) -> None:
    tool = detect.opened(write(tmp_path, {"1_a.sql": "SELECT 1;\n"}), "sqlx")
    rows = [Row("1", checksum=tool.migrations()[0].checksum)]
    write(tmp_path, {"1_a.sql": "SELECT 1;\r\n"})
    (entry,) = compare(tool, tool.migrations(), rows)
    assert (entry.state, entry.blocks) == (State.CHANGED, True)
    assert "Its line ends (LF or CRLF)" in entry.why
    assert ".gitattributes" in entry.do
