"""What a program did, in HTML: output and figures, in a tab for each kind of device where these differ, and variables."""

from __future__ import annotations

import re
from html import escape

from torchproof.catalog import Snippet
from torchproof.pages import match_alts
from torchproof.project import Standing
from torchproof.record import same_result
from torchproof.variables import SEPARATOR

# Longer output shows its beginning until the reader asks for all of it.
FOLD_BEYOND = 20
_NAMES = {"cpu": "CPU", "cuda": "CUDA"}
# Where an SVG names a part of itself, and where it refers to it.
_ID = re.compile(r'( id="|url\(#|href="#)')
_GROUP = re.compile(r"\s*(?:<g\b[^>]*/>|<(?P<opens>g)\b(?P<attributes>[^>]*)>|</g>|<!--.*?-->)\s*", re.DOTALL)
# Text that is not turned needs no coordinates of its own.
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*\)"')


def shown(snippet: Snippet, standings: dict[str, Standing]) -> dict[str, tuple[str, Standing]]:
    """Which records a block shows: of the first device, and of the second where it did something else.

    Two devices are told apart by the comparison that accepts a run as its record (`torchproof.compare`), with nothing
    taken away, so a program that prints its device differs. The numbers of a measurement are not compared: it shows both,
    with the machines they come from. What is not fresh is never shown.

    Args:
        snippet: What ran.
        standings: How it stands on each kind of device.

    Returns:
        By kind of device, a title and what to show under it.

    Raises:
        Problem: A figure is missing or damaged.
    """
    fresh = {device: standing for device, standing in standings.items() if standing.state == "fresh"}
    if "measurement" in snippet.marks:
        return {device: (f"Measured on {machine(standing)}", standing) for device, standing in fresh.items()}
    if len(fresh) == 2 and not _differ(*fresh.values()):
        first = next(iter(fresh))
        return {first: (f"Output on {' and '.join(_NAMES[device] for device in fresh)}", fresh[first])}
    return {device: (f"Output on {_NAMES[device]}", standing) for device, standing in fresh.items()}


def results(snippet: Snippet, standings: dict[str, Standing], alts: list[str]) -> str:
    """Output and figures of a snippet, in tabs where two devices differ.

    Args:
        snippet: What ran.
        standings: How it stands on each kind of device.
        alts: What each figure shows.

    Raises:
        Problem: The figures and their texts are not equally many, or a figure is missing or damaged.
    """
    found = shown(snippet, standings)
    for _, standing in found.values():
        match_alts(len(standing.entry.figures) if standing.entry else 0, alts)
    if len(found) > 1:
        return _tabs(found, alts, named="measurement" not in snippet.marks)
    return "".join(_output(standing, title) + _figures(standing, alts) for title, standing in found.values())


def variables_html(standings: dict[str, Standing]) -> str:
    """What the variables held when the program had ended, folded, as the first device tells it that can show it.

    Args:
        standings: How the snippet stands on each kind of device.
    """
    fresh = {device: standing.entry for device, standing in standings.items() if standing.state == "fresh" and standing.entry}
    told = [(device, entry.variables) for device, entry in fresh.items() if entry.variables]
    if not told:
        return ""
    device, lines = told[0]
    pairs = [line.partition(SEPARATOR)[::2] for line in lines]
    width = max(len(name) for name, _ in pairs)
    text = escape("\n".join(f"{name:{width}}  {held}" for name, held in pairs), quote=False)
    title = f"What the variables hold at the end on {_NAMES[device]} ({len(lines)})"
    return (
        f'<details class="tp-more tp-variables" data-search-exclude><summary>{title}'
        f'</summary><div class="tp-output"><pre tabindex="0"><samp>{text}</samp></pre></div></details>'
    )


def machine(standing: Standing) -> str:
    """What a measurement depends on: the device, and how many threads a CPU used."""
    environment = standing.environment
    threads = environment["threads"]
    counted = f", {threads} thread{'s' * (threads > 1)}" if standing.record.device == "cpu" else ""
    return f"{environment['device']}{counted}"


