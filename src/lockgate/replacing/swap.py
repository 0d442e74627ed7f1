"""A table takes the name of another one, with all that hangs on the name; and gives it back.

Everything happens in the caller's open transaction, which holds both tables. What PostgreSQL writes of a trigger, a
view, a policy or a foreign key names the table, so that it is read before the names change, and run afterwards: then
it speaks of the other table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg import Connection, sql

from lockgate.catalog import relations
from lockgate.replacing import shape
from lockgate.replacing.queries import load
from lockgate.replacing.shape import Copied

_FIRES = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


@dataclass(frozen=True, slots=True)
class Pair:
    """The two tables of a step, by number, and their names.

    :param name: of the table that the application uses, whichever it is.
    :param staged: of the new table before it has the name.
    :param aside: of the table of before afterwards.
    :param statistics: the extended ones.
    """

    old: int
    new: int
    schema: str
    name: str
    staged: str
    aside: str
    indexes: tuple[Copied, ...]
    statistics: tuple[Copied, ...] = ()

    def named(self) -> sql.Identifier:
        """The table that the application uses."""
        return sql.Identifier(self.schema, self.name)

    def named_staged(self) -> sql.Identifier:
        """The new table before the swap."""
        return sql.Identifier(self.schema, self.staged)

    def named_aside(self) -> sql.Identifier:
        """The table of before, after the swap."""
        return sql.Identifier(self.schema, self.aside)

    def dump(self) -> dict[str, Any]:
        """As JSON values, for the ledger."""
        return asdict(self)

    @staticmethod
    def load(value: dict[str, Any]) -> Pair:
        """Read it back."""
        copied = {key: tuple(Copied(**each) for each in value.get(key, ())) for key in ("indexes", "statistics")}
        return Pair(**{**value, **copied})


@dataclass(frozen=True, slots=True)
class Moved:
    """What the swap took from the table of before, so that it can be given back.

    :param triggers: name -> how it fired.
    :param foreign_keys: name, definition and comment of each of its own.
    """

    triggers: dict[str, str] = field(default_factory=dict)
    foreign_keys: list[dict[str, Any]] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """As JSON values, for the ledger."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on a table's name, as it was read before the names change."""

    views: list[dict[str, Any]]
    referring: list[dict[str, Any]]
    sequences: list[dict[str, Any]]
    publications: list[dict[str, Any]]


def others(conn: Connection[Any], table: int) -> list[str]:
    """The names, in SQL, of the tables and views that are locked besides: they refer to it, it to them, or read it."""
    keys = [key for query in ("referring", "foreign_keys") for key in shape.rows(conn, query, table)]
    found = [key["other"] for key in keys if not key.get("to_itself")]
    found += [view["name"] for view in shape.rows(conn, "views", table)]
    return sorted(set(found))


def locked(conn: Connection[Any], pair: Pair, table: int, other: sql.Identifier) -> list[str]:
    """The tables, in SQL and in this order, that are locked against everybody while the names change.

    :param table: the one that has the name; ``other`` is the name of the one that gets it.
    """
    names = {key["other"] for query in ("referring", "foreign_keys") for key in shape.rows(conn, query, table)}
    wanted = [pair.named().as_string(conn), other.as_string(conn), *sorted(names)]
    return [str(name) for (name,) in conn.execute(load("shape.lockable"), {"names": wanted})]


def forth(conn: Connection[Any], pair: Pair) -> Moved:
    """Give the name to the new table.

    Foreign keys are made NOT VALID, so that nothing is read; ``validate`` makes them whole.
    """
    hanging = _read(conn, pair.old)
    own_keys = shape.rows(conn, "foreign_keys", pair.old)
    triggers = shape.rows(conn, "triggers", pair.old)
    policies = shape.rows(conn, "policies", pair.old, on=pair.named().as_string(conn))
    _drop_keys(conn, pair.named(), own_keys, hanging)
    for trigger in triggers:
        name = sql.Identifier(trigger["name"])
        conn.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(pair.named(), name))
    _rename_own(conn, pair, lambda each: (each.old, each.aside))
    _rename(conn, pair.named(), pair.aside)
    _rename_own(conn, pair, lambda each: (each.new, each.name))
    _rename(conn, pair.named_staged(), pair.name)
    _publish(conn, hanging, pair.named_aside(), pair.named())
    _move_sequences(conn, hanging.sequences, pair.named_aside(), pair.named())
    for policy in policies:
        conn.execute(policy["statement"].encode())
        on = sql.SQL("POLICY {} ON {}").format(sql.Identifier(policy["name"]), pair.named())
        shape.comment(conn, on, policy["comment"])
    leaves = relations.leaves(conn, pair.new)
    for key in own_keys:
        for leaf in leaves:
            _add_key(conn, sql.SQL(leaf.sql), key)
    for trigger in triggers:
        conn.execute(trigger["definition"].encode())
        on = sql.SQL("TRIGGER {} ON {}").format(sql.Identifier(trigger["name"]), pair.named())
        shape.comment(conn, on, trigger["comment"])
        _fire(conn, [pair.named(), *(sql.SQL(leaf.sql) for leaf in leaves)], trigger["name"], trigger["enabled"])
    _lead(conn, hanging)
    return Moved({each["name"]: each["enabled"] for each in triggers}, own_keys)


