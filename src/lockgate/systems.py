"""The example systems: projects as their teams would have them, part of the wheel and of a checkout.

A system's Python code is imported through here and never by its name, because that name differs: in the
wheel the systems are ``lockgate._systems``, in a checkout they are the folder ``systems`` beside ``src``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from lockgate.errors import LockgateError
from lockgate.suggest import nearest

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "_systems"
_IN_CHECKOUT = _PACKAGE.parents[1] / "systems"


def system_folder(name: str) -> Path:
    """The folder of a system's project, e.g. ``party_model``.

    :raises LockgateError: when there is no such system.
    """
    root = _root()
    folder = root / name
    if not folder.is_dir():
        known = sorted(path.parent.name for path in root.glob("*/__init__.py"))
        near = nearest(name, known)
        raise LockgateError(
            f"There is no system {name!r}.",
            where=str(root),
            hint=f"Did you mean {near!r}?" if near else f"Systems: {', '.join(known)}.",
        )
    return folder


def import_system(name: str, module: str) -> ModuleType:
    """A module of a system, e.g. ``import_system("party_model", "generate")``.

    :raises LockgateError: when there is no such system.
    """
    system_folder(name)
    if _root() == _IN_WHEEL:
        return import_module(f"lockgate._systems.{name}.{module}")
    if "systems" not in sys.modules:
        spec = spec_from_file_location(
            "systems", _IN_CHECKOUT / "__init__.py", submodule_search_locations=[str(_IN_CHECKOUT)]
        )
        assert spec
        sys.modules["systems"] = module_from_spec(spec)
    return import_module(f"systems.{name}.{module}")


def _root() -> Path:
    for folder in (_IN_WHEEL, _IN_CHECKOUT):
        if (folder / "__init__.py").exists():
            return folder
    raise LockgateError(
        "The example systems are not here.",
        where=str(_PACKAGE),
        why="Neither the installed package nor a checkout around it holds them.",
        hint="Install Lockgate from its wheel, or from a whole clone.",
    )
