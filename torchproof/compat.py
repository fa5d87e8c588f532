"""`make compat`: every program with each supported version of torch, each version in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchproof.files import write_if_changed
from torchproof.problems import Place, Problem
from torchproof.project import Project
from torchproof.versions import COMMAND, Gap, Versions, sentence, versions_path

# Environments are kept between runs, out of sight of git.
_FOLDER = ".compat"
# Written when everything is installed: it says what that is.
_STAMP = ".installed"
# Programs have one thread, so two versions keep two cores busy.
_AT_ONCE = 2
# What torch itself chooses, each version its own.
_OF_TORCH = re.compile(r"(?:torch|torchvision|triton|nvidia-[\w-]+|cuda-[\w-]+)\b(?!-)")
_NAME = re.compile(r"[\w-]+")
_LOOK = """\
import torch, torchvision
from importlib.metadata import version
print(*(version(name).partition("+")[0] for name in ("torch", "torchvision")))
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """Where programs run with one version of torch.

    Attributes:
        torch: Its version.
        torchvision: The version made for it.
        root: The project.
    """

    torch: str
    torchvision: str
    root: Path

    @property
    def folder(self) -> Path:
        """The virtual environment."""
        return self.root / _FOLDER / self.torch

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def problem(self, what: str, told: str) -> Problem:
        """What is wrong with it: the last line of what a command told."""
        last = told.strip().rpartition("\n")[2] or "it said nothing"
        fix = f"rm -r {_FOLDER}/{self.torch}, then {COMMAND}"
        return Problem(f"torch {self.torch}: {what} ({last})", fix=fix)


def compat(root: Path, say: Say) -> list[str]:
    """Run every program with every version that `pyproject.toml` names, and write what they did.

    Nothing is written before all versions have run.

    Args:
        root: The project.
        say: Told what happens, line by line.

    Returns:
        One sentence for each version.

    Raises:
        Problem: The records on the CPU are not all fresh, or an environment cannot be made or used.
    """
    project = Project(root)
    _all_fresh(project)
    settings = _settings(root)
    environments = [Environment(torch, vision, root) for torch, vision in settings.versions.items()]
    for environment in environments:
        _install(environment, settings, say)
        _look(environment)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        observed = list(pool.map(lambda environment: _run(project, environment, say), environments))
    if any(seen["programs"] != observed[0]["programs"] for seen in observed):
        raise Problem(
            "programs were changed while they ran, and not all versions ran the same", fix=f"{COMMAND}, once they stay"
        )
    found = _merged(environments, observed)
    changed = write_if_changed(versions_path(root), found.text())
    say(f"{versions_path(root).relative_to(root)}: {'written' if changed else 'unchanged'}")
    return [f"torch {version}: {sentence(counts)}" for version, counts in found.counts(project.catalog.snippets())]


@dataclass(frozen=True)
class _Settings:
    versions: dict[str, str]
    requirements: list[str]
    constraints: str


def _settings(root: Path) -> _Settings:
    """What `pyproject.toml` and `constraints.txt` say: the versions, what the programs import, and all that stays as it is."""
    path = root / "pyproject.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        versions = {str(torch): str(vision) for torch, vision in data["tool"]["torchproof"]["versions"].items()}
        extras = data["project"]["optional-dependencies"]
        wanted = [line for line in extras["programs"] if not _OF_TORCH.match(line)]
        wanted += [line for line in extras["test"] if re.match(r"pytest\b(?!-)", line)]
    except (OSError, tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
        fix = 'write a table [tool.torchproof.versions] with lines like "2.11.0" = "0.26.0": torch and its torchvision'
        raise Problem(f"cannot read which versions to run ({error!r})", Place(path, 1), fix) from None
    pinned = root / "constraints.txt"
    lines = pinned.read_text(encoding="utf-8").splitlines() if pinned.exists() else []
    return _Settings(versions, wanted, "".join(f"{line}\n" for line in lines if not _OF_TORCH.match(line)))


def _all_fresh(project: Project) -> None:
    """Whether there is something to compare with."""
    for snippet in project.catalog.snippets():
        if project.standing(project.program(snippet), "cpu").state not in ("fresh", "excused"):
            fix = "pytest snippets --stale --device cpu --record"
            raise Problem(f"{snippet.full_name} has no fresh record to compare with", snippet.place, fix)


def _install(environment: Environment, settings: _Settings, say: Say) -> None:
    """Make the environment unless it is there."""
    wanted = [f"torch=={environment.torch}", f"torchvision=={environment.torchvision}", *settings.requirements]
    stamp = environment.folder / _STAMP
    told = "\n".join([*wanted, settings.constraints])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == told:
        say(f"torch {environment.torch}: installed in {_FOLDER}/{environment.torch}")
        return
    say(f"torch {environment.torch}: installing into {_FOLDER}/{environment.torch} (about 6 GB, once)")
    if not environment.python.exists():
        _call(environment, "its environment cannot be made", sys.executable, "-m", "venv", str(environment.folder))
    constraints = environment.folder / "constraints.txt"
    write_if_changed(constraints, settings.constraints)
    options = ["--quiet", "--progress-bar", "off", "--constraint", str(constraints)]
    _call(environment, "it cannot be installed", str(environment.python), "-m", "pip", "install", *options, *wanted)
    write_if_changed(stamp, told)


def _call(environment: Environment, what: str, *command: str) -> str:
    """Run a command to its end and hand over what it printed."""
    done = subprocess.run(command, cwd=environment.root, capture_output=True, text=True)
    if done.returncode:
        raise environment.problem(what, done.stderr)
    return done.stdout


def _look(environment: Environment) -> None:
    """Whether the environment works, and is what it is called: said once, rather than by each program."""
    there = _call(environment, "its environment is broken", str(environment.python), "-c", _LOOK).split()
    if there != [environment.torch, environment.torchvision]:
        raise environment.problem("its environment holds other versions", f"torch and torchvision {' and '.join(there)}")


def _run(project: Project, environment: Environment, say: Say) -> dict[str, Any]:
    """Run all programs in an environment, as `pytest snippets` runs them, and read what the observer saw."""
    modules = [str(module.path.relative_to(environment.root)) for module in project.catalog.modules.values() if module.snippets]
    with tempfile.TemporaryDirectory() as scratch:
        seen = Path(scratch) / "seen.json"
        options = ["-p", "torchproof.observer", "--observe", str(seen), "--device", "cpu"]
        shown = ["--no-header", "--no-summary", "--tb=no", "-o", "console_output_style=count", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [str(environment.python), "-m", "pytest", *options, *shown, *modules],
            cwd=environment.root,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        last = ""
        for line in process.stdout or ():
            if line.strip():
                last = line
                say(f"torch {environment.torch}: {line.rstrip()}")
        process.wait()
        if not seen.exists():
            raise environment.problem("its programs did not all run", last)
        observed: dict[str, Any] = json.loads(seen.read_text(encoding="utf-8"))
    return observed


def _merged(environments: list[Environment], observed: list[dict[str, Any]]) -> Versions:
    found = Versions(programs=observed[0]["programs"] if observed else {})
    for environment, seen in zip(environments, observed, strict=True):
        kept = {key: value for key, value in seen["environment"].items() if key not in ("torch", "count")}
        found.environments[environment.torch] = {**kept, "torchvision": environment.torchvision}
        for module, names in seen["gaps"].items():
            for name, gap in names.items():
                found.gaps.setdefault(module, {}).setdefault(name, {})[environment.torch] = Gap.from_json(gap)
    return found
