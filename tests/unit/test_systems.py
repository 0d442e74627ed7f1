from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.errors import LockgateError
from lockgate.systems import import_system, system_folder


def test_a_system_is_found_in_the_checkout() -> None:
    assert (system_folder("party_model") / "plan" / "plan.yaml").exists()


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(LockgateError, match="Did you mean 'party_model'"):
        system_folder("party_modle")


def test_its_code_is_imported_from_any_folder_and_only_once(tmp_path: Path) -> None:
    code = (
        "from lockgate.systems import import_system;"
        "first, second = import_system('party_model', 'counts'), import_system('party_model', 'counts');"
        "print(first is second, first.__name__)"
    )
    answer = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    assert answer.strip() == "True systems.party_model.counts"


def test_the_tests_and_the_demo_share_its_modules() -> None:
    from systems.party_model import counts

    assert import_system("party_model", "counts") is counts
