"""The built site, from the committed records alone."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from torchproof.pages import Directive, pages, scan
from torchproof.project import Project

BLOCK = re.compile(r'<div class="tp-block".*?(?=<div class="tp-block"|</article>)', re.DOTALL)


@pytest.fixture(scope="module")
def blocks(site: Path) -> dict[str, str]:
    found = {}
    for page in sorted(site.rglob("*.html")):
        for match in BLOCK.finditer(page.read_text()):
            name = re.search(r'data-snippet="([^"]+)"', match[0])
            assert name is not None
            found[name[1]] = match[0]
    return found


def test_every_directive_became_a_block(blocks: dict[str, str]) -> None:
    asked = {
        item.name for page in pages(REPOSITORY / "docs") for item in scan(page.body.split("\n")) if isinstance(item, Directive)
    } - {"evidence"}
    assert set(blocks) == asked
    assert len(asked) > 40


def test_every_block_copies_the_program_that_ran(blocks: dict[str, str], site: Path) -> None:
    project = Project(REPOSITORY)
    for name, text in blocks.items():
        snippet = project.catalog.find(name)
        program = project.program(snippet)
        copied = re.search(r'data-clipboard-text="([^"]*)"', text)
        assert copied is not None
        assert html.unescape(copied[1]) == program.source
        assert (site / f"programs/{snippet.module}/{snippet.name}.py").read_text() == program.source
        shown = [
            html.unescape(re.sub(r"<[^>]+>", "", code))
            for code in re.findall(r'<code class="language-python">(.*?)</code>', text, re.DOTALL)
        ]
        assert all(code.strip() in program.source for code in shown)
        entry = project.record("cpu", snippet.module).entries.get(snippet.name)
        if entry is not None:
            assert entry.sha256 == program.sha256
            printed = re.search(r"<samp>(.*?)</samp>", text, re.DOTALL)
            assert (html.unescape(re.sub(r"<[^>]+>", "", printed[1])) if printed else "").startswith(entry.stdout.rstrip("\n"))


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]+src="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect|preload|icon)"[^>]*href="([^"]+)"', text)
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page


def test_rendering_never_imports_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from mkdocs.__main__ import cli; "
        f"cli(['build', '-q', '-d', {str(tmp_path / 'site')!r}], standalone_mode=False); "
        "assert 'markdown' in sys.modules; assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, env={"NO_MKDOCS_2_WARNING": "1", "PATH": ""})


def test_the_check_passes() -> None:
    checked = subprocess.run([sys.executable, "-m", "torchproof.cli", "check"], cwd=REPOSITORY, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
