"""Whatever is written on either side between two passes: rows of the copy become what they are there, others stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from lockgate.copying import comparing, writing
from lockgate.copying.order import Order, order
from lockgate.copying.pairs import pair
from lockgate.engine.session import Sessions
from lockgate.ledger import copies, store
from lockgate.ledger.copies import CopyRow
from lockgate.plan.models import CopyStep

TABLE = "CREATE TABLE t (k text, n numeric, v text, PRIMARY KEY (k, n))"
STEP = CopyStep(copy_="c", from_="X", tables=("public.t",))

# Few keys, so that both sides write the same ones.
KEYS = st.sampled_from([("a", "0"), ("ä", "NaN"), ("\\N", "1"), ("", "0")])
VALUES = st.one_of(st.none(), st.text("xy'", max_size=2))
CHANGES = st.lists(st.tuples(st.sampled_from(["here", "there"]), KEYS, VALUES), min_size=2, max_size=12)
UPSERT = "INSERT INTO public.t VALUES (%s, %s, %s) ON CONFLICT (k, n) DO UPDATE SET v = EXCLUDED.v"

Key = tuple[str, str]
Rows = dict[Key, str]


def write(conn: Connection[Any], table: Rows, changes: Sequence[tuple[Key, str | None]]) -> None:
    """Make the changes, in the database and in the model of it."""
    for key, value in changes:
        if value is None:
            conn.execute("DELETE FROM public.t WHERE (k, n) = (%s, %s)", key)
            table.pop(key, None)
        else:
            conn.execute(UPSERT, (*key, value))
            table[key] = value


def one_pass(here: Connection[Any], there: Connection[Any], copy: CopyRow, what: Order) -> int:
    with there.transaction():
        found = comparing.compare(here, there, copy, what.pairs[0])
    oid = found.pair.table.oid
    with here.transaction():
        writing.remove(here, copy, what.units[0], {oid: found.gone}, silent=False)
    if found.wanted:
        queries = {found.pair: writing.by_key(there, found.pair, found.wanted)}
        with there.transaction(), writing.reading(there, queries) as feeds, here.transaction():
            writing.put(here, copy, what, what.units[0], feeds, silent=False)
    return found.found


def content(conn: Connection[Any]) -> Rows:
    return {(k, n): v for k, n, v in conn.execute("SELECT k, n::text, v FROM public.t")}


def test_any_changes_of_both_sides(dsn: str, old: str) -> None:
    with Sessions(dsn).open("test") as here, Sessions(old).connect_through_pooler("test") as there:
        store.install(here)
        for conn in (here, there):
            conn.execute(TABLE.replace(" t ", " public.t ").encode())
        what = order(here, pair(here, there, STEP, lambda *path: "here"), "here")

        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        @given(CHANGES, CHANGES)
        def check(first: list[Any], second: list[Any]) -> None:
            theirs: Rows = {}
            ours: Rows = {}
            for conn in (here, there):
                conn.execute("TRUNCATE public.t")
            here.execute("DELETE FROM lockgate.copies")
            copy = copies.begin(here, "p", "c")
            own: set[Key] = set()
            for changes in (first, second):
                write(there, theirs, [change[1:] for change in changes if change[0] == "there"])
                mine = [change[1:] for change in changes if change[0] == "here"]
                write(here, ours, mine)
                own -= {key for key, _ in mine}
                one_pass(here, there, copy, what)
                for key in set(ours) | set(theirs):
                    if key in own or key not in ours:
                        own.add(key)
                        ours.pop(key, None)
                        if key in theirs:
                            ours[key] = theirs[key]
                        else:
                            own.discard(key)
                assert content(here) == ours
                assert content(there) == theirs
            left = one_pass(here, there, copy, what)
            assert left == sum(ours[key] != theirs[key] for key in ours.keys() & theirs.keys())

        check()
