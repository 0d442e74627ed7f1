"""What the models of the plan share: strictness, and unions whose members are told apart by a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator

ScalarValue = str | int | float | bool | None


class Strict(BaseModel):
    """A model that takes no key it does not know, and that never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Marks a union whose members are told apart by the key that names their kind: a step, a gate, a check."""

    word: str


def told_apart_by(*kinds: str) -> Discriminator:
    """Finds the kind of a value by the first of ``kinds`` that is among its keys."""

    def find(value: Any) -> str | None:
        fields = getattr(type(value), "model_fields", {})
        keys = value if isinstance(value, dict) else {field.alias or name for name, field in fields.items()}
        return next((kind for kind in kinds if kind in keys), None)

    return Discriminator(find)
