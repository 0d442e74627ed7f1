"""What the code of an application says of its tables."""

from __future__ import annotations

from pathlib import Path

from lockgate.discover.code import read
from lockgate.sql.references import Table


def test_sql_in_files_of_several_languages_is_read(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        'Q = "SELECT o.id, o.total FROM shop.orders o WHERE o.customer_id = %s"\n'
        'def f(x):\n    return f"UPDATE carts SET token = {x} WHERE id = %(id)s"\n'
        "class Model:\n    __tablename__ = 'models'\n"
    )
    (tmp_path / "store.rs").write_text('sqlx::query!(r#"INSERT INTO "Items" (id, "unitPrice") VALUES ($1, $2)"#)')
    (tmp_path / "db.ts").write_text(
        "const q = `SELECT name FROM users WHERE id = ${id}`;\nconst s = 'Select one from the list';"
    )
    (tmp_path / "q.sql").write_text("SELECT 1;\nDELETE FROM old_ones WHERE at < :before;\n")
    (tmp_path / "p.yaml").write_text("- constraint: ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES ref.kinds (code)\n")
    hidden = tmp_path / "node_modules"
    hidden.mkdir()
    (hidden / "x.sql").write_text("SELECT a FROM of_others;")
    code = read(tmp_path)
    assert {(table.schema, table.name) for table in code.tables} == {
        ("shop", "orders"), ("", "carts"), ("", "Items"), ("", "users"), ("", "old_ones"), ("", "models"),
        ("ref", "kinds"),
    }  # fmt: skip
    columns = {(table.name, column) for table, column in code.columns}
    assert columns >= {
        ("orders", "total"), ("orders", "customer_id"), ("carts", "token"), ("Items", "unitPrice"), ("users", "name"),
        ("old_ones", "at"),
    }  # fmt: skip
    assert [str(place) for place in code.tables[Table("", "old_ones")]] == [f"{tmp_path}/q.sql:2"]


def test_what_code_makes_for_itself_is_not_expected_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text(
        "CREATE TEMP TABLE scratch (a int);\nINSERT INTO scratch SELECT 1;\nDROP TABLE gone;\n"
        "ALTER TABLE t DROP COLUMN c;\nWITH some AS (SELECT 1 AS one) SELECT one FROM some;\n"
    )
    code = read(tmp_path)
    assert [table.name for table in code.passing] == ["scratch"]
    assert [table.name for table in code.gone] == ["gone"]
    assert "some" not in {table.name for table in code.tables}


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('q = "SELECT " + columns\nr = "SELECT * FROM {} WHERE {}".format(t, w)\n')
    assert read(tmp_path).unread == 1


def test_columns_that_may_be_of_several_tables_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(
        "SELECT name, total AS sum FROM orders JOIN users ON users.id = orders.user_id ORDER BY sum;"
    )
    columns = {(table.name, column) for table, column in read(tmp_path).columns}
    assert columns == {("users", "id"), ("orders", "user_id")}
