from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lockgate.demo import figures
from lockgate.demo.result import Account
from lockgate.report.model import Accounting, MappingPart
from systems.party_model.counts import Expected, expected

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIGURES = expected(0.01)


def part(name: str, source: int, migrated: int, *, merged: int = 0, born: int = 0, **reasons: int) -> MappingPart:
    rejected = {reason.replace("_", " "): count for reason, count in reasons.items()}
    found = Accounting(
        seq=1,
        at=NOW,
        source_rows=source,
        migrated=migrated,
        merged=merged,
        rejected=sum(rejected.values()),
        rejected_by_reason=rejected,
        born_in_new_model=born,
        unexplained_rows=0,
    )
    return MappingPart(name, found, None)


def made(mapping: str, source: int, migrated: int, merged: int = 0, **reasons: int) -> dict[str, Any]:
    rejected = {reason.replace("_", " "): count for reason, count in reasons.items()}
    return {
        "mapping": mapping,
        "source_rows": source,
        "migrated": migrated,
        "merged": merged,
        "rejected": sum(rejected.values()),
        "rejected_by_reason": rejected,
    }


def as_announced(result: Expected) -> list[MappingPart]:
    """A ledger's account of a migration without any load."""
    # Those born in the new model are in the old one as well, by the way back.
    entities, people = result.parties, result.people
    emails, phones = (
        result.rejected_by_reason["contacts_from_emails"],
        result.rejected_by_reason["contacts_from_phones"],
    )
    email_rows = 8_729
    phone_rows = result.contact_sources - email_rows
    merged = result.merged_by_mapping
    return [
        part("parties", entities, entities, born=result.born),
        part("people", entities, people, born=result.born, a_company=result.companies),
        part("companies", entities, result.companies, a_person=people),
        part(
            "contacts_from_emails",
            email_rows,
            email_rows - merged["contacts_from_emails"] - sum(emails.values()),
            merged=merged["contacts_from_emails"],
            **{reason.replace(" ", "_"): rows for reason, rows in emails.items()},
        ),
        part(
            "contacts_from_phones",
            phone_rows,
            phone_rows - merged["contacts_from_phones"] - sum(phones.values()),
            merged=merged["contacts_from_phones"],
            **{reason.replace(" ", "_"): rows for reason, rows in phones.items()},
        ),
        part("enrichments", result.enrichments, result.enrichments),
        part("party_addresses", result.addresses, result.addresses),
        part("financials", result.financials, result.financials),
        part("transactions", result.transactions, 0, neither=result.transactions),
    ]


def test_nothing_differs_when_all_is_as_announced() -> None:
    accounts = figures.accounts(as_announced(FIGURES), [])
    assert figures.differences(accounts, FIGURES.primary_addresses, FIGURES) == ()
    assert figures.of_contacts(accounts, "source_rows") == FIGURES.contact_sources
    assert figures.of_contacts(accounts, "migrated") == FIGURES.contacts
    assert figures.born(accounts) == 26  # not twice, though its person is born too
    assert figures.load_rows(accounts) == 0


def test_the_rows_of_the_load_are_in_no_other_figure() -> None:
    parts = [
        part("parties", 12, 12, born=1),
        part("people", 12, 9, born=1, a_company=3),
        part("contacts_from_emails", 30, 22, merged=3, empty=4, no_at_sign=1),
    ]
    load = [
        made("parties", 2, 2),
        made("people", 2, 2),
        made("contacts_from_emails", 5, 3, merged=1, empty=1),
    ]
    assert figures.accounts(parts, load) == (
        Account("parties", 10, 10, 0, 0, {}, 1, 0, 2),
        Account("people", 10, 7, 0, 3, {"a company": 3}, 1, 0, 2),
        Account("contacts_from_emails", 25, 19, 2, 4, {"empty": 3, "no at sign": 1}, 0, 0, 5),
    )
    assert figures.load_rows(figures.accounts(parts, load)) == 7  # people come from the same rows as parties


def test_each_figure_that_differs_is_named() -> None:
    parts = as_announced(FIGURES)
    accounts = [
        account
        for account in figures.accounts(parts, [made("enrichments", 1, 1), made("contacts_from_emails", 1, 0, empty=1)])
        if account.mapping != "financials"
    ]
    assert figures.differences(accounts, 1_000, FIGURES) == (
        f"rows of contacts: {FIGURES.contact_sources - 1}, not {FIGURES.contact_sources}",
        f"rejected contacts: {FIGURES.rejected - 1}, not {FIGURES.rejected}",
        "primary addresses: 1000, not 1054",
        f"enrichments: {FIGURES.enrichments - 1}, not {FIGURES.enrichments}",
        "financials: 0, not 250",
        "rows rejected by contacts_from_emails: empty: 1, not 2",
    )
