"""What the set-up installs works with every Python that the README promises."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import REPOSITORY

PINNED = [line for line in (REPOSITORY / "constraints.txt").read_text().split("\n") if line and not line.startswith("#")]


@pytest.mark.parametrize("line", PINNED)
def test_each_pinned_version_runs_on_the_oldest_python(line: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    try:
        needed = metadata(Requirement(line).name)["Requires-Python"] or ""
    except PackageNotFoundError:
        pytest.skip("not installed on this system")
    # Debian's and Ubuntu's Python stays at an early release of its minor version for years.
    assert SpecifierSet(needed).contains(f"{oldest}.0"), f"{line} needs Python {needed}"
