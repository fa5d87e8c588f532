"""Read blocks out of the HTML of a page."""

from __future__ import annotations

import html
import re

_BLOCK = re.compile(r'<div[^>]* class="tp-block".*?(?=<div[^>]* class="tp-block"|</article>|\Z)', re.DOTALL)
_PART = re.compile(r"<pre[^>]*><code[^>]*>(.*?)</code></pre>", re.DOTALL)


def blocks_of(page: str) -> dict[str, str]:
    """The HTML of each block of a page, by the name of its snippet."""
    found = {}
    for match in _BLOCK.finditer(page):
        name = re.search(r'data-snippet="([^"]+)"', match[0])
        assert name is not None
        found[name[1]] = match[0]
    return found


def text_of(markup: str) -> str:
    """What a browser calls the text content."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def parts_of(block: str) -> list[str]:
    """The code of a block, folded and shown: what its copy button joins."""
    return [text_of(part) for part in _PART.findall(block)]
