"""What is generated from the models is up to date, complete and true."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from lockgate.plan import reference, schema
from lockgate.plan.examples import EXAMPLES, PLAN_EXAMPLE
from lockgate.plan.shape import PLAN, Keys, OneOf, inside
from tests.unit.plan.support import load

ROOT = Path(__file__).parents[3]
STALE = "run .venv/bin/python scripts/write_plan_docs.py"
MODELS = {shape.model.__name__: shape.model for shape in inside(PLAN) if isinstance(shape, Keys)}
KINDS = {
    f"{kind} {one.word}": model for one in inside(PLAN) if isinstance(one, OneOf) for kind, model in one.kinds.items()
}


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "plan-reference.md").read_text(encoding="utf-8") == reference.render(), STALE


def test_the_schema_in_the_package_is_up_to_date() -> None:
    shipped = files("lockgate.plan").joinpath("plan.schema.json").read_text(encoding="utf-8")
    assert shipped == schema.render(), STALE
    assert json.loads(shipped) == schema.json_schema()


def test_no_model_is_forgotten() -> None:
    assert MODELS.keys() >= {"Plan", "Settings", "HealthQuery", "Phase", "SqlStep", "Soak", "Approval", "Objects"}
    assert set(MODELS.values()) >= set(KINDS.values())
    assert len(KINDS) == 30
    shapes = list(inside(PLAN))
    assert not [shape for index, shape in enumerate(shapes) if shape in shapes[:index]]


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_key_is_described_everywhere(model: type[BaseModel]) -> None:
    root = schema.json_schema()
    definition = root if model.__name__ == "Plan" else root["$defs"][model.__name__]
    assert definition["description"] == model.__doc__
    assert definition["additionalProperties"] is False
    for key, field in Keys(model).fields.items():
        assert field.description, f"{model.__name__}.{key}"
        assert definition["properties"][key]["description"] == field.description
        assert (key in definition.get("required", [])) is field.is_required()
        row = rf"\| `([\w*]+\.)*{key}` \| [^|]+ \| [^|]* \| {re.escape(field.description)} \|"
        assert re.search(row, reference.render()), f"{model.__name__}.{key}"


def test_the_schema_tells_kinds_apart_by_their_key() -> None:
    root = schema.json_schema()
    for key, word in (("before", "gate"), ("steps", "step"), ("after", "check")):
        items = root["$defs"]["Phase"]["properties"][key]["items"]["oneOf"]
        definitions = [root["$defs"][item["$ref"].rpartition("/")[2]] for item in items]
        assert [definition["title"] for definition in definitions] == [name for name in KINDS if name.endswith(word)]
        for definition in definitions:
            assert definition["title"].split()[0] in definition["required"]


def test_the_schema_wants_one_expectation_and_writes_durations_as_a_plan_does() -> None:
    definitions = schema.json_schema()["$defs"]
    one = [{"required": [name]} for name in ("equals", "at_least", "at_most", "empty")]
    assert definitions["QueryGate"]["oneOf"] == definitions["QueryCheck"]["oneOf"] == one
    timeout = definitions["Settings"]["properties"]["lock_timeout"]
    assert timeout["default"] == "500ms"
    assert re.fullmatch(timeout["pattern"], timeout["default"])
    assert "PT" not in schema.render()


def test_the_schema_holds_nothing_of_python() -> None:
    def keys(value: Any) -> list[str]:
        if isinstance(value, list):
            return [key for item in value for key in keys(item)]
        return [*value, *(key for inner in value.values() for key in keys(inner))] if isinstance(value, dict) else []

    assert not [key for key in keys(schema.json_schema()["$defs"]) if key.endswith("_")]


def test_there_is_an_example_of_every_kind() -> None:
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_can_be_loaded(tmp_path: Path, kind: str) -> None:
    place = {"gate": "before", "step": "steps", "check": "after"}[kind.split()[1]]
    example = "".join(f"      {line}\n" for line in EXAMPLES[kind].splitlines())
    mapping = "{map: party_contacts, into: core.t, key: [id], from: core.s, select: SELECT id FROM core.s}"
    parts = {"steps": f"      - {mapping}\n", place: example}
    before = "{cutover: to_parties, old: [core.s]}" if kind == "close step" else "{sql: SELECT 1}"
    text = "plan: example\nmigrations: {path: migrations, tool: sqlx}\n"
    text += "phases:\n"
    if kind != "rehearsed gate":  # which only the first phase can have
        text += f"  - {{id: setup, steps: [{before}]}}\n"
    text += "  - id: shown\n"
    text += "".join(f"    {key}:\n{items}" for key, items in parts.items())
    phase = load(tmp_path, text, {"sql/indexes.sql": "SELECT 1", "migrations/12_x.sql": "SELECT 1"}).plan.phases[-1]
    shown = {"before": phase.before, "steps": phase.steps, "after": phase.after}[place][0]
    assert type(shown) is KINDS[kind]


def test_the_whole_example_can_be_loaded(tmp_path: Path) -> None:
    sql = "SELECT 1"
    load(tmp_path, PLAN_EXAMPLE, {"sql/party_tables.sql": sql, "sql/party_contacts.sql": sql})
    assert PLAN_EXAMPLE in reference.render()


def test_links_of_the_reference_lead_somewhere() -> None:
    text = reference.render()
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
