"""The scene of the concurrent tests: two new tables kept in step while pgbench writes, as a role without rights."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from lockgate.plan.models import MapStep

HERE = Path(__file__).parent / "pgbench"
SCRIPTS = {"people": 4, "rows": 3, "deletes": 3, "bulk": 1, "new_model": 1}

_EMAILS = (
    "SELECT p.id AS party, 'email' AS kind, lower(btrim(s.address)) AS value, s.main, s.seen "
    "FROM old.emails s JOIN old.people h ON h.id = s.person JOIN old.parties p ON p.code = h.code "
    "WHERE s.address IS NOT NULL"
)
_PHONES = (
    "SELECT p.id AS party, 'phone' AS kind, s.digits AS value, NULL::boolean AS main, NULL::integer AS seen "
    "FROM old.phones s JOIN old.people h ON h.id = s.person JOIN old.parties p ON p.code = h.code "
    "WHERE s.digits ~ '^0'"
)
_PLACES = (
    "SELECT h.id AS person, coalesce(z.label, '-') AS zone, h.zone IS NULL AS emails "
    "FROM old.people h LEFT JOIN old.zones z ON z.id = h.zone AND NOT z.closed "
    "WHERE EXISTS (SELECT FROM old.emails s WHERE s.person = h.id AND s.main)"
)
# What the mappings mean, written by hand: the e-mail that is first by its words keeps the key.
_ORACLE = {
    "new.contacts": (
        "SELECT party, kind, value, main, seen FROM new.contacts WHERE kind <> 'own'",
        f"SELECT party, kind, value, main, seen FROM (SELECT y.*, row_number() OVER (PARTITION BY party, kind, value "
        f"ORDER BY y.main DESC, y.seen, y.id) AS place FROM ({_EMAILS.replace(' FROM ', ', s.id FROM ', 1)}) y) y "
        f"WHERE place = 1 UNION ALL (SELECT DISTINCT party, kind, value, main, seen FROM ({_PHONES}) y)",
    ),
    "new.places": ("SELECT person, zone, emails FROM new.places", _PLACES),
}


def steps() -> list[MapStep]:
    """The mappings: three joined relations, a second mapping into the same table, and LEFT JOIN with EXISTS."""
    contacts = {"into": "new.contacts", "key": ["party", "kind", "value"], "rejected": {"whatever": "true"}}
    return [
        MapStep.model_validate(fields)
        for fields in (
            {
                "map": "emails",
                "from": "old.emails",
                "select": _EMAILS,
                "winner": ["s.main DESC", "s.seen"],
                **contacts,
            },
            {"map": "phones", "from": "old.phones", "select": _PHONES, "winner": ["s.id"], **contacts},
            {
                "map": "places",
                "into": "new.places",
                "key": ["person", "zone"],
                "from": "old.people",
                "select": _PLACES,
                "rejected": {"whatever": "true"},
            },
        )
    ]


def differences(conn: Connection[Any]) -> dict[str, int]:
    """Rows that are in one side only, by plain SQL: target and which side -> how many."""
    found = {}
    for table, (held, wanted) in _ORACLE.items():
        for side, first, second in (("extra", held, wanted), ("missing", wanted, held)):
            row = conn.execute(f"SELECT count(*) FROM (({first}) EXCEPT ALL ({second})) AS d".encode()).fetchone()
            assert row is not None
            if row[0]:
                found[f"{side} in {table}"] = int(row[0])
    return found


@dataclass(slots=True)
class Writers:
    """Six clients of pgbench that write as a role without any right on schema ``lockgate``.

    :param programs: the folder of pgbench.
    """

    programs: Path
    dsn: str
    role: str
    people: int
    clients: int = 6

    def command(self, extra: Sequence[str]) -> list[str]:
        """The command line; ``extra`` says how long and how fast."""
        files = [part for name, weight in SCRIPTS.items() for part in ("-f", f"{HERE / name}.sql@{weight}")]
        return [
            str(self.programs / "pgbench"),
            *("-n", "-c", str(self.clients), "-j", "1", "-D", f"people={self.people}"),
            *extra,
            *files,
            self.dsn,
        ]

    def start(self, *extra: str) -> subprocess.Popen[str]:
        """Start writing; an error of any statement ends its client and is told at the end."""
        environment = {**os.environ, "PGOPTIONS": f"-c role={self.role}"}
        return subprocess.Popen(
            self.command(extra), env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
