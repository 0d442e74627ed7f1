"""Whether a target holds what its mappings say: by plain SQL, without any of Lockgate's."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from tests.integration.stress.mappings import Target
from tests.integration.stress.values import BORN


def differences(conn: Connection[Any], target: Target) -> list[str]:
    """Everything that is wrong with a target, in words; empty if nothing is.

    Rows are compared in their text form, so that 1.0 for 1.00 is a difference. A row that nothing yields must
    have been written by the application, as it is; what the application wrote where no mapping yields must be there.
    """
    texts = ", ".join(f"{name}::text" for name in [*target.key, *target.values])
    same = " AND ".join(f"t.{name} = w.{name}" for name in target.key)
    untouched = " AND ".join(f"t.{name}::text = w.{name}::text" for name in target.key)
    born = " OR ".join(
        f"w.{name} = {BORN[output.type]}::{output.type}"
        for name, output in zip(target.key, target.mappings[0].key, strict=True)
    )
    shadow = target.sql.replace("new.", "shadow.", 1)
    wanted = f"WITH w AS MATERIALIZED ({target.wanted()}), t AS MATERIALIZED (SELECT * FROM {target.sql}), "
    checks = {
        "missing": f"x AS (SELECT * FROM w WHERE NOT EXISTS (SELECT FROM t WHERE {same})) SELECT {texts} FROM x",
        "different": f"x AS (SELECT * FROM t WHERE EXISTS (SELECT FROM w WHERE {same})) "
        f"SELECT {texts} FROM x EXCEPT ALL SELECT {texts} FROM w",
        "extra": f"x AS (SELECT t.* FROM t WHERE NOT EXISTS (SELECT FROM w WHERE {same})), "
        f"s AS (SELECT * FROM {shadow}) SELECT {texts}, own FROM x EXCEPT ALL SELECT {texts}, own FROM s",
        "born rows lost": f"s AS (SELECT * FROM {shadow}) SELECT {texts}, own FROM s AS w "
        f"WHERE ({born}) AND NOT EXISTS (SELECT FROM t WHERE {untouched})",
    }
    found = []
    for what, query in checks.items():
        rows = conn.execute((wanted + query).encode()).fetchall()
        found += [f"{what} in {target.name}: {row}" for row in rows]
    return found
