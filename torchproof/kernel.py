"""A Jupyter kernel that knows nothing of this repository, reaches no other machine, and draws as the pages do.

Jupyter starts it with `python -m torchproof.kernel PROJECT PREFIX -f CONNECTION`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torchproof.child import block_network, forget_project

NAME = "torchproof"


def main() -> None:
    """Cut the ties, then serve one notebook."""
    root, prefix = sys.argv[1:3]
    del sys.argv[1:3]
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    from torchproof import inline

    package = str(Path(__file__).parent.parent)
    sys.path[:] = [path for path in sys.path if path not in ("", root, package)]
    # What the notebook starts gets the reader's environment too.
    os.environ.pop("PYTHONPATH", None)
    forget_project()
    block_network()
    config: Any = Config()
    config.HistoryManager.enabled = False
    app: Any = IPKernelApp.instance(config=config)
    app.initialize()
    # After IPython has chosen a backend of its own.
    inline.use(prefix)
    app.shell.events.register("post_execute", inline.show)
    app.start()


@contextlib.contextmanager
def kernel_directory(root: Path, prefix: str) -> Iterator[Path]:
    """A folder that Jupyter finds the kernel in (as `kernels/torchproof`), with an empty folder `cwd` to work in.

    Args:
        root: The project, which the kernel takes off its import path.
        prefix: What the ids inside the figures start with.
    """
    with tempfile.TemporaryDirectory(prefix="torchproof-") as scratch:
        folder = Path(scratch)
        (folder / "kernels" / NAME).mkdir(parents=True)
        (folder / "cwd").mkdir()
        package = Path(__file__).parent.parent
        spec = {
            "argv": [sys.executable, "-X", "utf8", "-m", "torchproof.kernel", str(root), prefix, "-f", "{connection_file}"],
            "display_name": NAME,
            "language": "python",
            "env": {
                "PYTHONPATH": str(package),
                "PYTHONHASHSEED": "1",
                "OMP_NUM_THREADS": "1",
                # For what the notebook starts; the kernel itself draws with a backend of its own.
                "MPLBACKEND": "agg",
                "CUDA_VISIBLE_DEVICES": "",
                "IPYTHONDIR": str(folder / "ipython"),
            },
        }
        (folder / "kernels" / NAME / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        yield folder


if __name__ == "__main__":
    main()
