"""Examining statements against a test's database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from lockgate.safety import snapshot
from lockgate.safety.database import Database
from lockgate.safety.finding import Finding
from lockgate.safety.live.examining import examiner
from lockgate.safety.probes.asking import Prober
from lockgate.safety.subject import subject

Conn = psycopg.Connection[Any]


def examined(conn: Conn, *texts: str, examples: bool = False, values: bool = False) -> list[Finding]:
    """What all tiers say of texts that would run one after the other.

    :param values: whether rewrites may show constants.
    """
    facts = snapshot.read(conn)
    database = Database(facts, Prober(conn, facts, timedelta(seconds=60), examples=examples))
    looking = examiner(database, values=values)
    found = []
    for text in texts:
        read = subject(text, lambda at: f"file.sql:{at}", major=facts.version // 10000)
        found += [told.finding for told in looking.examine(read)]
    return found


def of(findings: list[Finding], code: str) -> list[Finding]:
    """Those of one rule."""
    return [finding for finding in findings if finding.code == code]


def make(conn: Conn, *statements: str) -> None:
    for statement in statements:
        conn.execute(statement.encode())
