"""Whole plans: what a refused one is answered with, word for word, and what an accepted one means.

``fixtures/refused`` reads as documentation: each folder holds a plan and, in ``expected.txt``, the message.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import ExitCode
from lockgate.plan.load import load_plan
from lockgate.plan.models import MapStep, QueryCheck
from lockgate.plan.problems import InvalidPlanError

FIXTURES = Path(__file__).parent / "fixtures"
REFUSED = sorted((FIXTURES / "refused").iterdir())
JARGON = ("Input should", "Field required", "Extra inputs", "validation error", "pydantic", "tuple", "dict", "NoneType")


@pytest.mark.parametrize("folder", REFUSED, ids=[folder.name for folder in REFUSED])
def test_a_refused_plan_gets_exactly_this_message(folder: Path) -> None:
    with pytest.raises(InvalidPlanError) as refused:
        load_plan(folder)
    assert str(refused.value) + "\n" == (folder / "expected.txt").read_text(encoding="utf-8")
    assert refused.value.exit_code is ExitCode.USAGE
    assert not [word for word in JARGON if word in str(refused.value)]


def test_a_plan_of_everything_loads() -> None:
    loaded = load_plan(FIXTURES / "accepted" / "every-kind")
    assert loaded.plan.plan == "party-model"
    assert sorted(loaded.files) == ["plan.yaml", "sql/emails.sql", "sql/queue.sql", "sql/tables.sql"]
    setup, contacts = loaded.plan.phases
    assert [loaded.step_id(0, index) for index in range(len(setup.steps))] == ["tables", "sql-2", "analyze-3"]
    assert [loaded.step_id(1, index) for index in range(len(contacts.steps))] == [
        "emails",
        "phones",
        "names",
        "contacts_of_a_party",
    ]
    emails = contacts.steps[0]
    assert isinstance(emails, MapStep)
    assert emails.select == (loaded.folder / "sql" / "emails.sql").read_text()
    assert emails.from_ == "core.entity_emails"
    assert setup.undo is not None
    assert [step.id for step in setup.undo] == ["undo-1"]
    assert contacts.undo == ()


def test_words_that_yaml_1_1_reads_otherwise() -> None:
    plan = load_plan(FIXTURES / "accepted" / "words-that-yaml-1.1-reads-otherwise").plan
    phase = plan.phases[0]
    checks = [check for check in phase.after if isinstance(check, QueryCheck)]
    assert (plan.plan, phase.id, phase.title) == ("no", "on", "2024-01-01")
    assert [check.equals for check in checks] == ["no", "true", True, 7, "1_000", 12345678901234567890, None]


def test_the_smallest_plan_has_all_defaults() -> None:
    plan = load_plan(FIXTURES / "accepted" / "smallest").plan
    assert plan.settings.workers == 1
    assert plan.phases[0].undo is None
