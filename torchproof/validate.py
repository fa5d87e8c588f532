"""`pytest --nbval tutorials`: run the notebooks with nbval, in the kernel that made them, and compare what they show.

nbval compares texts for equality; here numbers have the tolerance of the records, durations are not compared, and figures
are compared by their data. On a processor that rounds otherwise than the one that made the notebook, words alone are compared.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from torchproof.arithmetic import arithmetic
from torchproof.compare import alike_text
from torchproof.kernel import NAME, kernel_directory
from torchproof.tutorial import FOLDER


class Shown(str):
    """What a cell shows, equal to what shows the same."""

    __slots__ = ("drawn_alike", "rounds_alike")
    drawn_alike: bool
    rounds_alike: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and alike_text(str(self), str(other), self.drawn_alike, self.rounds_alike)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class NotebookFile(IPyNbFile):  # type: ignore[misc]
    """A notebook, run in an empty directory by a kernel that knows nothing of this repository."""

    def collect(self) -> Iterator[NotebookCell]:
        """One item for each code cell."""
        for item in super().collect():
            yield NotebookCell.from_parent(self, name=item.name, cell_num=item.cell_num, cell=item.cell, options=item.options)

    def setup(self) -> None:
        """Start the kernel."""
        self._closing = ExitStack()
        folder = self._closing.enter_context(kernel_directory(self.config.rootpath, self.path.stem))
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = str(folder)
        try:
            timeout = self.config.option.nbval_kernel_startup_timeout
            self.kernel = RunningKernel(NAME, cwd=str(folder / "cwd"), startup_timeout=timeout)
        finally:
            os.environ.pop("JUPYTER_PATH")
            if before is not None:
                os.environ["JUPYTER_PATH"] = before
        self.setup_sanitize_files()

    def teardown(self) -> None:
        """End the kernel and remove what the notebook wrote."""
        super().teardown()
        self._closing.close()

    @property
    def drawn_alike(self) -> bool:
        """Whether the figures were drawn by the matplotlib that is installed here."""
        return bool(self._made_in.get("matplotlib") == version("matplotlib").partition("+")[0])

    @property
    def rounds_alike(self) -> bool:
        """Whether the notebook was made on a processor that rounds as this one does."""
        return bool(self._made_in.get("arithmetic") == arithmetic())

    @property
    def _made_in(self) -> dict[str, Any]:
        environment: dict[str, Any] = self.nb.metadata.get("torchproof", {}).get("environment", {})
        return environment


class NotebookCell(IPyNbCell):  # type: ignore[misc]
    """A code cell."""

    def sanitize(self, s: Any) -> Any:
        """nbval hands every text through this before it compares."""
        if not isinstance(s, str):
            return s
        shown = Shown(super().sanitize(s))
        shown.drawn_alike = self.parent.drawn_alike
        shown.rounds_alike = self.parent.rounds_alike
        return shown

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """What nbval says, and the command that accepts it."""
        command = f"torchproof notebook {self.path.stem} --again"
        return f"{super().repr_failure(excinfo)}\n    to accept what the notebook does now: {command}"


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, Any, Any]:
    """A notebook of the tutorials is run by this module's classes instead of nbval's own."""
    collected = yield
    if file_path.suffix != ".ipynb" or file_path.parent != parent.config.rootpath / FOLDER:
        return collected
    return [NotebookFile.from_parent(parent, path=file_path)]
