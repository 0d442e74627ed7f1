"""Words from the ledger cannot become Markdown, and what is shown as code cannot end early."""

from __future__ import annotations

import pytest

from lockgate.report.markdown import fence, pretty, ref, text


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plain_name and 1.5", "plain_name and 1.5"),
        ("a | b", "a \\| b"),
        ("[x](http://evil)", "\\[x\\](http://evil)"),
        ("<script>", "\\<script\\>"),
        ("_emphasis_ *too*", "\\_emphasis\\_ \\*too\\*"),
        ("two\nlines", "two lines"),
        ("run `lockgate apply | x` now", "run `lockgate apply \\| x` now"),
        ("one ` tick", "one \\` tick"),
    ],
)
def test_text_is_escaped(words: str, shown: str) -> None:
    assert text(words) == shown


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fence("a\n```\nb", "sql") == "````sql\na\n```\nb\n````"


def test_references() -> None:
    assert ref(17) == "[#17](#e17)"
    assert ref(None) == ref(0) == ""


def test_results_are_json_with_short_lists_and_outlined_plans() -> None:
    plan = {"Node Type": "Limit", "Plans": [{"Node Type": "Seq Scan", "Schema": "s", "Relation Name": "t"}]}
    shown = pretty({"times_ms": [0.5, 1.25], "plans": {"before": plan}, "empty": []})
    assert '"times_ms": [0.5, 1.25]' in shown
    assert '"Limit"' in shown
    assert '"  Seq Scan on s.t"' in shown
    assert '"empty": []' in shown
