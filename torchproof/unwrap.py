"""Tutorials in the built site: pages without what mkdocs-jupyter puts around them, clean search, notebooks that link back."""

from __future__ import annotations

import json
import re
import textwrap
from html import escape, unescape
from pathlib import Path
from urllib.parse import urljoin

from torchproof.files import write_if_changed
from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.story import Story, download, markdown, story
from torchproof.tutorial import FOLDER, tutorials
from torchproof.twin import fence

_CELL = re.compile(
    r'<div class="jp-Cell[^>]*>\s*<div class="jp-Cell-inputWrapper"[^>]*>\s*<div class="jp-Collapser[^>]*>\s*</div>\s*'
    r'<div class="jp-InputArea[^>]*>\s*<div class="jp-RenderedHTMLCommon[^>]*>'
)
_CELL_END = re.compile(r"(?:\s*</div>){4}\s*\Z")
_NOTEBOOK = re.compile(r'<div class="jupyter-wrapper">\s*<div class="jp-Notebook"[^>]*>')
_NOTEBOOK_END = "</div> <!-- jp-Notebook -->"
_NOISE = re.compile(r"<script.*?</script>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_ANCHOR = re.compile(r'<a class="anchor-link" href="([^"]+)">¶</a>')
_ARTICLE = re.compile(r"(?P<start><article [^>]*>)(?P<inside>.*?)(?P<end></article>)", re.DOTALL)
_DESCRIPTION = re.compile(r'(?<=<meta name="description" content=")[^"]*')
# Characters of a page's description.
_DESCRIBED = 200
_CANONICAL = re.compile(r'<link rel="canonical" href="([^"]+)">')
_HREF = re.compile(r'href="(?P<address>[^":#]*)(?:#(?P<anchor>[^"]+))?"')


def finish_tutorials(project: Project, site: Path) -> list[str]:
    """Clean the page of every tutorial, write its Markdown, and make its notebook's links lead to the site.

    Args:
        project: What the site was built from.
        site: The built site.

    Returns:
        What was done, in one sentence for each part.

    Raises:
        Problem: A page was not made as expected, or holds a broken link.
    """
    stories = [story(tutorial) for tutorial in tutorials(project)]
    for told in stories:
        folder = site / FOLDER / told.tutorial.name
        path = folder / "index.html"
        if not path.exists():
            raise Problem(f"the site has no page of {told.tutorial.name}", told.tutorial.place(1), "torchproof publish")
        text = path.read_text(encoding="utf-8")
        canonical = _CANONICAL.search(text)
        cleaned = _cleaned(text, told)
        write_if_changed(path, cleaned)
        write_if_changed(folder / "index.md", markdown(told, fence))
        base = urljoin(canonical[1], "../../") if canonical else "../"
        write_if_changed(site / FOLDER / told.tutorial.notebook.name, download(told, base))
    for told in stories:
        _check_links(site, told)
    _index_again(site, stories)
    return [f"{len(stories)} tutorials"] if stories else []


def _cleaned(text: str, told: Story) -> str:
    """A page whose article holds what the notebook's cells hold, and nothing that mkdocs-jupyter puts around them."""
    article = _ARTICLE.search(text)
    wrapper = _NOTEBOOK.search(article["inside"]) if article else None
    if article is None or wrapper is None:
        return text  # Cleaned before: the site was not built again.
    before, after = article["inside"][: wrapper.start()], article["inside"][wrapper.end() :]
    body, _, after = after.partition(_NOTEBOOK_END)
    lead, *cells = _CELL.split(body)
    if lead.strip() or len(cells) != len(told.notebook["cells"]) or not all(map(_CELL_END.search, cells)):
        raise Problem("mkdocs-jupyter wraps cells in another way than torchproof/unwrap.py knows", told.tutorial.place(1))
    inside = "\n".join(_CELL_END.sub("", cell).strip() for cell in cells)
    inside = _ANCHOR.sub(r'<a class="headerlink" href="\1" title="Permanent link">¶</a>', inside)
    # Nothing on the page asks for its scripts that copy and draw, nor for the styles of JupyterLab.
    around = [_NOISE.sub("", part).strip() for part in (before, after.removeprefix("\n</div>"))]
    content = "\n".join([article["start"], around[0], inside, around[1], article["end"]])
    page = text[: article.start()] + content + text[article.end() :]
    return _DESCRIPTION.sub(lambda _: escape(_shortened(_plain(told.summary))), page, count=1)


def _shortened(text: str) -> str:
    """As many whole sentences as a list of search results shows; of a long first sentence, its beginning."""
    sentences = re.split(r"(?<=[.?!])\s+", text)
    kept = sentences[0]
    for sentence in sentences[1:]:
        if len(kept) + 1 + len(sentence) > _DESCRIBED:
            break
        kept += f" {sentence}"
    return textwrap.shorten(kept, _DESCRIBED, placeholder=" …")


def _plain(text: str) -> str:
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("`", "").replace("$", "")


def _check_links(site: Path, told: Story) -> None:
    """Follow every link of the article within the site, to the very anchor."""
    path = site / FOLDER / told.tutorial.name / "index.html"
    article = _ARTICLE.search(path.read_text(encoding="utf-8"))
    for link in _HREF.finditer(article["inside"] if article else ""):
        target = (path.parent / link["address"]).resolve() if link["address"] else path
        if target.is_dir():
            target /= "index.html"
        anchor = unescape(link["anchor"] or "")
        if not target.is_relative_to(site) or not target.exists():
            raise Problem(f"the link to {link['address']} leads nowhere", told.tutorial.place(1))
        if anchor and f'id="{anchor}"' not in target.read_text(encoding="utf-8"):
            raise Problem(f"the page {link['address']} has no place named {anchor}", told.tutorial.place(1))


def _index_again(site: Path, stories: list[Story]) -> None:
    """Entries of the search index made from the cleaned pages: each cell belongs to the heading above it."""
    from material.plugins.search.plugin import Parser

    path = site / "search" / "search_index.json"
    if not path.exists():
        return
    index = json.loads(path.read_text(encoding="utf-8"))
    for told in stories:
        location = f"{FOLDER}/{told.tutorial.name}/"
        article = _ARTICLE.search((site / location / "index.html").read_text(encoding="utf-8"))
        parser = Parser()
        parser.feed(article["inside"] if article else "")
        parser.close()
        # The title of the page is its first section.
        sections = [section for section in parser.data if section.title]
        entries = [
            {
                "location": location + (f"#{section.id}" if number else ""),
                "title": "".join(section.title).strip(),
                "text": "".join(section.text).strip(),
            }
            for number, section in enumerate(sections)
        ]
        index["docs"] = [entry for entry in index["docs"] if entry["location"].partition("#")[0] != location] + entries
    write_if_changed(path, json.dumps(index, separators=(",", ":")))
