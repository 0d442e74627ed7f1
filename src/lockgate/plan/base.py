"""What the models of the plan share: strictness, and unions whose members are told apart by a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Marks a union whose members are told apart by the key that names their kind."""

    word: str


def told_apart_by(*kinds: str) -> Discriminator:
    def find(value: Any) -> str | None:
        keys = value if isinstance(value, dict) else getattr(type(value), "model_fields", ())
        return next((kind for kind in kinds if kind in keys), None)

    return Discriminator(find)
