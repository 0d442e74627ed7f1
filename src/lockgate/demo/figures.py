"""The demo's figures: the ledger's, without the rows that the load made, against what the generator announced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lockgate.demo.result import Account
from lockgate.report.model import Accounting, MappingPart, Report

CONTACTS = ("contacts_from_emails", "contacts_from_phones")

# People and companies come from the same rows as parties do.
_SOURCES = ("parties", *CONTACTS, "enrichments", "party_addresses")


def accounts(parts: Iterable[MappingPart], load: Sequence[Mapping[str, Any]]) -> tuple[Account, ...]:
    """What became of the generator's rows.

    :param load: of each mapping, what became of the rows that the load made: ``mapping``, ``source_rows``,
        ``migrated``, ``merged``, ``rejected`` and ``rejected_by_reason``.
    """
    made = {str(each["mapping"]): each for each in load}
    return tuple(
        _account(part.name, part.accounting, made.get(part.name, {})) for part in parts if part.accounting is not None
    )


def _account(name: str, found: Accounting, made: Mapping[str, Any]) -> Account:
    reasons: Mapping[str, int] = made.get("rejected_by_reason", {})
    return Account(
        mapping=name,
        source_rows=found.source_rows - made.get("source_rows", 0),
        migrated=found.migrated - made.get("migrated", 0),
        merged=found.merged - made.get("merged", 0),
        rejected=found.rejected - made.get("rejected", 0),
        rejected_by_reason={
            reason: count - reasons.get(reason, 0) for reason, count in found.rejected_by_reason.items()
        },
        born_in_new_model=found.born_in_new_model,
        unexplained_rows=found.unexplained_rows,
        load_rows=made.get("source_rows", 0),
    )


def of_contacts(accounts: Iterable[Account], figure: str) -> int:
    """The sum of one figure over the contacts' mappings."""
    return sum(int(getattr(account, figure)) for account in accounts if account.mapping in CONTACTS)


def load_rows(accounts: Iterable[Account]) -> int:
    """Rows of the old model's tables that the load made."""
    return sum(account.load_rows for account in accounts if account.mapping in _SOURCES)


def born(accounts: Iterable[Account]) -> int:
    """Parties that have no entity."""
    return sum(account.born_in_new_model for account in accounts if account.mapping == "parties")


def backfill_rows_per_second(report: Report) -> float:
    """Rows that the mappings' backfills read, by the seconds that they took."""
    found = [exhibit.result for exhibit in report.exhibits if exhibit.name.startswith("backfill:")]
    seconds = sum(float(result["seconds"]) for result in found)
    return round(sum(int(result["rows_read"]) for result in found) / seconds, 1) if seconds else 0.0


def writers_held(report: Report) -> int | None:
    """How long a cutover held up writers at most, milliseconds; None if there was none."""
    found = [int(each.result["milliseconds"]) for each in report.exhibits if each.name.startswith("held:")]
    return max(found, default=None)


def differences(accounts: Iterable[Account], primary_addresses: int, expected: Any) -> tuple[str, ...]:
    """What did not come out as announced, a sentence each.

    :param primary_addresses: parties with a primary address, those of the load left out.
    :param expected: the generator's ``Expected``.
    """
    by_name = {account.mapping: account for account in accounts}
    people, companies, parties = (by_name.get(name) for name in ("people", "companies", "parties"))
    announced = {
        # The way back has put those born in the new model into the old one, too.
        "parties": (_migrated(parties), expected.parties),
        "people": (_migrated(people), expected.people),
        "companies": (_migrated(companies), expected.companies),
        "parties born in the new model": (born(by_name.values()), expected.born),
        "rows of contacts": (of_contacts(by_name.values(), "source_rows"), expected.contact_sources),
        "contacts": (of_contacts(by_name.values(), "migrated"), expected.contacts),
        "merged contacts": (of_contacts(by_name.values(), "merged"), expected.merged),
        "rejected contacts": (of_contacts(by_name.values(), "rejected"), expected.rejected),
        "addresses": (_migrated(by_name.get("party_addresses")), expected.addresses),
        "primary addresses": (primary_addresses, expected.primary_addresses),
        "enrichments": (_migrated(by_name.get("enrichments")), expected.enrichments),
        "financials": (_migrated(by_name.get("financials")), expected.financials),
        "property transactions with a party": (_migrated(by_name.get("transactions")), 0),
    }
    for name, reasons in expected.rejected_by_reason.items():
        found = by_name[name].rejected_by_reason if name in by_name else {}
        for reason, rows in reasons.items():
            announced[f"rows rejected by {name}: {reason}"] = (found.get(reason, 0), rows)
    return tuple(f"{what}: {found}, not {wanted}" for what, (found, wanted) in announced.items() if found != wanted)


def _migrated(account: Account | None) -> int:
    return account.migrated if account else 0
