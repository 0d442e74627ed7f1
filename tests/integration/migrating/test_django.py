"""Django's migrations, by Django itself: what `manage.py migrate` would have done, on our connection."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

from lockgate.history import detect
from lockgate.history.base import Rehearsing
from lockgate.history.django import search_path
from tests.integration.engine.plans import one, rows
from tests.integration.migrating.django_shop import FILES, HEAD, HISTORY, apply, back, manage, project, shown
from tests.killing import call

ALL = [("0001_initial",), ("0002_index",), ("0003_rows",)]
SQUASHED = (
    HEAD
    + """
    initial = True
    replaces = [("shop", "0001_initial"), ("shop", "0002_index")]
    operations = [
        migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True, auto_created=True,
            verbose_name="ID", serialize=False)), ("name", models.TextField(default=""))],
            options={"indexes": [models.Index(fields=["name"], name="things_name")]}),
    ]
"""
)
ATOMIC = {
    **FILES,
    "0002_index": HEAD
    + """
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.AddIndex("thing", models.Index(fields=["name"], name="things_name"))]
""",
}
THIRD_FAILS = FILES["0003_rows"].replace("    things.objects", "    1 / 0\n    things.objects")


def read_folder(root: str) -> None:
    """What the processes of these tests do that only read."""
    for migration in detect.opened(Path(root)).migrations():
        sys.stdout.write(f"{migration.version}\n")


def read(root: Path) -> str:
    """All that is said on reading a project."""
    ended = call("tests.integration.migrating.test_django:read_folder", str(root))
    return ended.out + ended.err


def test_it_goes_up_and_down_and_django_agrees(dsn: str, tmp_path: Path) -> None:
    project(tmp_path)
    ended = apply(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == ALL
    assert shown(tmp_path, dsn) == ["[X] 0001_initial", "[X] 0002_index", "[X] 0003_rows"]
    assert manage(tmp_path, dsn, "migrate", "--check").returncode == 0
    assert one(dsn, "SELECT count(*) FROM shop_thing") == 2
    assert one(dsn, "SELECT count(*) FROM django_content_type WHERE app_label = 'shop'") == 1, "its signals are sent"
    told = rows(dsn, "SELECT payload ->> 'migration' FROM lockgate.chain WHERE payload ? 'migration' ORDER BY seq")
    assert [row[0] for row in told if row[0].startswith("shop")] == [f"shop.{name}" for (name,) in ALL]
    ended = back(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == []
    assert one(dsn, "SELECT to_regclass('shop_thing')") is None


def test_the_history_is_made_as_django_makes_it(dsn: str, tmp_path: Path) -> None:
    shape = """
        SELECT column_name, data_type, character_maximum_length, is_nullable, is_identity, identity_generation
          FROM information_schema.columns WHERE table_name = 'django_migrations' ORDER BY ordinal_position"""
    project(tmp_path)
    assert apply(dsn, tmp_path, "first").code == 0
    ours = rows(dsn, shape)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("DROP TABLE django_migrations, shop_thing, django_content_type")
        conn.execute("DROP SCHEMA lockgate CASCADE")
    assert manage(tmp_path, dsn, "migrate").returncode == 0
    assert rows(dsn, shape) == ours


def test_either_can_go_on_where_the_other_stopped(dsn: str, tmp_path: Path) -> None:
    project(tmp_path)
    done = manage(tmp_path, dsn, "migrate", "shop", "0001")
    assert done.returncode == 0, done.stderr
    ended = apply(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == ALL
    assert back(dsn, tmp_path).code == 0
    assert rows(dsn, HISTORY) == [("0001_initial",)], "what Django had applied before is not ours to take back"
    done = manage(tmp_path, dsn, "migrate")
    assert done.returncode == 0, done.stderr
    assert rows(dsn, HISTORY) == ALL


def test_django_goes_on_with_what_lockgate_began(dsn: str, tmp_path: Path) -> None:
    project(tmp_path)
    assert apply(dsn, tmp_path, "first").code == 0
    done = manage(tmp_path, dsn, "migrate")
    assert done.returncode == 0, done.stderr
    assert "Applying shop.0001_initial" not in done.stdout
    assert rows(dsn, HISTORY) == ALL
    assert apply(dsn, tmp_path).code == 0
    assert rows(dsn, HISTORY) == ALL
    assert one(dsn, "SELECT count(*) FROM shop_thing") == 2, "nothing twice"


def test_one_that_fails_leaves_those_before_it_recorded(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, {**FILES, "0003_rows": THIRD_FAILS})
    ended = apply(dsn, tmp_path)
    assert f"{tmp_path}/shop/migrations/0003_rows.py:6:1" in ended.err, ended.err
    assert "ZeroDivisionError" in ended.err
    assert shown(tmp_path, dsn) == ["[X] 0001_initial", "[X] 0002_index", "[ ] 0003_rows"]
    project(tmp_path)
    assert apply(dsn, tmp_path).code == 0
    assert rows(dsn, HISTORY) == ALL


def test_an_operation_that_fails_is_named_with_its_line_and_leaves_nothing(dsn: str, tmp_path: Path) -> None:
    text = FILES["0003_rows"].replace(
        "fill, empty),", "fill, empty),\n        migrations.RunSQL('ALTER TABLE nothing ADD x int'),"
    )
    project(tmp_path, {**FILES, "0003_rows": text})
    ended = apply(dsn, tmp_path)
    assert f"{tmp_path}/shop/migrations/0003_rows.py:15:1" in ended.err, ended.err
    assert 'relation "nothing" does not exist' in ended.err
    assert one(dsn, "SELECT count(*) FROM shop_thing") == 0


@pytest.mark.parametrize("number", [3, 4, 5])
def test_a_kill_before_a_commit_is_followed_by_the_rest(dsn: str, tmp_path: Path, number: int) -> None:
    """Behind the two migrations of contenttypes; at the second of the shop the index is there without its line."""
    project(tmp_path, ATOMIC)
    ended = apply(dsn, tmp_path, fault=f"migrate.commit:{number}")
    assert ended.killed, ended.err
    ended = apply(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == ALL
    assert one(dsn, "SELECT count(*) FROM shop_thing") == 2


def test_a_kill_before_a_commit_on_the_way_back_takes_nothing_back(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, ATOMIC)
    assert apply(dsn, tmp_path).code == 0
    ended = back(dsn, tmp_path, fault="migrate.commit:1")
    assert ended.killed, ended.err
    assert rows(dsn, HISTORY) == ALL
    assert one(dsn, "SELECT count(*) FROM shop_thing") == 2
    ended = back(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == []


def test_a_squashed_one_is_run_in_place_of_what_it_replaces(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, {**FILES, "0001_squashed": SQUASHED})
    (tmp_path / "plan/plan.yaml").write_text(
        (tmp_path / "plan/plan.yaml").read_text().replace("1_initial", "1_squashed")
    )
    ended = apply(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert set(rows(dsn, HISTORY)) == {*ALL, ("0001_squashed",)}
    assert "[X] 0001_squashed (2 squashed migrations)" in shown(tmp_path, dsn)
    assert manage(tmp_path, dsn, "migrate", "--check").returncode == 0
    ended = back(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == []


def test_a_squashed_one_that_was_begun_by_the_others_is_finished_by_them(dsn: str, tmp_path: Path) -> None:
    project(tmp_path)
    assert manage(tmp_path, dsn, "migrate", "shop", "0001").returncode == 0
    project(tmp_path, {**FILES, "0001_squashed": SQUASHED})
    (tmp_path / "plan/plan.yaml").write_text(
        (tmp_path / "plan/plan.yaml").read_text().replace("1_initial", "1_squashed")
    )
    ended = apply(dsn, tmp_path)
    assert ended.code == 0, ended.err
    assert rows(dsn, HISTORY) == [("0001_initial",), ("0002_index",), ("0001_squashed",), ("0003_rows",)]
    assert manage(tmp_path, dsn, "migrate", "--check").returncode == 0


def test_what_others_depend_on_is_not_taken_back_under_them(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, {"0001_initial": FILES["0001_initial"]}, "shop.0001_initial")
    assert apply(dsn, tmp_path).code == 0
    project(tmp_path, FILES, "shop.0001_initial")
    assert manage(tmp_path, dsn, "migrate").returncode == 0
    ended = back(dsn, tmp_path)
    assert "shop.0001_initial cannot be taken back" in ended.err, ended.err
    assert rows(dsn, HISTORY) == ALL


def rehearsed(dsn: str, root: str) -> None:
    """What the processes of these tests do to take all back for a trial."""
    tool = detect.opened(Path(root))
    assert isinstance(tool, Rehearsing)
    with psycopg.connect(dsn, autocommit=True) as conn:
        wanted = [each for each in reversed(tool.migrations()) if each.version.startswith("shop.")]
        there = tool.rehearse(
            conn, tool.home(conn), wanted, lambda: conn.execute("SELECT to_regclass('shop_thing')").fetchone()
        )
    sys.stdout.write(f"in the trial: {there}\n")


def test_a_trial_of_the_way_back_changes_nothing(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, ATOMIC)
    assert manage(tmp_path, dsn, "migrate").returncode == 0
    ended = call("tests.integration.migrating.test_django:rehearsed", dsn, str(tmp_path))
    assert "in the trial: (None,)" in ended.out, ended.err
    assert rows(dsn, HISTORY) == ALL
    assert one(dsn, "SELECT count(*) FROM shop_thing") == 2


def test_one_that_is_not_atomic_is_not_tried(dsn: str, tmp_path: Path) -> None:
    project(tmp_path)
    assert manage(tmp_path, dsn, "migrate").returncode == 0
    ended = call("tests.integration.migrating.test_django:rehearsed", dsn, str(tmp_path))
    assert "It is not atomic" in ended.err
    assert rows(dsn, HISTORY) == ALL


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("0003_rows", '"0002_index"', '"0001_initial"', "has 2 leaf nodes, 0002_index, 0003_rows"),
        ("0003_rows", '"0002_index"', '"0009_gone"', "nonexistent parent node ('shop', '0009_gone')"),
        ("0001_initial", "initial = True", 'dependencies = [("shop", "0003_rows")]', "has a cycle: "),
        ("0003_rows", "class Migration", "class Other", "has no Migration class"),
        ("0003_rows", "def empty(", "def empty((", "0003_rows.py:8:"),
        ("0003_rows", "def empty(", "unknown\ndef empty(", "0003_rows.py:8:1: cannot be imported: NameError"),
    ],
)
def test_a_project_that_django_cannot_use_is_refused(tmp_path: Path, name: str, old: str, new: str, says: str) -> None:
    project(tmp_path, {**FILES, name: FILES[name].replace(old, new)})
    said = read(tmp_path)
    assert says in said, said
    assert "FolderError" in said


@pytest.mark.one_server
def test_an_apps_folder_means_the_whole_project(tmp_path: Path) -> None:
    project(tmp_path)
    assert read(tmp_path / "shop/migrations").split() == [
        "contenttypes.0001_initial",
        "contenttypes.0002_remove_content_type_name",
        "shop.0001_initial",
        "shop.0002_index",
        "shop.0003_rows",
    ]


def read_two(one_: str, other: str) -> None:
    read_folder(one_)
    read_folder(other)


@pytest.mark.one_server
def test_two_projects_in_one_process_are_refused(tmp_path: Path) -> None:
    first, second = project(tmp_path / "a"), project(tmp_path / "b")
    ended = call("tests.integration.migrating.test_django:read_two", str(first), str(second))
    assert "Another project of Django's is open in this process" in ended.err


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("options", "path"),
    [
        ("", None),
        ("-c search_path=app,public", "app,public"),
        ("-csearch_path=app -c statement_timeout=5", "app"),
        ("-c statement_timeout=5 --search-path=app", "app"),
        ("-c search_path=a -c search_path=b", "b"),
        (r"-c search_path=a,\ b", "a, b"),
    ],
)
def test_the_search_path_of_libpqs_options_is_read(options: str, path: str | None) -> None:
    assert search_path(options) == path


def test_settings_with_another_search_path_are_refused(dsn: str, tmp_path: Path) -> None:
    project(tmp_path)
    settings = tmp_path / "site_of_shop/settings.py"
    settings.write_text(
        settings.read_text() + 'DATABASES["default"]["OPTIONS"] = {"options": "-c search_path=elsewhere"}\n'
    )
    assert "The settings of the project set search_path to elsewhere" in apply(dsn, tmp_path).err