def back(conn: Connection[Any], pair: Pair, moved: Moved) -> None:
    """Give the name back to the table of before, and drop the new one, all of whose rows it has.

    :raises psycopg.errors.DependentObjectsStillExist: if something hangs on the new table that did not on
        the other.
    """
    hanging = _read(conn, pair.new)
    conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(pair.named_aside()))
    _drop_keys(conn, pair.named(), [], hanging)
    _rename(conn, pair.named(), pair.staged)
    _rename_own(conn, pair, lambda each: (each.new, each.staged))
    _rename(conn, pair.named_aside(), pair.name)
    _rename_own(conn, pair, lambda each: (each.old, each.name))
    _publish(conn, hanging, pair.named_staged(), pair.named())
    _move_sequences(conn, hanging.sequences, pair.named_staged(), pair.named())
    for key in moved.foreign_keys:
        _add_key(conn, pair.named(), key)
    for name, enabled in moved.triggers.items():
        _fire(conn, [pair.named()], name, enabled)
    _lead(conn, hanging)
    conn.execute(sql.SQL("DROP TABLE {} RESTRICT").format(pair.named_staged()))


def unvalidated(conn: Connection[Any], table: int) -> list[tuple[str, str]]:
    """The foreign keys of a table, its partitions, and others that refer to it which were made and not validated.

    :return: the name of the table that has each, in SQL, and its own.
    """
    rows = conn.execute(
        "SELECT pg_catalog.format('%%I.%%I', n.nspname, r.relname), c.conname FROM pg_catalog.pg_constraint c "
        "JOIN pg_catalog.pg_class r ON r.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace "
        "WHERE c.contype = 'f' AND NOT c.convalidated AND c.conparentid = 0 AND (c.confrelid = %(oid)s "
        "OR c.conrelid IN (SELECT %(oid)s::oid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(%(oid)s) p)) "
        "ORDER BY 1, 2",
        {"oid": table},
    )
    return [(str(on), str(name)) for on, name in rows]


def validate(conn: Connection[Any], on: str, name: str) -> None:
    """Read a table, so that its foreign key counts for all rows; neither readers nor writers wait."""
    conn.execute(sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(sql.SQL(on), sql.Identifier(name)))


def join_key(conn: Connection[Any], pair: Pair, key: dict[str, Any]) -> None:
    """Make a foreign key that each partition has one of the whole table; reads nothing."""
    if any(each["name"] == key["name"] for each in shape.rows(conn, "foreign_keys", pair.new)):
        return
    name = sql.Identifier(key["name"])
    conn.execute(sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(pair.named(), name, sql.SQL(key["definition"])))
    shape.comment(conn, sql.SQL("CONSTRAINT {} ON {}").format(name, pair.named()), key["comment"])


def _read(conn: Connection[Any], table: int) -> Hanging:
    found = Hanging(*(shape.rows(conn, query, table) for query in ("views", "referring", "sequences", "publications")))
    for each in found.sequences:
        name = sql.SQL(each["name"])
        if each["identity"]:
            # Changes nothing, but nobody takes a number of it any more that the one in its place would give again.
            conn.execute(sql.SQL("ALTER SEQUENCE {} CACHE {}").format(name, sql.Literal(each["cache"])))
        row = conn.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(name)).fetchone()
        assert row is not None
        each["at"] = row
        each["grants"] = [
            str(statement)
            for (statement,) in conn.execute(
                load("shape.grants"), {"oid": each["oid"], "kind": "SEQUENCE", "on": each["name"]}
            )
        ]
    return found