def _differ(one: Standing, other: Standing) -> bool:
    assert one.entry and other.entry, "a fresh standing has an entry"
    return not same_result(one.record, one.entry, other.record, other.entry)


def _line(title: str, more: str = "") -> str:
    return f'<p class="tp-title{more}">{escape(title)}</p>'


def _tabs(found: dict[str, tuple[str, Standing]], alts: list[str], named: bool) -> str:
    """One panel for each device. Without a script all of them are visible, each below its title.

    Args:
        found: What to show.
        alts: What each figure shows.
        named: Whether the titles say no more than the tabs do.
    """
    tabs = panels = ""
    for number, (device, (title, standing)) in enumerate(found.items()):
        selected = 'aria-selected="true"' if number == 0 else 'aria-selected="false" tabindex="-1"'
        tabs += f'<button type="button" role="tab" data-device="{device}" {selected}>{_NAMES[device]}</button>'
        content = _output(standing) + _figures(standing, alts, f"{device}-") or "<p>It printed nothing.</p>"
        panels += (
            f'<div class="tp-panel" role="tabpanel" data-device="{device}" aria-label="{escape(title)}">'
            f"{_line(title, ' tp-named' * named)}{content}</div>"
        )
    return f'<div class="tp-tabs" role="tablist" aria-label="Device">{tabs}</div><div class="tp-panels">{panels}</div>'


def _output(standing: Standing, title: str = "") -> str:
    entry = standing.entry
    if entry is None or not (entry.stdout or entry.exception):
        return ""
    text = escape(entry.stdout.rstrip("\n"))
    if entry.exception:
        told = escape("{type}: {message}".format(**entry.exception))
        text = "\n".join(filter(None, [text, f'<span class="tp-error">{told}</span>']))
    return output_html(text, title)


def output_html(text: str, title: str = "Output") -> str:
    """What a program printed, folded where it is long.

    Args:
        text: The output, as HTML.
        title: What stands above it, "" for nothing.
    """
    output = f'{_line(title) if title else ""}<pre tabindex="0"><samp>{text}</samp></pre>'
    lines = text.count("\n") + 1
    if lines <= FOLD_BEYOND:
        return f'<div class="tp-output">{output}</div>'
    button = f'<button type="button" class="tp-all" aria-expanded="false">Show all {lines} lines</button>'
    return f'<div class="tp-output tp-long">{output}{button}</div>'


def _figures(standing: Standing, alts: list[str], prefix: str = "") -> str:
    figures = standing.entry.figures if standing.entry else ()
    return "".join(figure_html(standing.record.figure(file), alt, prefix) for (file, _), alt in zip(figures, alts, strict=True))


def figure_html(svg: str, alt: str, prefix: str = "") -> str:
    """A figure inline, so that it takes the page's colors, and what it shows in words.

    Args:
        svg: The figure.
        alt: What it shows.
        prefix: What its ids start with: two figures on one page may not share any.
    """
    return f'<figure class="tp-figure" tabindex="0" data-search-exclude>{picture(svg, alt, prefix)}</figure>'


def picture(svg: str, alt: str, prefix: str = "") -> str:
    """The drawing of a figure alone; the arguments are those of a figure."""
    svg = _ID.sub(rf"\g<1>{prefix}", _slim(svg))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)


def _slim(svg: str) -> str:
    """A figure without the groups that say nothing, which are half of its elements."""
    kept: list[bool] = []

    def group(found: re.Match[str]) -> str:
        if found["opens"]:
            kept.append(bool(found["attributes"]))
            return found[0].strip() if kept[-1] else ""
        return "</g>" if found[0].strip() == "</g>" and kept.pop() else ""

    return _UNTURNED.sub("", _GROUP.sub(group, svg.strip()))
