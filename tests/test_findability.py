"""What searchers and machines find: errors by their message, pages as Markdown, lists of pages, metadata, evidence."""

from __future__ import annotations

import html
import json
import re
import textwrap
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Sandbox
from torchproof.evidence import NAME as EVIDENCE
from torchproof.evidence import Evidence
from torchproof.pages import Directive, pages, scan
from torchproof.project import Project


@pytest.fixture(scope="module")
def site_pages(site: Path) -> dict[str, str]:
    """The HTML of every page by its address below the root; a page is what has a canonical address."""
    texts = {path.parent.relative_to(site).as_posix(): path.read_text() for path in site.rglob("index.html")}
    return {("" if name == "." else f"{name}/"): text for name, text in texts.items()}


def meta(text: str, name: str) -> str:
    found = re.findall(rf'<meta (?:name|property)="{name}" content="([^"]*)">', text)
    assert len(found) == 1, f"{len(found)} times {name}"
    return html.unescape(found[0])


def test_every_message_of_the_page_of_errors_was_printed_by_its_block() -> None:
    project = Project(REPOSITORY)
    text = (REPOSITORY / "docs/errors.md").read_text()
    entries = re.findall(r"^### (`+) ?(.+?) ?\1\n\n.*\[`\w+`\]\([\w/]+\.md#(\w+)\.(\w+)\)$", text, re.MULTILINE)
    assert len(entries) == text.count("\n### ") > 40
    for _, message, module, name in entries:
        printed = project.record("cpu", module).entries[name].stdout
        assert message in re.sub(r"\s+", " ", printed), f"{module}.{name} does not print {message!r}"


def test_every_claim_has_a_verdict_and_a_block() -> None:
    text = (REPOSITORY / "docs/claims.md").read_text()
    known = set(re.findall(r"^- \*\*(\w+)\*\*\{ \.tp-\w+ \}", text, re.MULTILINE))
    claims = re.findall(r"^### .+\n\n(.*)$", text, re.MULTILINE)
    assert len(claims) == text.count("\n### ") > 40
    for claim in claims:
        verdict = re.match(r"\*\*(\w+)\*\*\{ \.tp-(\w+) \} ", claim)
        assert verdict, claim
        assert verdict[1] in known and verdict[1].lower() == verdict[2]
        assert re.search(r"\[`\w+`\]\((?:[\w/]+\.md)?#\w+\.\w+\)$", claim), claim


def test_every_page_says_what_it_is_about(site_pages: dict[str, str]) -> None:
    told: dict[str, str] = {}
    for address, text in site_pages.items():
        description = meta(text, "description")
        assert 40 <= len(description) <= 200, f"{address}: {description}"
        assert description not in told.values(), f"{address} says the same as another page"
        told[address] = description
    assert len(told) > 20


def test_every_page_can_be_shared(site_pages: dict[str, str], site: Path) -> None:
    for address, text in site_pages.items():
        canonical = re.search(r'<link rel="canonical" href="([^"]+)">', text)
        assert canonical and meta(text, "og:url") == canonical[1]
        assert canonical[1].endswith(address)
        assert meta(text, "og:title") == meta(text, "twitter:title")
        assert meta(text, "og:image") == meta(text, "twitter:image")
        assert meta(text, "og:image").endswith("/assets/social.png")
        assert meta(text, "og:image:alt")
    image = (site / "assets/social.png").read_bytes()
    assert [int.from_bytes(image[start : start + 4]) for start in (16, 20)] == [1200, 630]


def test_lists_of_pages_name_every_page(site_pages: dict[str, str], site: Path) -> None:
    canonical = re.search(r'<link rel="canonical" href="([^"]+)">', site_pages[""])
    assert canonical is not None
    listed = re.findall(r"<loc>([^<]+)</loc>", (site / "sitemap.xml").read_text())
    assert sorted(listed) == sorted(canonical[1] + address for address in site_pages)
    llms = (site / "llms.txt").read_text()
    linked = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): \S", llms, re.MULTILINE)
    assert sorted(linked) == sorted(canonical[1] + address + "index.md" for address in site_pages)
    assert llms.startswith("# Torchproof\n\n> ")


def test_every_page_is_there_as_markdown_with_its_code_and_output(site_pages: dict[str, str], site: Path) -> None:
    for address, text in site_pages.items():
        assert '<link rel="alternate" type="text/markdown" href="index.md"' in text, address
        assert (site / address / "index.md").exists(), address
    project = Project(REPOSITORY)
    for page in pages(REPOSITORY / "docs"):
        path = page.path.relative_to(REPOSITORY / "docs").with_suffix("")
        address = path.parent if path.stem == "index" else path
        twin = (site / address / "index.md").read_text()
        assert "::: " not in twin
        for item in scan(page.body.split("\n")):
            if isinstance(item, Directive) and item.name.startswith("snippets."):
                program = project.program(project.catalog.find(item.name))
                wanted = [f"```python\n{program.body}\n```"]
                entry = project.standing(program, "cpu").entry
                if entry and entry.stdout.strip():
                    wanted.append(entry.stdout.strip("\n"))
                for text in wanted:
                    # A solution stands inside the list of exercises.
                    assert text in twin or textwrap.indent(text, "    ") in twin, f"{item.name}: {text}"


