"""How long after a save the page shows the new output: `python tests/benchmarks/reload.py`, on a quiet machine.

Serves a copy of the site as `make serve` does, changes what one demo prints, saves, and asks for the page until it shows the
new output. Prints each time and the median.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
COPIED = ("docs", "snippets", "tutorials", "torchproof", "mkdocs.yml", "pyproject.toml")
RUNS = 5
START_LIMIT = 300


def wait_for(address: str, words: str, limit: float) -> float:
    """Seconds until the page says that."""
    start = time.perf_counter()
    while time.perf_counter() - start < limit:
        try:
            with urllib.request.urlopen(address, timeout=limit) as response:
                if words in re.sub(r"<[^>]+>", "", response.read().decode()):
                    return time.perf_counter() - start
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.02)
    sys.exit(f"{address} did not say {words!r} within {limit:g} s")


def main() -> None:
    """Serve, save, look."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, root / name)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        environment = {**os.environ, "PYTHONPATH": str(root), "NO_MKDOCS_2_WARNING": "1"}
        command = [sys.executable, "-m", "torchproof.cli", "serve", "--dev-addr", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}/learn/storage/"
        module = root / "snippets" / "storage.py"
        text = module.read_text()
        label = 'print("cells in storage: ", '
        assert text.count(label) == 1, f"{module} no longer has one {label!r}"
        try:
            print(f"first page after {wait_for(address, 'shares', START_LIMIT):.1f} s")
            times = []
            for number in range(RUNS):
                module.write_text(text.replace(label, f'print("cells, save {number}: ", '))
                times.append(wait_for(address, f"cells, save {number}:", 60))
                print(f"save {number}: {times[-1]:.2f} s", flush=True)
            print(f"median {statistics.median(times):.2f} s")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


if __name__ == "__main__":
    main()
