"""Call demos as what they are, functions, each in a fork of one process: `python tests/functions.py module.name...`.

Prints a JSON object: the name of each demo to what it printed, or to its traceback.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from torchproof.project import Project  # noqa: E402
from torchproof.run import modules_of  # noqa: E402
from torchproof.worker import preload  # noqa: E402


def call(name: str) -> str:
    """Output of one demo, called in a process and an empty directory of its own."""
    module, _, function = name.rpartition(".")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "printed"
        (Path(directory) / "cwd").mkdir()
        pid = os.fork()
        if pid == 0:
            os.chdir(Path(directory) / "cwd")
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), 1)
            try:
                getattr(importlib.import_module(f"snippets.{module}"), function)()
            except BaseException:
                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        return path.read_text(encoding="utf-8")


def main() -> None:
    """Import once what all of them import, then call one after the other."""
    project = Project(ROOT)
    preload(modules_of(project.program(project.catalog.find(f"snippets.{name}")) for name in sys.argv[1:]), many=True)
    print(json.dumps({name: call(name) for name in sys.argv[1:]}))


if __name__ == "__main__":
    main()
