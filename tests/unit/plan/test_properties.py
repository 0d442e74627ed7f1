"""Any plan survives being written and read, and no document, however broken, ends in anything but a message."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lockgate.errors import PlanError
from lockgate.plan.digest import plan_digest
from lockgate.plan.load import load_plan
from lockgate.plan.models import Plan
from lockgate.plan.problems import InvalidPlanError
from tests.unit.plan.support import write_plan

EVERY_KIND = Path(__file__).parent / "fixtures" / "accepted" / "every-kind"
JARGON = (
    "Input should",
    "Field required",
    "validation error",
    "pydantic",
    "NoneType",
    "Traceback",
    "Unable to",
    "Exceeds",
)
EFFORT = int(os.environ.get("LOCKGATE_EFFORT", "1"))  # 100 for a search of some minutes
RELAXED = settings(max_examples=25 * EFFORT, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# --- plans that are right ---------------------------------------------------------------------------------

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,20}", fullmatch=True)
characters = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufffe\uffff\ufeff")
texts = st.text(characters | st.sampled_from("\n\t"), max_size=30).filter(lambda text: "\r" not in text)
sql = st.text(characters | st.sampled_from("\n\t"), min_size=1, max_size=30).map(lambda text: "SELECT " + text)
relations = st.builds("{}.{}".format, *[st.from_regex(r"[a-zäß_][a-z0-9_]{0,9}", fullmatch=True)] * 2)
columns = st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=3, unique=True)
durations = st.integers(1, 10**9).map("{}ms".format)
integers = st.integers(-(10**30), 10**30)
floats = st.floats(allow_nan=False, allow_infinity=False)


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def exactly(**required: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required)


expectations = st.one_of(
    exactly(equals=st.none() | st.booleans() | texts),
    exactly(equals=integers | floats),
    exactly(at_least=floats),
    exactly(at_most=st.integers(-(10**15), 10**15)),
    exactly(empty=st.booleans()),
)
queries = joined(exactly(query=sql), expectations, some(title=texts))
mappings = joined(
    exactly(**{"map": names, "into": relations, "key": st.just(["id"]), "from": relations, "select": sql}),
    some(
        winner=st.lists(sql, max_size=2),
        rejected=st.dictionaries(texts, sql, max_size=2),
        sync=st.sampled_from(["deferred", "none"]),
        title=texts,
    ),
)
transforms = joined(
    exactly(**{"transform": names, "table": relations, "key": columns, "from": relations, "select": sql}),
    some(keep_before=st.booleans()),
)
steps = st.one_of(
    joined(exactly(sql=sql), some(outside_transaction=st.booleans(), title=texts)),
    mappings,
    transforms,
    exactly(analyze=st.lists(relations, min_size=1, max_size=3)),
    joined(exactly(measure=names, before=sql, after=sql), some(runs=st.integers(3, 1000))),
)
checks = st.one_of(queries, exactly(objects=exactly(tables=st.lists(relations, min_size=1, max_size=2))))
phases = joined(
    exactly(id=names, steps=st.lists(steps, min_size=1, max_size=4), after=st.lists(checks, min_size=1, max_size=3)),
    some(
        before=st.lists(queries | exactly(approval=some(by=st.integers(1, 9))), max_size=2),
        undo=st.lists(exactly(sql=sql), max_size=2),
        title=texts,
    ),
)


def _unique(plan: dict[str, Any]) -> dict[str, Any]:
    for number, phase in enumerate(plan["phases"]):
        phase["id"] = f"{phase['id'][:10]}-{number}"
        for index, step in enumerate(phase["steps"]):
            for kind in step.keys() & {"map", "transform", "measure"}:
                step[kind] = f"{step[kind][:10]}-{number}-{index}"
    return plan


plans = joined(
    exactly(plan=names, phases=st.lists(phases, min_size=1, max_size=3)),
    some(
        description=texts,
        settings=some(workers=st.integers(1, 64), lock_timeout=durations, max_replica_lag=durations),
    ),
).map(_unique)


def _as_json(plan: dict[str, Any]) -> str:
    return json.dumps(plan, ensure_ascii=False)


def _as_indented_json(plan: dict[str, Any]) -> str:
    return "# a comment\n" + json.dumps(plan, ensure_ascii=False, indent=3, sort_keys=True)


def _as_yaml(plan: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.width = 100_000
    out = io.StringIO()
    yaml.dump(plan, out)
    return out.getvalue()


@pytest.mark.parametrize("write", [_as_json, _as_indented_json, _as_yaml])
@RELAXED
@given(document=plans)
def test_a_plan_that_is_written_and_read_is_the_same(
    write: Callable[[dict[str, Any]], str], document: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_plan(write_plan(Path(folder), write(document).encode()))
        assert loaded.plan.model_dump(mode="json", by_alias=True, exclude={"phases"})["plan"] == document["plan"]
        again = load_plan(write_plan(Path(folder), write(_dump(loaded.plan)).encode()))
    assert again.digest == loaded.digest == plan_digest(Plan.model_validate(_dump(loaded.plan)), {})
    assert again.plan == loaded.plan


def _dump(plan: Plan) -> dict[str, Any]:
    return plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)


# --- documents that are wrong -----------------------------------------------------------------------------


def _only_a_message(content: bytes) -> None:
    """The plan loads, or it is refused with sentences that point into its files."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files: dict[str, str | bytes] = {
            f"sql/{file.name}": file.read_bytes() for file in (EVERY_KIND / "sql").iterdir()
        }
        write_plan(folder, content, files)
        refused: PlanError | None = None
        try:
            load_plan(folder)
        except PlanError as error:
            refused = error
    if refused is None:
        return
    assert isinstance(refused, InvalidPlanError)
    assert refused.problems
    assert not [word for word in JARGON if word in str(refused)]
    lines = content.decode("utf-8", errors="replace").count("\n") + content.count(b"\r") + 1
    for problem in refused.problems:
        assert problem.what
        assert problem.column >= 1
        assert 1 <= problem.line <= lines or problem.file != "plan.yaml"


