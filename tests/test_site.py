"""The built site, from the committed records alone."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blocks import blocks_of, parts_of, text_of
from tests.conftest import REPOSITORY, Built
from torchproof.pages import Directive, pages, scan
from torchproof.project import Project


@pytest.fixture(scope="module")
def blocks(site: Path) -> dict[str, str]:
    return {name: text for page in sorted(site.rglob("*.html")) for name, text in blocks_of(page.read_text()).items()}


def test_every_directive_became_a_block(blocks: dict[str, str]) -> None:
    items = [item for page in pages(REPOSITORY / "docs") for item in scan(page.body.split("\n"))]
    asked = {item.name for item in items if isinstance(item, Directive) and item.name.startswith("snippets.")}
    assert set(blocks) == asked
    assert len(asked) > 40


def test_every_block_copies_the_program_that_ran(blocks: dict[str, str], site: Path) -> None:
    project = Project(REPOSITORY)
    for name, text in blocks.items():
        snippet = project.catalog.find(name)
        program = project.program(snippet)
        parts = parts_of(text)
        assert "".join(parts) == program.source
        assert len(parts) == 1 + bool(program.preamble)
        assert parts[-1] == program.body + "\n"
        assert text.count('<button type="button" class="tp-copy">') == 1
        assert (site / f"programs/{snippet.module}/{snippet.name}.py").read_text() == program.source
        entry = project.record("cpu", snippet.module).entries.get(snippet.name)
        if entry is not None:
            assert entry.sha256 == program.sha256
            printed = re.search(r"<samp>(.*?)</samp>", text, re.DOTALL)
            assert (text_of(printed[1]) if printed else "").startswith(entry.stdout.rstrip("\n"))


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]+src="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect|preload|icon)"[^>]*href="([^"]+)"', text)
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)], page


def test_a_chapter_is_light(site: Path) -> None:
    def wire(files: set[Path]) -> int:
        return sum(len(gzip.compress(file.read_bytes())) for file in files)

    for page in site.glob("learn/*/index.html"):
        text = page.read_text()
        loaded = re.findall(r'<(?:script|img)[^>]+src="([^"]+)"', text) + re.findall(
            r'<link[^>]+href="([^"]+\.(?:css|png))"', text
        )
        files = {(page.parent / address).resolve() for address in loaded if "from_disk" not in address}
        if "data-explorer" in text:
            files |= set((site / "assets/explorers").iterdir())
        ours = {file for file in files if (REPOSITORY / "docs" / file.relative_to(site.resolve())).exists()}
        assert len(ours) >= 5
        assert wire(ours) <= 60_000, page
        assert wire(files | {page}) <= 350_000, page


def test_rendering_never_imports_torch(built: Built) -> None:
    assert "markdown" in built.modules
    assert "torch" not in built.modules


def test_the_check_passes() -> None:
    checked = subprocess.run([sys.executable, "-m", "torchproof.cli", "check"], cwd=REPOSITORY, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
