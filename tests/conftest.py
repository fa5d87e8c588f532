"""Fixtures: a throwaway project to break, the real site built once, and a browser to read it with."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from torchproof.files import locked

REPOSITORY = Path(__file__).parent.parent
# A shell's background job ignores Ctrl-C, and so would the processes that these tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no core is idle at the end: all demos called once, then what needs the site."""

    def turn(item: pytest.Item) -> int:
        needs = getattr(item, "fixturenames", ())
        return 0 if "printed_when_called" in needs else 1 if "site" in needs else 2

    items.sort(key=turn)


@dataclass
class Sandbox:
    """A small project of its own, driven as a person would drive it: with commands."""

    root: Path

    def write(self, path: str, text: str) -> Path:
        """Write one file; the text may be indented as a whole."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "pytest", "--device", "cpu", *arguments)

    def torchproof(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "torchproof.cli", *arguments)

    def mkdocs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "mkdocs", "build", *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, *arguments)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        environment |= {"PYTHONPATH": str(REPOSITORY), "NO_MKDOCS_2_WARNING": "1", "COLUMNS": "200"}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300)

    def records(self) -> dict[str, bytes]:
        """Every byte of the records, to see that nothing changed."""
        folder = self.root / "docs" / "records"
        return {
            str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"
        }


def make_sandbox(root: Path) -> Sandbox:
    sandbox = Sandbox(root)
    sandbox.write(
        "pyproject.toml",
        '[tool.pytest.ini_options]\naddopts = ["-p", "torchproof.plugin", "-p", "no:hypothesispytest", "-p", "no:nbval"]\n',
    )
    sandbox.write("snippets/__init__.py", "")
    sandbox.write(
        "mkdocs.yml",
        """
        site_name: Sandbox
        markdown_extensions:
          - torchproof.extension
          - pymdownx.superfences
          - pymdownx.details
        """,
    )
    return sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return make_sandbox(tmp_path)


# `mkdocs build --strict`, and then what it has imported.
_BUILD = """
import sys
from mkdocs.__main__ import cli

cli(["build", "--strict", "--site-dir", sys.argv[1]], standalone_mode=False)
print(*sys.modules)
"""


@dataclass(frozen=True)
class Built:
    """The site, and the modules that the process that built it had imported."""

    folder: Path
    modules: frozenset[str]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Built:
    """The site, built strictly from the committed records, once for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "built"
    with locked(shared):
        if not (shared / "modules").exists():
            environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
            ours = [sys.executable, "-m", "torchproof.cli"]
            subprocess.run([*ours, "publish"], cwd=REPOSITORY, check=True, capture_output=True)
            command = [sys.executable, "-c", _BUILD, str(shared / "site")]
            build = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
            assert build.returncode == 0, build.stderr
            subprocess.run([*ours, "finish", str(shared / "site")], cwd=REPOSITORY, check=True, capture_output=True)
            (shared / "modules").write_text(build.stdout)
    return Built(shared / "site", frozenset((shared / "modules").read_text().split()))


@pytest.fixture(scope="session")
def site(built: Built) -> Path:
    """Where the built site is."""
    return built.folder


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves the site as if it had been built for this address: the theme replaces pages in place only where the sitemap has them."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path != "/sitemap.xml":
            super().do_GET()
            return
        here = f"http://{self.headers['Host']}/"
        text = Path(self.translate_path(self.path)).read_text(encoding="utf-8")
        body = re.sub(r"(?<=<loc>)https?://[^/<]+/", here, text).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def site_url(site: Path) -> Iterator[str]:
    """Where the built site is served."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Server, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


@pytest.fixture(scope="session")
def browser():  # noqa: ANN201, playwright is imported only where a browser is there
    """Debian's Chromium, or any other on the PATH; where CI runs it must be there."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a browser: install chromium")
        pytest.skip("no chromium or google-chrome on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()
