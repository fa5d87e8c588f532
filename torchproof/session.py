"""What one pytest process shares while it runs snippets."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from torchproof.catalog import Catalog
from torchproof.imports import PACKAGE
from torchproof.problems import Problem
from torchproof.program import Program, Programs
from torchproof.record import DEVICES, Record, record_path
from torchproof.run import Runner

SESSION = pytest.StashKey["Session"]()


class Session:
    """What one pytest process shares: the catalog, the programs, and the processes that run them."""

    def __init__(self, config: pytest.Config) -> None:
        self.root = config.rootpath
        self.recording = bool(config.getoption("--record"))
        self.devices: list[str] = [config.getoption("--device")] if config.getoption("--device") else _devices_here()
        self._runners: dict[tuple[str, bool], Runner] = {}
        self._environments: dict[str, dict[str, Any]] = {}
        self._records: dict[Path, Record] = {}
        if _will_run_snippets(config):
            # The workers import torch while the catalog is read and the programs are collected.
            for device in self.devices:
                for again in self._runs:
                    self.runner(device, again)
        self.catalog = Catalog.load(self.root)
        # The catalog stays until the end: pytest's own rounds of collection need not look through its trees.
        gc.freeze()
        self.programs = Programs(self.catalog)

    def prepare(self, items: Iterable[tuple[str, Program]]) -> None:
        """Start a worker for each device that is to run a program, and have it import what they import."""
        by_device: dict[str, list[Program]] = {}
        for device, program in items:
            by_device.setdefault(device, []).append(program)
        for device, programs in by_device.items():
            for again in self._runs:
                self.runner(device, again).preload(programs)

    @property
    def _runs(self) -> tuple[bool, ...]:
        return (False, True) if self.recording else (False,)

    def runner(self, device: str, again: bool = False) -> Runner:
        """The runner of a device; another one for the second run of a recording."""
        key = (device, again)
        if key not in self._runners:
            self._runners[key] = Runner(self.root, device, again)
        return self._runners[key]

    def environment(self, device: str) -> dict[str, Any]:
        """Versions and device, asked once."""
        if device not in self._environments:
            self._environments[device] = self.runner(device).environment()
        return self._environments[device]

    def record(self, device: str, module: str) -> Record:
        """The module's record as committed, read once."""
        path = record_path(self.root, device, module)
        if path not in self._records:
            self._records[path] = Record.load(path)
        return self._records[path]

    def is_fresh(self, program: Program, device: str) -> bool:
        """Whether the record is of this very program; a damaged record counts as none, and is told of when it is compared."""
        snippet = program.snippet
        if device != "cpu" and "cpu_only" in snippet.marks:
            return True
        try:
            entry = self.record(device, snippet.module).entries.get(snippet.name)
        except Problem:
            return False
        if entry is None:
            return device == "cpu" and "gpus" in snippet.marks
        return entry.sha256 == program.sha256

    def close(self) -> None:
        """End the workers."""
        for runner in self._runners.values():
            runner.close()


def _will_run_snippets(config: pytest.Config) -> bool:
    """Whether this process is asked for snippet modules: not xdist's controller, not a mere listing, not other tests."""
    if config.option.collectonly or (getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")):
        return False
    folder = config.rootpath / PACKAGE
    for argument in config.args:
        path = (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        if path == folder or path in folder.parents or (path.parent == folder and not path.name.startswith("test_")):
            return True
    return False


def _devices_here() -> list[str]:
    """The CPU, and the accelerator if there is one; torch is asked only where a driver shows itself."""
    if not (os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/nvidia0") or sys.platform == "darwin"):
        return ["cpu"]
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return ["cpu", accelerator.type] if accelerator and accelerator.type in DEVICES else ["cpu"]
