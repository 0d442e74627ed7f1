"""The JSON Schema of ``plan.yaml``, with which editors complete and check a plan while it is written."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from lockgate.plan.models import Plan
from lockgate.plan.shape import PLAN, Keys, OneOf, inside
from lockgate.plan.values import format_duration


def json_schema() -> dict[str, Any]:
    """The schema as a JSON value (draft 2020-12)."""
    schema = _clean(Plan.model_json_schema(by_alias=True))
    definitions = schema["$defs"]
    for shape in inside(PLAN):
        match shape:
            case OneOf(word, kinds):
                for kind, model in kinds.items():
                    definitions[model.__name__]["title"] = f"{kind} {word}"
            case Keys(model) if model is not Plan:
                _write_defaults(definitions[model.__name__]["properties"], shape)
            case _:
                pass
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Lockgate plan"}
    return {**about, **schema}


def render() -> str:
    """The schema as the text of a file: what ``lockgate schema`` prints and the package holds."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _clean(value: Any) -> Any:
    """Without the titles that pydantic makes of field names, and without the default null of what can be left out."""
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _clean(inner)
        for key, inner in value.items()
        if not (key == "title" and isinstance(inner, str)) and not (key == "default" and inner is None)
    }


def _write_defaults(properties: dict[str, Any], shape: Keys) -> None:
    """Durations as a plan writes them, where pydantic says ISO 8601."""
    for key, field in shape.fields.items():
        if isinstance(field.default, timedelta):
            properties[key]["default"] = format_duration(field.default)