VALID = (EVERY_KIND / "plan.yaml").read_text(encoding="utf-8")
SNIPPETS = st.sampled_from(
    [
        *(
            "\n",
            "  ",
            "\t",
            ": ",
            "- ",
            "&a ",
            "*a",
            "!!str ",
            "{",
            "}",
            "[",
            "]",
            "'",
            '"',
            "|",
            ">",
            "#",
            "<<: ",
            "? ",
        ),
        *(
            "null",
            "5",
            "1e400",
            ".nan",
            "no",
            "sql",
            "map: x",
            "%",
            "@",
            "\\",
            "\0",
            "\u2028",
            "\ufeff",
            "---\n",
            "...\n",
        ),
        *("../x.sql", "select: ", "plan: ", "9" * 5000, "é", "🚢", "\r"),
    ]
)
EDITS = st.lists(
    st.tuples(st.sampled_from(["insert", "delete", "repeat", "swap"]), st.integers(0), st.integers(0), SNIPPETS),
    min_size=1,
    max_size=5,
)


@settings(RELAXED, max_examples=60 * EFFORT)
@given(edits=EDITS)
def test_a_document_with_random_edits_gets_a_message(edits: list[tuple[str, int, int, str]]) -> None:
    text = VALID
    for kind, first, second, snippet in edits:
        start = first % (len(text) + 1)
        lines = text.split("\n")
        one, other = first % len(lines), second % len(lines)
        if kind == "insert":
            text = text[:start] + snippet + text[start:]
        elif kind == "delete":
            text = text[:start] + text[start + second % 30 :]
        elif kind == "repeat":
            text = "\n".join([*lines[:one], lines[other], *lines[one:]])
        else:
            lines[one], lines[other] = lines[other], lines[one]
            text = "\n".join(lines)
    _only_a_message(text.encode())


ANYTHING = st.recursive(
    st.none() | st.booleans() | integers | st.floats() | texts | durations | relations,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts | st.sampled_from(["sql", "map"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a document, as the container that holds it and its key there."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


PLACES = len(list(_places(YAML(typ="safe", pure=True).load(VALID))))


@settings(RELAXED, max_examples=60 * EFFORT)
@given(place=st.integers(0, PLACES - 1), value=ANYTHING, rename=st.none() | texts)
def test_a_document_with_any_value_anywhere_gets_a_message(place: int, value: object, rename: str | None) -> None:
    document = YAML(typ="safe", pure=True).load(VALID)
    container, key = list(_places(document))[place]
    if isinstance(container, dict) and rename is not None:
        container[rename] = container.pop(key)
    else:
        container[key] = value
    _only_a_message(json.dumps(document).encode())


@RELAXED
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_get_a_message(content: bytes) -> None:
    _only_a_message(content)
    _only_a_message(content + VALID.encode())
