"""The models seen as the shape of a document: which keys, lists and values stand where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from lockgate.plan.base import Kinds
from lockgate.plan.models import Plan
from lockgate.plan.values import SqlMarker, ValueKind

_WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Value:
    """A single value; ``words`` says what it is, ``choices`` are all it may be."""

    words: str
    is_sql: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Shape


@dataclass(frozen=True, slots=True)
class TableOf:
    """Keys that the plan's author chooses, and their values."""

    key: str
    item: Shape


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping whose keys are a model's fields."""

    model: type[BaseModel]

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """The fields by the key that a plan writes (``from``, not ``from_``): its own, inherited ones, the title."""
        own = self.model.__annotations__
        names = sorted(self.model.model_fields, key=lambda name: (name == "title", name not in own))
        fields = self.model.model_fields
        return {fields[name].alias or name: fields[name] for name in names}

    def shape(self, key: str) -> Shape:
        return field_shape(self.fields[key])


@dataclass(frozen=True, slots=True)
class OneOf:
    """A step, gate or check: ``word`` says which, ``kinds`` are the models by the key that names the kind."""

    word: str
    kinds: dict[str, type[BaseModel]]


Shape = Value | ListOf | TableOf | Keys | OneOf
Path = tuple[str | int, ...]


def field_shape(field: FieldInfo) -> Shape:
    return _shape(field.annotation, tuple(field.metadata))


def shape_of(annotation: Any) -> Shape:
    return _shape(annotation, ())


def kind_of(shape: OneOf, value: object) -> str | None:
    """The kind that a step, gate or check in a document is of, if it says so."""
    return next((kind for kind in shape.kinds if isinstance(value, dict) and kind in value), None)


def inside(shape: Shape) -> Iterator[Shape]:
    """A shape and all that it is made of, each once, in the order of the document."""
    seen: list[Shape] = []
    waiting = [shape]
    while waiting:
        shape = waiting.pop(0)
        if shape in seen:
            continue
        seen.append(shape)
        yield shape
        match shape:
            case Keys():
                waiting += [shape.shape(key) for key in shape.fields]
            case OneOf(_, kinds):
                waiting += [Keys(model) for model in kinds.values()]
            case ListOf(item) | TableOf(_, item):
                waiting.append(item)
            case _:
                pass


def sql_texts(shape: Shape, data: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Where a document, right or wrong, holds texts that may be SQL or the path of a .sql file."""
    match shape:
        case Value(is_sql=True) if isinstance(data, str):
            yield path, data
        case ListOf(item) if isinstance(data, tuple):
            for index, inner in enumerate(data):
                yield from sql_texts(item, inner, (*path, index))
        case TableOf(_, item) if isinstance(data, dict):
            for key, inner in data.items():
                yield from sql_texts(item, inner, (*path, key))
        case OneOf(_, kinds):
            kind = kind_of(shape, data)
            if kind is not None:
                yield from sql_texts(Keys(kinds[kind]), data, path)
        case Keys() if isinstance(data, dict):
            for key in shape.fields:
                if key in data:
                    yield from sql_texts(shape.shape(key), data[key], (*path, key))
        case _:
            return


def _shape(annotation: Any, metadata: tuple[Any, ...]) -> Shape:
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _shape(inner, (*metadata, *more))
    marks = [item for item in reversed(metadata) if isinstance(item, (Kinds, ValueKind))]
    match marks:
        case [Kinds(word), *_]:
            return OneOf(word, dict(_tagged(member) for member in get_args(annotation)))
        case [ValueKind(words) as mark, *_]:
            return Value(words, is_sql=isinstance(mark, SqlMarker))
        case _:
            return _unmarked(annotation)


def _unmarked(annotation: Any) -> Shape:
    origin, inner = get_origin(annotation), get_args(annotation)
    shape: Shape
    if origin in (Union, UnionType):
        shape = _shape(next(member for member in inner if member is not type(None)), ())
    elif origin is tuple:
        shape = ListOf(_shape(inner[0], ()))
    elif origin is dict:
        key = _shape(inner[0], ())
        shape = TableOf(key.words if isinstance(key, Value) else "text", _shape(inner[1], ()))
    elif origin is Literal:
        shape = Value(" or ".join(f"`{choice}`" for choice in inner), choices=inner)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        shape = Keys(annotation)
    else:
        shape = Value(_WORDS[annotation])
    return shape


def _tagged(member: Any) -> tuple[str, type[BaseModel]]:
    model, *metadata = get_args(member)
    return next(item.tag for item in metadata if isinstance(item, Tag)), model


PLAN = Keys(Plan)
