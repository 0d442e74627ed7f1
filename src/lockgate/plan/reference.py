"""The plan reference (``docs/plan-reference.md``), written from the models: every kind and every key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from typing import Any

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lockgate.plan.examples import EXAMPLES, PLAN_EXAMPLE
from lockgate.plan.models import (
    HealthQuery,
    Migrations,
    Partitions,
    Phase,
    Plan,
    Settings,
    SqlStep,
    Standing,
    StandingCheck,
)
from lockgate.plan.shape import PLAN, Keys, ListOf, OneOf, Shape, TableOf, Value, inside
from lockgate.plan.values import format_duration

_OWN_SECTION: dict[type[BaseModel], str] = {
    Plan: "The plan",
    Settings: "Settings",
    Migrations: "Migrations",
    HealthQuery: "Health queries",
    Phase: "Phases",
    Partitions: "Partitions",
    Standing: "Standing checks",
    StandingCheck: "A standing check",
}
_KINDS = {
    "step": ("Steps", "Items of a phase's `steps`. An item is of one kind: the first key of one of these tables."),
    "gate": ("Gates", "Items of a phase's `before`: what must hold before the phase may start."),
    "check": (
        "Checks",
        "Items of a phase's `after`: what must hold afterwards. A standing check's `check` is one of these, too.",
    ),
}
_LINKS: dict[type[BaseModel], str] = {
    SqlStep: "[sql steps](#sql)",
    **{model: f"[{title.lower()}](#{title.lower().replace(' ', '-')})" for model, title in _OWN_SECTION.items()},
}
_LISTS = {"text": "texts", "SQL": "SQL expressions", "column": "columns"}
_TABLE_HEAD = "| key | value | default | meaning |\n| --- | --- | --- | --- |\n"


def render() -> str:
    """The whole reference as Markdown."""
    head = files("lockgate.plan").joinpath("reference_head.md").read_text(encoding="utf-8")
    sections = [head.replace("{example}", PLAN_EXAMPLE).rstrip()]
    sections += [f"## {title}\n\n{_table(model)}" for model, title in _OWN_SECTION.items()]
    for shape in inside(PLAN):
        if isinstance(shape, OneOf):
            sections.append("## {}\n\n{}".format(*_KINDS[shape.word]))
            for kind, model in shape.kinds.items():
                example = EXAMPLES[f"{kind} {shape.word}"]
                sections.append(f"### `{kind}`\n\n{_table(model)}\n\n```yaml\n{example}```")
    return "\n\n".join(sections) + "\n"


def _table(model: type[BaseModel]) -> str:
    return f"{model.__doc__}\n\n{_TABLE_HEAD}" + "\n".join(_rows(Keys(model)))


def _rows(shape: Keys, prefix: str = "") -> Iterator[str]:
    for key, field in shape.fields.items():
        inner = shape.shape(key)
        cells = (f"`{prefix}{key}`", _words(inner) + _limits(field), _default(field), field.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        if isinstance(inner, Keys) and inner.model not in _OWN_SECTION:
            yield from _rows(inner, f"{prefix}{key}.")
        if isinstance(inner, TableOf) and isinstance(inner.item, Keys):
            yield from _rows(inner.item, f"{prefix}{key}.*.")


def _words(shape: Shape) -> str:
    words = "mapping"
    match shape:
        case Value(said):
            words = f"`{said}`" if said.startswith("schema.") else said
        case OneOf(word, _):
            words = f"[{word}s](#{word}s)"
        case Keys(model) if model in _LINKS:
            words = _LINKS[model]
        case ListOf(item):
            words = f"list of {_LISTS.get(_words(item), _words(item))}"
        case TableOf(key, item):
            words = f"mapping of {_words(Value(key))} to {_words(item)}"
    return words


def _limits(field: FieldInfo) -> str:
    limits = {type(item): item for item in field.metadata}
    least, most = limits.get(Ge), limits.get(Le)
    return f", {least.ge} to {most.le}" if least and most else ""


def _default(field: FieldInfo) -> str:
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if field.is_required():
        return "required"
    if isinstance(default, timedelta):
        return f"`{format_duration(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if isinstance(default, (str, int)) else ""