def _drop_keys(conn: Connection[Any], table: sql.Composable, own: Sequence[dict[str, Any]], hanging: Hanging) -> None:
    drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
    for key in own:
        conn.execute(drop.format(table, sql.Identifier(key["name"])))
    for key in hanging.referring:
        conn.execute(drop.format(sql.SQL(key["other"]), sql.Identifier(key["name"])))


def _add_key(conn: Connection[Any], table: sql.Composable, key: dict[str, Any]) -> None:
    name = sql.Identifier(key["name"])
    definition = sql.SQL(key["definition"].removesuffix(" NOT VALID"))
    conn.execute(sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID").format(table, name, definition))
    shape.comment(conn, sql.SQL("CONSTRAINT {} ON {}").format(name, table), key["comment"])


def _lead(conn: Connection[Any], hanging: Hanging) -> None:
    """Let foreign keys and views mean the table that has the name now."""
    for key in hanging.referring:
        _add_key(conn, sql.SQL(key["other"]), key)
    for view in hanging.views:
        pairs = (option.partition("=") for option in view["options"] or ())
        options = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(k), sql.Literal(v)) for k, _, v in pairs)
        behind = sql.SQL(" WITH ({})").format(options) if view["options"] else sql.SQL("")
        text = sql.SQL(view["definition"].rstrip().rstrip(";"))
        conn.execute(sql.SQL("CREATE OR REPLACE VIEW {}{} AS {}").format(sql.SQL(view["name"]), behind, text))


def _move_sequences(
    conn: Connection[Any], sequences: Sequence[dict[str, Any]], source: sql.Composable, target: sql.Composable
) -> None:
    for each in sequences:
        column = sql.Identifier(each["column"])
        if not each["identity"]:
            conn.execute(sql.SQL("ALTER SEQUENCE {} OWNED BY {}.{}").format(sql.SQL(each["name"]), target, column))
            continue
        kind = sql.SQL("ALWAYS" if each["identity"] == "a" else "BY DEFAULT")
        conn.execute(sql.SQL("ALTER TABLE {} ALTER {} DROP IDENTITY").format(source, column))
        conn.execute(
            sql.SQL("ALTER TABLE {} ALTER {} ADD GENERATED {} AS IDENTITY ({})").format(
                target, column, kind, sql.SQL(each["options"])
            )
        )
        conn.execute("SELECT pg_catalog.setval(%s::pg_catalog.regclass, %s, %s)", (each["name"], *each["at"]))
        shape.comment(conn, sql.SQL("SEQUENCE {}").format(sql.SQL(each["name"])), each["comment"])
        for statement in each["grants"]:
            conn.execute(statement.encode())


def _rename(conn: Connection[Any], table: sql.Composable, name: str) -> None:
    conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(table, sql.Identifier(name)))


def _rename_own(conn: Connection[Any], pair: Pair, wanted: Callable[[Copied], tuple[int, str]]) -> None:
    """Give indexes and statistics names, whatever they are called now; what somebody dropped is passed over.

    :param wanted: the number of one of the two, and the name that it gets.
    """
    for kind, query, copied in (
        ("INDEX", "index_now", pair.indexes),
        ("STATISTICS", "statistics_now", pair.statistics),
    ):
        for oid, name in map(wanted, copied):
            for each in shape.rows(conn, query, oid):
                if each["name"] != name:
                    now = sql.Identifier(each["schema"], each["name"])
                    conn.execute(sql.SQL("ALTER {} {} RENAME TO {}").format(sql.SQL(kind), now, sql.Identifier(name)))


def _publish(conn: Connection[Any], hanging: Hanging, source: sql.Composable, target: sql.Composable) -> None:
    """Let publications name the other table; their subscribers know it by its name."""
    for each in hanging.publications:
        change = sql.SQL("ALTER PUBLICATION {} {} TABLE {}{}")
        name, part = sql.SQL(each["name"]), sql.SQL(each["part"])
        conn.execute(change.format(name, sql.SQL("DROP"), source, sql.SQL("")))
        conn.execute(change.format(name, sql.SQL("ADD"), target, part))


def _fire(conn: Connection[Any], tables: Sequence[sql.Composable], trigger: str, enabled: str) -> None:
    """Let a trigger fire as it did: each partition has one of its own."""
    for table in tables:
        conn.execute(
            sql.SQL("ALTER TABLE ONLY {} {} TRIGGER {}").format(
                table, sql.SQL(_FIRES[enabled]), sql.Identifier(trigger)
            )
        )
