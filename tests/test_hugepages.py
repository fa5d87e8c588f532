"""The worker's memory is gathered into huge pages before the first of many programs, and holds what it held."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Sandbox
from torchproof.hugepages import gather

GATHER = """
import hashlib
import random
from pathlib import Path
from torchproof.hugepages import gather


def huge():
    text = Path("/proc/self/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("AnonHugePages"))


kept = random.Random(0).randbytes(32 * 2**20)
digest = hashlib.sha256(kept).hexdigest()
before = huge()
gather()
assert hashlib.sha256(kept).hexdigest() == digest
print(before, huge())
"""


PROGRAM = """

def demo_{number}() -> None:
    \"\"\"How much of the process that this one is forked from is in huge pages.\"\"\"
    text = open(f"/proc/{{os.getppid()}}/smaps_rollup").read()
    huge = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("AnonHugePages"))
    assert sympy and huge > 0, f"{{huge}} kB in huge pages"
"""


def _can_gather() -> bool:
    """Linux 6.1 and newer; a kernel under a sandbox may show other files than Linux does."""
    if sys.platform != "linux" or not Path("/sys/kernel/mm/transparent_hugepage").is_dir():
        return False
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (6, 1) and Path("/proc/self/smaps_rollup").exists()


needs_kernel = pytest.mark.skipif(not _can_gather(), reason="needs Linux 6.1 or newer")


@needs_kernel
def test_memory_is_gathered_and_keeps_what_it_holds() -> None:
    command = [sys.executable, "-c", GATHER]
    before, after = map(int, subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split())
    # In kilobytes. How many of sixteen there are hangs on what memory is free; some there always are. With huge pages for
    # everything ("always") they are there before.
    assert after >= 4 * 2048
    assert after >= before


@needs_kernel
def test_a_run_of_many_programs_forks_from_gathered_memory(sandbox: Sandbox) -> None:
    blocks = [PROGRAM.format(number=number) for number in range(50)]
    sandbox.write("snippets/pages.py", '"""Pages of memory."""\n\nimport os\n\nimport sympy\n' + "".join(blocks))
    run = sandbox.pytest("snippets", "--record")
    assert "50 passed" in run.stdout, run.stdout


def test_where_there_is_no_list_of_memory_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError("/proc/self/maps")

    monkeypatch.setattr(Path, "read_text", missing)
    gather()
