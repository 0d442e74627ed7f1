"""What the demo of the hardening makes of what it saw."""

from __future__ import annotations

from lockgate.demo.hardened import Added, added

BEFORE = {
    ("core.entities", "unique index", "core.entities_pkey"),
    ("core.entities", "default", "created_at now()"),
    ("core.addresses", "setting", "autovacuum_enabled=off"),
    ("core.properties", "index", "core.idx_properties_owner"),
}


def test_what_was_there_before_is_not_counted() -> None:
    assert added(BEFORE, BEFORE) == Added(checks=0, foreign_keys=0, indexes=0, unique=0, tables=())


def test_constraints_and_indexes_are_told_apart() -> None:
    new = {
        ("core.entities", "check", "chk"),
        ("core.entities", "foreign key", "fk"),
        ("core.entities", "unique index", "core.uq"),
        ("core.entities", "index", "core.idx"),
        ("core.entities", "index", "core.idx_2"),
    }
    found = added(BEFORE, BEFORE | new)
    assert (found.constraints, found.checks, found.foreign_keys) == (2, 1, 1)
    assert (found.indexes, found.unique) == (3, 1)
    assert found.tables == ("core.entities",)


def test_a_table_is_touched_that_loses_a_setting_or_gains_a_default() -> None:
    after = BEFORE - {("core.addresses", "setting", "autovacuum_enabled=off")}
    found = added(BEFORE, after | {("core.entities", "default", "updated_at now()")})
    assert found.tables == ("core.addresses", "core.entities")


def test_a_table_that_is_new_is_none_that_was_touched() -> None:
    found = added(BEFORE, BEFORE | {("core.kept", "unique index", "core.kept_pkey")})
    assert (found.indexes, found.tables) == (0, ())
