"""Finding a plan, its text and its .sql files; the digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lockgate.errors import ExitCode, PlanError
from lockgate.plan.load import load_plan
from lockgate.plan.models import MapStep, SqlStep
from tests.unit.plan.support import SMALLEST, load, problems, write_plan

TWO_FILES = """\
plan: p
phases:
  - id: a
    steps:
      - sql: sql/one.sql
      - sql: sql/two.sql
"""


def refusal(path: Path) -> PlanError:
    with pytest.raises(PlanError) as refused:
        load_plan(path)
    assert refused.value.exit_code is ExitCode.USAGE
    return refused.value


class TestFindingThePlan:
    def test_by_folder_and_by_file(self, tmp_path: Path) -> None:
        write_plan(tmp_path, SMALLEST)
        assert load_plan(tmp_path).digest == load_plan(tmp_path / "plan.yaml").digest
        assert load_plan(tmp_path / "plan.yaml").folder == tmp_path

    def test_a_missing_folder_names_the_nearest(self, tmp_path: Path) -> None:
        (tmp_path / "party-model").mkdir()
        error = refusal(tmp_path / "party-modle")
        assert error.what == "There is no such folder; did you mean `party-model`?"
        assert error.where == str(tmp_path / "party-modle")

    def test_a_missing_folder_in_a_missing_folder(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "no" / "such").what == "There is no such folder"

    def test_a_folder_without_a_plan(self, tmp_path: Path) -> None:
        error = refusal(tmp_path)
        assert error.what == "There is no plan.yaml in this folder"
        assert error.hint == "`lockgate init` makes one."

    def test_a_folder_of_plans(self, tmp_path: Path) -> None:
        write_plan(tmp_path / "b", SMALLEST)
        write_plan(tmp_path / "a", SMALLEST)
        assert refusal(tmp_path).hint == "These folders in it are plans: a, b"

    def test_plan_yml_is_to_be_renamed(self, tmp_path: Path) -> None:
        (tmp_path / "plan.yml").write_text(SMALLEST)
        assert refusal(tmp_path).hint == "Rename plan.yml to plan.yaml."
        assert refusal(tmp_path / "plan.yml").what == "A plan is a folder with a file plan.yaml in it"

    def test_a_folder_called_plan_yaml(self, tmp_path: Path) -> None:
        (tmp_path / "plan.yaml").mkdir()
        assert refusal(tmp_path).what == "The plan is not a file"

    def test_a_plan_that_may_not_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_plan(tmp_path, SMALLEST)

        def refuse(_: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
        error = refusal(tmp_path)
        assert (error.what, error.why) == ("The plan cannot be read", "Permission denied")

    def test_a_name_with_a_zero_byte(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "a\0b").what == "There is no such folder"


class TestText:
    def test_windows_line_ends_and_byte_order_mark_are_the_same_plan(self, tmp_path: Path) -> None:
        plain = load(tmp_path / "plain", TWO_FILES, {"sql/one.sql": "SELECT 1;\n", "sql/two.sql": "SELECT\n2\n"})
        windows = load(
            tmp_path / "windows",
            b"\xef\xbb\xbf" + TWO_FILES.replace("\n", "\r\n").encode(),
            {"sql/one.sql": b"\xef\xbb\xbfSELECT 1;\r\n", "sql/two.sql": b"SELECT\r2\r\n"},
        )
        assert windows.digest == plain.digest
        assert windows.plan == plain.plan
        assert windows.files != plain.files  # these are hashes of the bytes
        assert windows.where("phases", 0, "id") == "plan.yaml:3:9"

    def test_positions_after_windows_line_ends(self, tmp_path: Path) -> None:
        text = SMALLEST.replace("sql: ", "sgl: ").replace("\n", "\r\n")
        assert problems(tmp_path, text) == [
            "plan.yaml:5:9: unknown kind of step `sgl`; did you mean `sql`?",
        ]

    def test_a_plan_that_is_not_utf_8(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "plan: p\ntitle: é\n".encode("latin-1")) == [
            "plan.yaml:2:8: is not UTF-8 (byte 0xe9); save the file as UTF-8"
        ]

    def test_a_sql_file_that_is_not_utf_8_is_reported_once(self, tmp_path: Path) -> None:
        plan = TWO_FILES.replace("sql/two.sql", "sql/one.sql\n        id: again")
        assert problems(tmp_path, plan, {"sql/one.sql": b"SELECT 1,\n  '\xff'"}) == [
            "sql/one.sql:2:4: is not UTF-8 (byte 0xff); save the file as UTF-8"
        ]

    def test_a_sql_file_with_a_zero_byte(self, tmp_path: Path) -> None:
        assert problems(tmp_path, TWO_FILES, {"sql/one.sql": "SELECT\n\0", "sql/two.sql": "SELECT 1"}) == [
            "sql/one.sql:2:1: holds a NUL character, which PostgreSQL does not take"
        ]

    def test_characters_that_no_plan_may_hold(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "plan: a\u2028b\n") == [
            "plan.yaml:1:8: holds the invisible character U+2028; remove it"
        ]
        assert problems(tmp_path, 'plan: p\ndescription: "a\\0b"\nphases: [{id: a, steps: [{sql: "\\ud800"}]}]') == [
            "plan.yaml:2:14: holds a character that PostgreSQL does not take: NUL, or half of a surrogate pair",
            "plan.yaml:3:32: holds a character that PostgreSQL does not take: NUL, or half of a surrogate pair",
        ]

    def test_half_a_pair_where_a_message_would_quote_it(self, tmp_path: Path) -> None:
        text = 'plan: p\nphases: [{id: a, steps: [{analyze: ["\\ud800\\udc00"]}]}]'
        assert problems(tmp_path, text) == [
            "plan.yaml:2:37: holds a character that PostgreSQL does not take: NUL, or half of a surrogate pair"
        ]

    def test_characters_that_no_key_may_hold(self, tmp_path: Path) -> None:
        (said,) = problems(tmp_path, 'plan: p\n"\\ud800\\udc00": 1\nphases: [{id: a, steps: [{sql: SELECT 1}]}]')
        assert said.startswith("plan.yaml:2:1: holds a character that PostgreSQL does not take")

    def test_unicode_is_counted_in_characters(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "plan: p\nphases: [{title: 'Übergröße 🚢', ids: a, steps: [{sql: SELECT 1}]}]") == [
            "plan.yaml:2:33: unknown key `ids`; did you mean `id`?"
        ]

    def test_aliases_that_multiply_are_stopped(self, tmp_path: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
        assert problems(tmp_path, "\n".join(lines)) == [
            "plan.yaml:1:1: holds more than 100000 values once its aliases are followed"
        ]

    def test_an_alias_in_itself_and_a_deep_nest(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "plan: &p [*p]") == [
            "plan.yaml:1:11: the alias `*p` stands inside of what it stands for"
        ]
        assert problems(tmp_path, "plan: " + "[" * 5000) == ["plan.yaml:1:37: is nested more than 30 levels deep"]


class TestSqlFiles:
    def test_a_file_used_twice_is_read_once_and_named_once(self, tmp_path: Path) -> None:
        plan = TWO_FILES.replace("sql/two.sql", "./sql//one.sql\n        id: again")
        loaded = load(tmp_path, plan, {"sql/one.sql": "SELECT 1"})
        assert [step.sql for step in loaded.plan.phases[0].steps if isinstance(step, SqlStep)] == ["SELECT 1"] * 2
        assert loaded.files == {
            name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("plan.yaml", "sql/one.sql")
        }

    def test_the_same_file_in_two_phases_keeps_its_name(self, tmp_path: Path) -> None:
        plan = TWO_FILES.replace("      - sql: sql/two.sql\n", "  - id: b\n    steps:\n      - sql: sql/one.sql\n")
        loaded = load(tmp_path, plan, {"sql/one.sql": "SELECT 1"})
        assert (loaded.step_id(0, 0), loaded.step_id(1, 0)) == ("one", "one")

    def test_sql_that_ends_like_a_file_is_sql(self, tmp_path: Path) -> None:
        loaded = load(tmp_path, SMALLEST.replace("SELECT 1", "TABLE core.sql"))
        step = loaded.plan.phases[0].steps[0]
        assert isinstance(step, SqlStep)
        assert (step.sql, step.id) == ("TABLE core.sql", "sql-1")

    def test_a_link_may_not_leave_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "secret.sql").write_text("SELECT 1")
        folder = tmp_path / "plan"
        (folder / "sql").mkdir(parents=True)
        (folder / "sql" / "one.sql").symlink_to(tmp_path / "secret.sql")
        (folder / "sql" / "two.sql").symlink_to(folder / "sql" / "two.sql")
        assert problems(folder, TWO_FILES) == [
            "plan.yaml:5:14: `sql/one.sql` is a link that leaves the plan's folder",
            "plan.yaml:6:14: `sql/two.sql` is a link that leads to itself",
        ]

    def test_a_link_within_the_folder_and_a_linked_folder(self, tmp_path: Path) -> None:
        write_plan(tmp_path / "real", TWO_FILES, {"sql/one.sql": "SELECT 1"})
        (tmp_path / "real" / "sql" / "two.sql").symlink_to("one.sql")
        (tmp_path / "linked").symlink_to("real", target_is_directory=True)
        assert load_plan(tmp_path / "linked").digest == load_plan(tmp_path / "real").digest

    def test_what_is_no_regular_file(self, tmp_path: Path) -> None:
        (tmp_path / "sql").mkdir()
        os.mkfifo(tmp_path / "sql" / "one.sql")
        assert problems(tmp_path, TWO_FILES, {"sql/two.sql": "SELECT 1"}) == [
            "plan.yaml:5:14: `sql/one.sql` is not a regular file"
        ]

    def test_a_huge_folder_is_not_searched_to_its_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files: dict[str, str | bytes] = {f"sql/a{number}.sql": "SELECT 1" for number in range(5)}
        plan = SMALLEST.replace("SELECT 1", "b4.sql")
        assert "did you mean `sql/a4.sql`" not in problems(tmp_path, plan.replace("b4", "c/a5"), files)[0]
        assert problems(tmp_path, plan.replace("b4", "a4"), files)[0].endswith("did you mean `sql/a4.sql`?")
        monkeypatch.setattr("lockgate.plan.files._MOST_SUGGESTIBLE", 5)
        assert problems(tmp_path, plan.replace("b4", "a4"), files)[0].endswith("beside the plan")

    def test_a_name_that_no_file_can_have(self, tmp_path: Path) -> None:
        found = problems(tmp_path, SMALLEST.replace("SELECT 1", "x" * 300 + ".sql\n        id: a"))
        assert found == [f"plan.yaml:5:14: `{'x' * 300}.sql` cannot be read: File name too long"]


class TestDigest:
    def test_comments_layout_order_and_written_defaults_do_not_count(self, tmp_path: Path) -> None:
        rewritten = """\
            # the same
            phases: [{steps: [{outside_transaction: false, sql: "SELECT 1"}], id: only, before: [], title: null}]
            settings: {workers: 1, lock_timeout: 0.5s, health: []}
            plan: 'smallest'
            """
        assert load(tmp_path / "a", SMALLEST).digest == load(tmp_path / "b", rewritten).digest

    def test_inline_or_in_a_file_does_not_count(self, tmp_path: Path) -> None:
        inline = "plan: p\nphases: [{id: a, steps: [{sql: SELECT 1, id: one}]}]"
        beside = "plan: p\nphases: [{id: a, steps: [{sql: one.sql}]}]"
        assert load(tmp_path / "a", inline).digest == load(tmp_path / "b", beside, {"one.sql": "SELECT 1"}).digest

    @pytest.mark.parametrize(
        ("was", "now"),
        [
            ("SELECT 1", "SELECT 2"),
            ("SELECT 1", "SELECT  1"),
            ("SELECT 1", "SELECT 1 -- one"),
            ("SELECT 1", "SELECT 1\n        id: other"),
            ("SELECT 1", "SELECT 1\n        outside_transaction: true"),
            ("only", "lonely"),
            ("smallest", "smaller"),
            ("phases:", "settings: {workers: 2}\nphases:"),
        ],
    )
    def test_whatever_is_done_counts(self, tmp_path: Path, was: str, now: str) -> None:
        changed = SMALLEST.replace(was, now)
        assert load(tmp_path / "a", SMALLEST).digest != load(tmp_path / "b", changed).digest

    def test_sql_in_a_file_counts(self, tmp_path: Path) -> None:
        first = load(tmp_path, TWO_FILES, {"sql/one.sql": "SELECT 1", "sql/two.sql": "SELECT 2"}).digest
        (tmp_path / "sql" / "two.sql").write_text("SELECT 3")
        assert load_plan(tmp_path).digest != first

    def test_expected_values_of_other_kinds_are_other_plans(self, tmp_path: Path) -> None:
        check = SMALLEST + "    after:\n      - query: SELECT 1\n        "
        said = ["equals: null", "equals: 1", 'equals: "1"', "equals: true", "empty: true", "at_most: 1", "at_least: 1"]
        said += [f"equals: {2**70}", f'equals: "{2**70}"', f"equals: {2**70 + 1}"]
        digests = {load(tmp_path / str(index), check + words).digest for index, words in enumerate(said)}
        assert len(digests) == len(said)

    def test_it_is_what_it_was(self) -> None:
        """An approval outlives an upgrade of Lockgate: this hash may only change with a note to its users."""
        loaded = load_plan(Path(__file__).parent / "fixtures" / "accepted" / "every-kind")
        assert loaded.digest == "541967bf399a5e566bdeab0a8d96f8e67bb21536296bf1e176d3492ae35e6030"


def test_a_mapping_in_a_file_keeps_its_text(tmp_path: Path) -> None:
    plan = """\
        plan: p
        phases:
          - id: a
            steps:
              - {map: m, into: core.t, key: [id], from: core.s, select: m.sql}
        """
    step = load(tmp_path, plan, {"m.sql": "SELECT id\nFROM core.s\n"}).plan.phases[0].steps[0]
    assert isinstance(step, MapStep)
    assert step.select == "SELECT id\nFROM core.s\n"
