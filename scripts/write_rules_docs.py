"""Writes docs/rules.md from the rules: ``.venv/bin/python scripts/write_rules_docs.py``"""

from __future__ import annotations

from pathlib import Path

from lockgate.safety.catalogue import render

FILE = Path(__file__).parents[1] / "docs" / "rules.md"

if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8", newline="\n")
