"""Writes the generated files of the plan: its reference in docs/ and its JSON Schema in the package.

Run it after a change of src/lockgate/plan: ``.venv/bin/python scripts/write_plan_docs.py``
"""

from __future__ import annotations

from pathlib import Path

from lockgate.plan import reference, schema

ROOT = Path(__file__).parents[1]
GENERATED = {
    ROOT / "docs" / "plan-reference.md": reference.render,
    ROOT / "src" / "lockgate" / "plan" / "plan.schema.json": schema.render,
}

if __name__ == "__main__":
    for file, render in GENERATED.items():
        file.write_text(render(), encoding="utf-8", newline="\n")
