"""`torchproof serve`: what is saved in `snippets/` runs, and its page shows what it did."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import REPOSITORY, Sandbox

# What changes comes after what does not.
DEMO = '"""T."""\n\n\ndef other() -> None:\n    """Show."""\n    print("kept")\n\n\ndef demo() -> None:\n    """Show."""\n    print("loss {value}")\n'
LIMIT = 90


@pytest.fixture
def served(sandbox: Sandbox) -> Iterator[tuple[Sandbox, Callable[[], str]]]:
    """A small site being served, and how to read its page."""
    sandbox.write("snippets/topic.py", DEMO.format(value=0.5))
    sandbox.write("docs/index.md", "::: snippets.topic.demo\n\n::: snippets.topic.other\n")
    assert sandbox.pytest("snippets", "--record").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "torchproof.cli", "serve", "--dev-addr", f"127.0.0.1:{port}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1"}
    log = sandbox.root / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=sandbox.root, env=environment, stdout=output, stderr=output)

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
            return str(response.read().decode())

    yield sandbox, page
    server.send_signal(signal.SIGINT)
    server.wait(30)
    # MkDocs itself stumbles over a page that changes while it builds, says so, and builds again.
    assert "torchproof/" not in log.read_text()


def shown(page: Callable[[], str]) -> list[str]:
    """The outputs on the page."""
    return [re.sub(r"<[^>]+>", "", text).strip() for text in re.findall(r"<samp>(.*?)</samp>", page(), re.DOTALL)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.1)
    pytest.fail(f"nothing happened within {LIMIT} s")


def test_saving_a_snippet_shows_its_new_output(served: tuple[Sandbox, Callable[[], str]]) -> None:
    sandbox, page = served
    wait_for(lambda: shown(page) == ["loss 0.5", "kept"])
    log = sandbox.root / "log"
    sandbox.write("snippets/topic.py", DEMO.format(value=0.25))
    wait_for(lambda: shown(page) == ["loss 0.25", "kept"])
    assert "snippets.topic.demo: 0." in log.read_text()
    assert "snippets.topic.other: 0." not in log.read_text()
    assert '"loss 0.25"' in (sandbox.root / "docs/programs/topic/demo.py").read_text()

    # A fault is named in the terminal, and mending it brings the page back.
    sandbox.write("snippets/topic.py", DEMO.format(value=0.125).replace('print("loss', 'print(missing) or print("loss'))
    wait_for(lambda: "the name missing is found nowhere" in log.read_text())
    sandbox.write("snippets/topic.py", DEMO.format(value=0.125))
    wait_for(lambda: shown(page) == ["loss 0.125", "kept"])
    assert sandbox.torchproof("check").returncode == 0

    # A damaged record and a page that is not text are named, and the server lives on.
    record = sandbox.root / "docs/records/cpu/topic.json"
    whole = record.read_text()
    record.write_text(whole[:100])
    (sandbox.root / "docs/other.md").write_bytes(b"\xff")
    sandbox.write("snippets/topic.py", DEMO.format(value=0.75))
    wait_for(lambda: "the record is not valid JSON" in log.read_text())
    record.write_text(whole)
    sandbox.write("snippets/topic.py", DEMO.format(value=0.875))
    wait_for(lambda: "other.md:1: the page is not UTF-8 text" in log.read_text())
    (sandbox.root / "docs/other.md").unlink()
    sandbox.write("snippets/topic.py", DEMO.format(value=2.5))
    wait_for(lambda: shown(page) == ["loss 2.5", "kept"])
