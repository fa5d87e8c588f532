"""A block: a snippet as a page shows it, in HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from torchproof.catalog import Snippet
from torchproof.pages import highlighted_lines, match_alts
from torchproof.problems import Problem
from torchproof.program import Program
from torchproof.project import Project, Standing, current

_LEXER = PythonLexer(stripnl=False)
_PLAIN = HtmlFormatter(nowrap=True)
# Names and white space have the color of all text; their elements are half of a page.
_UNCOLORED = re.compile(r'<span class="[nw]">([^<]*)</span>')
REPOSITORY_FILE = "{repository}/blob/main/{path}#L{line}"


@dataclass(frozen=True)
class Block:
    """The one element that a snippet becomes."""

    attributes: dict[str, str]
    inner_html: str


class Renderer:
    """Renders the blocks of a project.

    Args:
        project: Where programs and records come from.
        repository: Address of the repository, for links to the source; "" to link to the module as the site publishes it.
    """

    def __init__(self, project: Project, repository: str) -> None:
        self.project = project
        self.repository = repository

    def block(self, name: str, options: dict[str, list[str]], site_root: str) -> Block:
        """One block.

        Args:
            name: Import path of the snippet.
            options: As the directive gives them: `alt` for each figure, `highlight` for lines.
            site_root: Relative address of the site's root as seen from the page, such as "../../".

        Raises:
            Problem: There is no such snippet, its record is missing, stale, failed or damaged, or an option does not fit.
        """
        snippet = self.project.catalog.find(name)
        program = self.project.program(snippet)
        cpu = current(self.project.standing(program, "cpu"), snippet, "cpu")
        gpu = self.project.standing(program, "cuda")
        shown = cpu if cpu.state == "fresh" else gpu
        parts = [
            _head(program),
            _unfold(program),
            code_html(program.body, tuple(highlighted_lines(program.body, options.get("highlight", [])))),
            _output(shown),
            _figures(shown, options.get("alt", [])),
            self._foot(program, cpu, gpu, site_root),
        ]
        attributes = {"class": "tp-block", "id": f"{snippet.module}.{snippet.name}", "data-snippet": snippet.full_name}
        return Block(attributes, "\n".join(filter(None, parts)))

    def _foot(self, program: Program, cpu: Standing, gpu: Standing, site_root: str) -> str:
        snippet = program.snippet
        address = f"{site_root}programs/{snippet.module}.py"
        if self.repository:
            path = snippet.place.path.relative_to(self.project.root).as_posix()
            address = REPOSITORY_FILE.format(repository=self.repository.rstrip("/"), path=path, line=snippet.place.line)
        links = [
            f'<a href="{site_root}programs/{snippet.module}/{snippet.name}.py" download>Download .py</a>',
            f'<a href="{escape(address)}">Source</a>',
        ]
        where = "".join(f"<span>{escape(text)}</span>" for text in where_it_ran(snippet, cpu, gpu))
        return f'<div class="tp-foot"><span class="tp-where">{where}</span><span class="tp-links">{"".join(links)}</span></div>'


def problem_box(problem: Problem) -> str:
    """What a page shows in place of a block that cannot be shown."""
    return (
        '<div class="tp-problem admonition failure" role="alert"><p class="admonition-title">This block cannot be shown</p>'
        f"<pre>{escape(str(problem))}</pre></div>"
    )


def where_it_ran(snippet: Snippet, cpu: Standing, gpu: Standing) -> list[str]:
    """Plain words on where the program ran, from its records alone."""
    told = []
    if cpu.state == "fresh":
        environment = cpu.record.environment
        told.append(f"CPU torch {environment['torch']}, Python {environment['python']}")
        if "measurement" in snippet.marks:
            threads = environment["threads"]
            told.append(f"Measured on {environment['device']}, {threads} thread{'s' * (threads > 1)}")
    if gpu.state == "fresh":
        environment = gpu.record.environment
        told.append(f"CUDA {environment['device']}, torch {environment['torch']}")
    elif gpu.state == "excused":
        told.append(f"{'CPU only' if 'cpu_only' in snippet.marks else 'Not yet run'}: {gpu.reason}")
    else:
        told.append("Not yet run on a GPU")
    return told


def _head(program: Program) -> str:
    snippet = program.snippet
    lines = program.source.count("\n")
    text = escape(program.source).replace("\n", "&#10;")
    label = f"Copy program ({lines} line{'s' * (lines > 1)})"
    return (
        f'<div class="tp-head"><a class="tp-name" href="#{snippet.module}.{snippet.name}">{snippet.name}</a>'
        f'<button type="button" class="tp-copy" data-clipboard-text="{text}">{label}</button></div>'
    )


def _unfold(program: Program) -> str:
    """What the program holds before the shown code."""
    if not program.preamble:
        return ""
    count = program.preamble.count("\n") + 1
    # Without colors, which would double the page: the definitions have blocks of their own or are mere help.
    html = escape(program.preamble, quote=False)
    return (
        f'<details class="tp-more" data-search-exclude><summary>The program starts with {count} more line{"s" * (count > 1)}'
        f"</summary>{_frame(html)}</details>"
    )


def code_html(source: str, lines: tuple[int, ...] = (), copy: bool = False) -> str:
    """Python as a page shows it.

    Args:
        source: The code.
        lines: Numbers of the lines to highlight.
        copy: Whether the theme may add a button that copies just this.
    """
    return _frame(_colored(source, lines), copy)


def _frame(html: str, copy: bool = False) -> str:
    kind = "highlight" if copy else "highlight no-copy"
    return f'<div class="{kind}"><pre tabindex="0"><code class="language-python">{html}\n</code></pre></div>'


@lru_cache(maxsize=4096)
def _colored(source: str, lines: tuple[int, ...] = ()) -> str:
    formatter = HtmlFormatter(nowrap=True, hl_lines=lines) if lines else _PLAIN
    html: str = highlight(source, _LEXER, formatter)
    return _UNCOLORED.sub(r"\1", html.rstrip("\n"))


def _output(shown: Standing) -> str:
    entry = shown.entry
    if entry is None or not (entry.stdout or entry.exception):
        return ""
    text = escape(entry.stdout.rstrip("\n"))
    if entry.exception:
        told = escape("{type}: {message}".format(**entry.exception))
        text = "\n".join(filter(None, [text, f'<span class="tp-error">{told}</span>']))
    return output_html(text)


def output_html(text: str) -> str:
    """What a program printed, given as HTML."""
    return f'<div class="tp-output"><p class="tp-title">Output</p><pre tabindex="0"><samp>{text}</samp></pre></div>'


def _figures(shown: Standing, alts: list[str]) -> str:
    figures = shown.entry.figures if shown.entry else ()
    match_alts(len(figures), alts)
    html = ""
    for (file, _), alt in zip(figures, alts, strict=True):
        html += figure_html(shown.record.figure(file), alt)
    return html


def figure_html(svg: str, alt: str) -> str:
    """A figure and what it shows in words."""
    svg = svg.strip().replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)
    return f'<figure class="tp-figure" tabindex="0" data-search-exclude>{svg}</figure>'
