"""How time grows with the number of snippets: `python tests/benchmarks/scale.py`, on a quiet machine.

Writes projects of 1,000 and of 10,000 demos with definitions, records and pages, and prints the median time of reading the
catalog, building every program and checking every record and page, with the exponent of its growth; then how much faster
`pytest snippets -n 2` is than `-n 1` on the real snippets.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.benchmarks.compare import median  # noqa: E402
from torchproof.project import Project  # noqa: E402
from torchproof.remembered import FOLDER  # noqa: E402

A_MODULE = 50
MODULE = '''"""Module {m}."""

import torch

SCALE = {m}


def scaled_{m}(values):
    """Values times the scale."""
    return SCALE * values


'''
DEMO = '''def show_{m}_{d}() -> None:
    """A vector of {d} numbers, scaled and summed."""
    torch.manual_seed({d})
    values = torch.arange({d} + 1.0)
    total = scaled_{m}(values).sum()

    print("values:", values.tolist())
    print("total: ", total.item())
    for value in values:
        assert scaled_{m}(value) == SCALE * value
    assert total == SCALE * values.sum()


'''


def generate(root: Path, count: int) -> None:
    """A project of that many demos, in modules of fifty, each with its page and a record for each program."""
    for m in range(count // A_MODULE):
        names = [f"show_{m}_{d}" for d in range(A_MODULE)]
        text = MODULE.format(m=m) + "".join(DEMO.format(m=m, d=d) for d in range(A_MODULE))
        _write(root / f"snippets/topic{m}.py", text.rstrip("\n") + "\n")
        page = [f"# Topic {m}\n", f"::: snippets.topic{m}.scaled_{m}\n", *(f"::: snippets.topic{m}.{name}\n" for name in names)]
        _write(root / f"docs/topic{m}.md", "\n".join(page))
    project = Project(root)
    environment = dict.fromkeys(("python", "torch", "matplotlib", "platform", "device"), "generated") | {
        "count": 1,
        "threads": 1,
    }
    for module in project.catalog.modules.values():
        entries = {
            name: {"seconds": 0.0, "sha256": project.program(snippet).sha256, "stdout": ["generated", ""]}
            for name, snippet in module.snippets.items()
        }
        text = json.dumps({"environment": environment, "snippets": entries}, indent=1, sort_keys=True) + "\n"
        _write(root / f"docs/records/cpu/{module.name}.json", text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def checked(root: Path) -> None:
    """`torchproof check`, its start included, as if it had never looked at the project before."""
    shutil.rmtree(root / FOLDER, ignore_errors=True)
    command = [sys.executable, "-m", "torchproof.cli", "--root", str(root), "check"]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


def main() -> None:
    """Measure and print."""
    took = {}
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as directory:
            generate(Path(directory), count)
            took[count] = median(lambda directory=directory: checked(Path(directory)))
        print(f"{count:6,} demos: {took[count]:.2f} s, {1000 * took[count] / count:.3f} ms each")
    print(f"exponent of growth: {math.log10(took[10_000] / took[1_000]):.3f}")
    modules = sys.argv[1:] or ["tensors", "storage", "autograd", "modules", "losses", "optimizers"]
    files = [f"snippets/{module}.py" for module in modules]
    for workers in (1, 2):
        command = [sys.executable, "-m", "pytest", "-q", "--device", "cpu", "-n", str(workers), *files]
        run = median(lambda command=command: subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=os.environ))
        took[workers] = run
        print(f"pytest -n {workers}: {run:.2f} s")
    print(f"-n 2 is {took[1] / took[2]:.2f} times faster")


if __name__ == "__main__":
    main()
