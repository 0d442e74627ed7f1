"""The metrics are what the text format allows, and nothing else.

A grammar of our own and not the client library's parser: that one takes what Prometheus refuses (a sample before its
TYPE, labels without commas), and would be a dependency for the sake of its laxness.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

import pytest

from lockgate.errors import LockgateError
from lockgate.standing import prometheus
from tests.unit.standing.trends import NOON, trend

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_QUOTED = r'"(?:[^"\\\n]|\\["\\n])*"'
_LABEL = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*)=({_QUOTED})")
_PAIR = rf"[a-zA-Z_][a-zA-Z0-9_]*={_QUOTED}"
_SAMPLE = re.compile(
    rf"(?P<name>{_NAME})\{{(?P<labels>{_PAIR}(?:,{_PAIR})*)\}}"
    r" (?P<value>NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
)
_COMMENT = re.compile(rf"# (?P<what>HELP|TYPE) (?P<name>{_NAME}) (?P<text>(?:[^\\]|\\[\\n])+)")
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], str]


def parse(text: str) -> Samples:
    """The samples by name and labels.

    :raises AssertionError: for anything that the text format 0.0.4 does not allow.
    """
    assert text.endswith("\n")
    found: Samples = {}
    begun: dict[str, list[str]] = {}
    family = ""
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            comment = _COMMENT.fullmatch(line)
            assert comment, line
            family = comment["name"]
            begun.setdefault(family, []).append(comment["what"])
            assert begun[family] in (["HELP"], ["HELP", "TYPE"]), line
            assert comment["what"] == "HELP" or comment["text"] == "gauge"
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        assert sample["name"] == family, "samples of a metric stand together, behind its HELP and TYPE"
        assert begun[family] == ["HELP", "TYPE"]
        labels = tuple((name, _plain(text[1:-1])) for name, text in _LABEL.findall(sample["labels"]))
        assert len({name for name, _ in labels}) == len(labels)
        key = (sample["name"].removeprefix("lockgate_standing_"), labels)
        assert key not in found, "a sample is there once"
        found[key] = sample["value"]
    return found


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def of(samples: Samples, check: str) -> dict[str, str]:
    return {name: value for (name, labels), value in samples.items() if dict(labels).get("check") == check}


def test_each_check_has_its_metrics() -> None:
    trends = [
        trend("good"),
        trend("bad", 7, "fails", alert=True, number=2),
        trend("dark", None, "unknown", number=3),
        trend("resting", applies=False, number=4),
    ]
    samples = parse(prometheus.render("shop", "db", trends, NOON))
    at = str(int(NOON.timestamp()))
    common = {"last_run_timestamp_seconds": at, "duration_seconds": "1.5"}
    assert of(samples, "good") == {"value": "0.25", "passed": "1", "known": "1", "alert": "0", **common}
    assert of(samples, "bad") == {"value": "7", "passed": "0", "known": "1", "alert": "1", **common}
    assert of(samples, "dark") == {"known": "0", "alert": "0", **common}
    assert of(samples, "resting") == {}
    assert samples["written_timestamp_seconds", (("plan", "shop"), ("database", "db"))] == at


def test_a_metric_without_samples_is_left_out() -> None:
    samples = parse(prometheus.render("shop", "db", [], NOON))
    assert [name for name, _ in samples] == ["written_timestamp_seconds"]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "Ünï,code}", 'x\\"', "{}=,", " "])
def test_odd_names_of_databases_are_escaped(name: str) -> None:
    samples = parse(prometheus.render("shop", name, [trend()], NOON))
    assert {dict(labels)["database"] for _, labels in samples} == {name}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (-3.0, "-3"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (2.0**53, "9007199254740992.0"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value: float, written: str) -> None:
    assert of(parse(prometheus.render("shop", "db", [trend(value=value)], NOON)), "storage")["value"] == written


@pytest.mark.parametrize(
    "wrong",
    [
        "a 1",
        '# HELP a b\n# TYPE a gauge\na{b="c"} 1',
        '# TYPE a gauge\na{b="c"} 1\n',
        '# HELP a b\n# TYPE a gauge\na{b="c",} 1\n',
        '# HELP a b\n# TYPE a gauge\na{b="c""} 1\n',
        '# HELP a b\n# TYPE a gauge\na{b="c\\x"} 1\n',
        '# HELP a b\n# TYPE a gauge\na{b="c"} one\n',
        '# HELP a b\n# TYPE a gauge\na{b="c"} 1\na{b="c"} 1\n',
        '# HELP a b\n# TYPE a gauge\na{b="c"} 1\n# HELP a b\n',
    ],
)
def test_the_grammar_refuses_what_prometheus_refuses(wrong: str) -> None:
    with pytest.raises(AssertionError):
        parse(wrong)


def test_the_file_is_replaced_in_one_step_and_others_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "shop.prom"
    before = os.umask(0o077)
    try:
        prometheus.write(file, "one\n")
        with file.open() as reader:
            prometheus.write(file, "two\n")
            assert reader.read() == "one\n"
    finally:
        os.umask(before)
    assert file.read_text() == "two\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="cannot be written") as nowhere:
        prometheus.write(tmp_path / "absent" / "shop.prom", "one\n")
    assert nowhere.value.why == "No such file or directory"
    (tmp_path / "folder.prom").mkdir()
    with pytest.raises(LockgateError, match="cannot be written"):
        prometheus.write(tmp_path / "folder.prom", "one\n")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.prom"]


def test_the_file_is_made_where_it_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "another file system"))
    prometheus.write(tmp_path / "checks.prom", "a 1\n")
    assert [each.name for each in tmp_path.iterdir()] == ["checks.prom"]
