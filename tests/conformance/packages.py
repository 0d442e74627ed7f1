"""The real tools, got once by their registries' ordinary clients and kept outside of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("LOCKGATE_CONFORMANCE_CACHE", Path.home() / ".cache" / "lockgate-conformance"))


def node_modules(name: str, packages: Sequence[str]) -> Path:
    """A folder whose ``node_modules`` holds these packages, each ``name@version``; the test is skipped without them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = CACHE / name
    wanted = "\n".join(packages)
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm could not install {', '.join(packages)}: {done.stderr.strip()[-300:]}")
        stamp.write_text(wanted)
    return folder
