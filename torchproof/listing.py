"""Shown code, in HTML: colors, highlighted lines, and numbered notes below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import escape

from pygments import highlight
from pygments.filter import Filter
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String, Token, _TokenType

from torchproof.pages import line_of, notes_of
from torchproof.program import Program

# One kind of token for each color of the theme: neighbors of one kind share an element. Names, operators and punctuation
# read in the color of all text; with elements of their own they would be half of a page.
_COLORS = {
    Token: Token.Text,
    Comment: Comment,
    Keyword: Keyword,
    Keyword.Constant: Token.Text,
    Name.Builtin: Name.Builtin,
    Name.Class: Name.Function,
    Name.Decorator: Keyword,
    Name.Exception: Name.Function,
    Name.Function: Name.Function,
    Name.Namespace: Name.Function,
    Number: Number,
    String: String,
    String.Affix: Token.Text,
    String.Doc: Comment,
    String.Escape: String.Escape,
}
_INLINE_CODE = re.compile(r"`([^`]+)`")


class _ByColor(Filter):
    """Tells tokens apart by their color alone."""

    def filter(self, lexer: Lexer | None, stream: Iterable[tuple[_TokenType, str]]) -> Iterator[tuple[_TokenType, str]]:
        for kind, text in stream:
            yield next(_COLORS[known] for known in reversed(kind.split()) if known in _COLORS), text


_LEXER = PythonLexer(stripnl=False)
_LEXER.add_filter(_ByColor())
_PLAIN = HtmlFormatter(nowrap=True)


def listing(program: Program, highlights: list[str], notes: list[str]) -> str:
    """The whole program, its beginning folded: the text of its `pre > code` elements, one after the other, is the program.

    Args:
        program: What is shown.
        highlights: Texts whose lines are highlighted.
        notes: As the directive gives them.

    Raises:
        Problem: A text does not occur exactly once in the shown code.
    """
    lines = tuple(line_of(program.body, text) for text in highlights)
    remarks = notes_of(program.body, notes)
    shown = _colored(program.body, lines).split("\n")
    items = ""
    for number, note in enumerate(remarks, start=1):
        # Drawn by the style sheet: a reader who selects the code does not copy the number.
        shown[note.line - 1] += f'<i class="tp-mark" data-note="{number}"></i>'
        words = _INLINE_CODE.sub(r"<code>\1</code>", escape(note.words, quote=False))
        items += f"<li><code>{escape(note.code, quote=False)}</code>: {words}</li>"
    below = f'<ol class="tp-notes" aria-label="Notes on the code">{items}</ol>' if items else ""
    return _beginning(program) + _frame("\n".join(shown)) + below


def _beginning(program: Program) -> str:
    """What the program holds before the shown code."""
    before = program.source.removesuffix(program.body + "\n")
    if not before:
        return ""
    count = before.rstrip("\n").count("\n") + 1
    # Without colors, which would double the page: the definitions have blocks of their own or are mere help.
    return (
        f'<details class="tp-more" data-search-exclude><summary>The program starts with {count} more line{"s" * (count > 1)}'
        f"</summary>{_frame(escape(before, quote=False))}</details>"
    )


def code_html(source: str, copy: bool = False) -> str:
    """Python as a page shows it.

    Args:
        source: The code.
        copy: Whether the theme may add a button that copies just this.
    """
    return _frame(_colored(source, ()), copy)


def _frame(html: str, copy: bool = False) -> str:
    kind = "highlight" if copy else "highlight no-copy"
    return f'<div class="{kind}"><pre><code class="language-python" tabindex="0">{html}</code></pre></div>'


@lru_cache(maxsize=4096)
def _colored(source: str, lines: tuple[int, ...]) -> str:
    formatter = HtmlFormatter(nowrap=True, hl_lines=lines) if lines else _PLAIN
    return highlight(source, _LEXER, formatter)