def test_links_of_the_markdown_lead_to_files_of_the_site(site: Path) -> None:
    followed = 0
    for path in site.rglob("*.md"):
        prose = re.sub(r"^( *)(`{3,})\w*\n.*?^\1\2$|`[^`\n]+`", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
            if not target.startswith(("http:", "https:", "data:")):
                assert (path.parent / target).exists(), f"{path.relative_to(site)}: {target}"
                followed += 1
    assert followed > 1000


def test_the_evidence_has_one_row_for_every_record(site: Path) -> None:
    project = Project(REPOSITORY)
    known = {snippet.full_name for snippet in project.catalog.snippets()}
    text = (site / "evidence/index.html").read_text()
    runs = text.partition('<table class="tp-runs">')[2]
    for device in ("cpu", "cuda"):
        recorded = 0
        for path in (REPOSITORY / "docs/records" / device).glob("*.json"):
            names = json.loads(path.read_text())["snippets"]
            recorded += sum(f"snippets.{path.stem}.{name}" in known for name in names)
        assert len(re.findall(rf"<td>{device.upper()}, [^<]+</td><td>torch [\d.]+", runs)) == recorded
    found = Evidence.of(project)
    assert len(found.rows) + sum(map(len, found.gaps.values())) == 2 * len(known)
    for row in found.rows:
        page, _, anchor = row.address.partition("#")
        assert not anchor or f'id="{anchor}"' in (site / page / "index.html").read_text()


def test_an_outdated_record_is_called_so_and_a_gap_has_its_reason(sandbox: Sandbox) -> None:
    sandbox.write(
        "snippets/topic.py",
        """
        import pytest
        import torch


        def doubled():
            \"\"\"Two and two.\"\"\"
            print(torch.tensor(2) * 2)


        @pytest.mark.cpu_only("it asks the `numpy` of the CPU")
        def kept():
            \"\"\"Stays here.\"\"\"
            print(1)
        """,
    )
    environment = {
        "python": "3.12.1",
        "torch": "2.11.0",
        "matplotlib": "3.9",
        "platform": "Linux",
        "device": "Some GPU",
        "count": 1,
    }
    entry = {"sha256": "0" * 64, "seconds": 1.5, "stdout": ["4"]}
    record = {"environment": {**environment, "threads": 1}, "snippets": {"doubled": entry}}
    sandbox.write("docs/records/cuda/topic.json", json.dumps(record))
    sandbox.write("docs/page.md", f"# Page\n\n::: {EVIDENCE}\n")
    built = sandbox.mkdocs("--strict")
    assert built.returncode == 0, built.stderr
    text = (sandbox.root / "site/page/index.html").read_text()
    assert "<td>CUDA, Some GPU</td><td>torch 2.11.0, Python 3.12.1</td><td>1.500</td><td>outdated</td>" in text
    assert "<td>CUDA</td><td>it asks the <code>numpy</code> of the CPU</td><td>1</td>" in text
    assert "<li>CUDA: 0 blocks ran, 1 outdated, 1 did not run.</li>" in text


def test_a_page_can_be_edited_where_the_repository_is_known(sandbox: Sandbox) -> None:
    sandbox.write("docs/topic/page.md", "# Page\n")
    for repository, link in {
        "": None,
        "https://git.example/a/b/": "https://git.example/a/b/edit/main/docs/topic/page.md",
    }.items():
        sandbox.write(
            "mkdocs.yml",
            f"""
            site_name: Sandbox
            site_url: https://sandbox.example/
            theme: {{name: material, custom_dir: {REPOSITORY / "torchproof/theme"}, font: false}}
            extra: {{repository: "{repository}"}}
            """,
        )
        built = sandbox.mkdocs()
        assert built.returncode == 0, built.stderr
        found = re.search(r'<a href="([^"]+)">Edit this page', (sandbox.root / "site/topic/page/index.html").read_text())
        assert (found[1] if found else None) == link


def test_finishing_what_is_no_site_says_what_to_do(sandbox: Sandbox) -> None:
    finished = sandbox.torchproof("finish", "site")
    assert finished.returncode == 1
    assert "holds no built site" in finished.stderr and "mkdocs build" in finished.stderr
    assert "Traceback" not in finished.stderr
