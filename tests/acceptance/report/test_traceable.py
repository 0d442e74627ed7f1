"""Every number of the report is traceable to an entry of the ledger's chain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from lockgate.engine.applying import applying
from lockgate.engine.clock import SystemClock
from lockgate.engine.session import Sessions
from lockgate.ledger import chain
from lockgate.ledger.chain import ChainEntry
from tests.acceptance.shop import Shop
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server  # the report is written from the ledger alone

COUNTS = {"phases_done", "phases_planned", "entries", "seq", "digest_seq", "evidence"}
"""Keys of the JSON whose numbers are counts of entries, or numbers of entries themselves."""

NUMBER = re.compile(r"(?<![\w.#-])-?\d[\d,]*(?:\.\d+)?(?![\w-])")
REFERENCE = re.compile(r"\[#(\d+)\]\(#e\1\)")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def entries_of(shop: Shop) -> dict[int, ChainEntry]:
    with psycopg.connect(shop.dsn, autocommit=True) as conn:
        return {entry.seq: entry for entry in chain.entries(conn, "shop")}


def numbers_in(value: Any) -> set[float]:
    """All numbers in a JSON value, those inside of texts included."""
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, int | float):
        return {float(value)}
    if isinstance(value, str):
        return {float(found.replace(",", "")) for found in NUMBER.findall(value)}
    parts = value.values() if isinstance(value, Mapping) else value
    return set().union(*(numbers_in(part) for part in parts))


def claims(value: Any, seq: int | None = None) -> Iterator[tuple[int | None, float]]:
    """Each number of the JSON report with the entry that it says it is from."""
    if isinstance(value, dict):
        seq = value.get("seq") or seq
        for key, part in value.items():
            if key not in COUNTS and not key.endswith("at"):
                yield from claims(part, seq)
    elif isinstance(value, list):
        for part in value:
            yield from claims(part, seq)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield seq, float(value)


def a_whole_history(shop: Shop) -> None:
    """All phases, a pause, a failed check made again, the last phase taken back and done again."""
    shop.finish()
    shop.run("pause", "{plan}", "--reason", "for 5 minutes")
    shop.run("resume", "{plan}")
    shop.run("tune", "{plan}", "--workers", "2")
    shop.run("rollback", "{plan}", "--yes")
    shop.run("approve", "orders", "--by", "Bea", "--plan", "{plan}", "--yes")
    shop.run("apply", "{plan}")
    shop.run("verify", "{plan}", "--record")


def test_every_number_names_the_entry_that_holds_it(shop: Shop) -> None:
    a_whole_history(shop)
    report, known = shop.object("report", "{plan}"), entries_of(shop)
    found = list(claims(report))
    assert len(found) > 100
    untraceable = [
        (seq, number) for seq, number in found if seq is None or number not in numbers_in(known[seq].payload)
    ]
    assert untraceable == []


def test_every_line_with_a_number_refers_to_the_entry_that_holds_it(shop: Shop) -> None:
    a_whole_history(shop)
    text, known = shop.run("report", "{plan}").stdout, entries_of(shop)
    body = text[: text.index("## Evidence")]
    body = re.sub(r"```text\n.*?```", "", body, flags=re.DOTALL)
    untraceable = []
    for line in body.splitlines():
        seqs = [int(seq) for seq in REFERENCE.findall(line)]
        plain = MOMENT.sub("", REFERENCE.sub("", line.replace("\\", ""))).replace("#17", "")
        held = set().union(*(numbers_in(known[seq].payload) for seq in seqs))
        rounded = held | {round(number, 3) for number in held}
        for number in numbers_in(plain):
            if number not in rounded:
                untraceable.append((number, line))
    counts = [line for _, line in untraceable if re.fullmatch(r"As of .* 3 of 3 phases are done\.", line)]
    assert [line for _, line in untraceable if line not in counts] == []


def test_every_reference_has_its_place_at_the_end(shop: Shop) -> None:
    a_whole_history(shop)
    text, known = shop.run("report", "{plan}").stdout, entries_of(shop)
    anchors = [int(seq) for seq in re.findall(r'<a id="e(\d+)"></a>', text)]
    assert sorted(anchors) == sorted(known)
    assert {int(seq) for seq in REFERENCE.findall(text)} <= set(anchors)
    for seq, entry in known.items():
        if entry.kind == "evidence":
            part = text[text.index(f'<a id="e{seq}"></a>') :]
            assert entry.payload["query"].strip() in part
            assert f"{entry.at:%Y-%m-%d %H:%M:%S} UTC" in part


def test_the_head_in_the_report_finds_a_later_change(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    head = shop.object("report", "{plan}")["head"]
    assert head in shop.run("report", "{plan}").stdout
    shop.run("verify", "{plan}", "--ledger", "--head", head)
    shop.sql("ALTER TABLE lockgate.chain DISABLE TRIGGER ALL")
    shop.sql("UPDATE lockgate.chain SET payload = payload || '{\"statements\": 1}' WHERE seq = 3")
    assert "Row 3 does not match its hash" in shop.run("verify", "{plan}", "--ledger", code=1).stdout
    assert "The ledger is not what was written into it" in shop.run("report", "{plan}").stdout
    assert shop.object("verify", "{plan}", "--ledger", code=1)["faults"]


def test_no_value_of_a_row_and_no_secret(shop: Shop) -> None:
    plan = shop.plan / "plan.yaml"
    text = plan.read_text()
    gate = "      - query: SELECT email FROM old.customers WHERE id = 61\n        equals: person61@example.com\n"
    plan.write_text(text.replace("    before:\n      - query", f"    before:\n{gate}      - query", 1))
    shop.run("apply", "{plan}", "--to", "subscribers")
    for words in (("report", "{plan}"), ("report", "{plan}", "--format", "json")):
        hidden = shop.run(*words).stdout
        shown = shop.run(*words, "--show-values").stdout
        assert '"value": "person61@example.com"' not in hidden
        assert '"value": "person61@example.com"' in shown
    # What the plan's author wrote into a query is the plan's, not a row's.
    assert "WHERE email = 'person500@example.com'" in shop.run("report", "{plan}").stdout


def test_rows_that_did_not_arrive_one_to_one_are_listed(shop: Shop) -> None:
    shop.finish()
    shop.sql("INSERT INTO shop.subscribers VALUES ('of-its-own@example.com', 1, false, now())")
    born = "SELECT 1 FROM lockgate.born_1 WHERE email = 'of-its-own@example.com'"
    with applying(Sessions(shop.dsn), "shop", SystemClock(), lambda line: None):
        wait_until(lambda: shop.sql(born), what="the row to be noted")
    hidden, shown = shop.run("report", "{plan}").stdout, shop.run("report", "{plan}", "--show-values").stdout
    assert "of-its-own" not in hidden
    assert "subscribers: born in the new model: `SELECT" in hidden
    assert '  - {"email": "of-its-own@example.com"}' in shown
    for listing in shop.object("report", "{plan}", "--show-values")["listings"]:
        found = shop.sql(listing["query"])
        assert len(found) == len(listing["rows"]) > 0
        assert not listing["more"]
    kept = {listing["what"] for listing in shop.object("report", "{plan}")["listings"]}
    assert {"subscribers: merged", "subscribers: rejected"} <= kept


def test_files_by_their_names(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    markdown, data = shop.plan / "r.md", shop.plan / "r.json"
    assert f"Wrote {markdown}, {data}." in shop.run("report", "{plan}", "-o", str(markdown), "-o", str(data)).stdout
    assert markdown.read_text() == shop.run("report", "{plan}").stdout
    assert json.loads(data.read_text()) == shop.object("report", "{plan}")
    missing = shop.run("report", "{plan}", "-o", "/nowhere/r.md", code=2).stderr
    assert "The report cannot be written\n  Where: /nowhere/r.md\n  Why: No such file or directory" in missing
