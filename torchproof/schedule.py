"""Under `pytest -n`: what takes longest begins first, so that no core is idle at the end."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

_WANTED = "torchproof longest first"
# Of a test nobody wrote down how long it takes: most are short, and a few are not.
_UNKNOWN = 1.0


class Schedule:
    """Orders what pytest-xdist gives out one by one; a run that asks for another distribution keeps its order."""

    def pytest_configure(self, config: pytest.Config) -> None:
        """Give out in steps of one: otherwise xdist gives each process an eighth of all, and all that compiles to one."""
        if _gives_out(config) and config.option.maxschedchunk is None:
            config.option.maxschedchunk = 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell the processes, which do not know how their items are given out."""
        node.workerinput[_WANTED] = _gives_out(node.config)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Generator[None, Any, Any]:
        """Sort after all others had their turn: pytest-split cuts the order of the files into parts."""
        done = yield
        if getattr(config, "workerinput", {}).get(_WANTED):
            items.sort(key=lambda item: -getattr(item, "seconds", _UNKNOWN))
        return done


def _gives_out(config: pytest.Config) -> bool:
    return getattr(config.option, "dist", "no") == "load"
