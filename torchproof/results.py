"""What a program did, in HTML: its output and figures, in a tab for each kind of device where these differ."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from torchproof.catalog import Snippet
from torchproof.pages import match_alts
from torchproof.project import Standing
from torchproof.record import same_result

# Longer output shows its beginning until the reader asks for all of it.
FOLD_BEYOND = 20
_NAMES = {"cpu": "CPU", "cuda": "CUDA"}
# Where an SVG names a part of itself, and where it refers to it.
_ID = re.compile(r'( id="|url\(#|href="#)')


def results(snippet: Snippet, standings: dict[str, Standing], alts: list[str]) -> str:
    """Output and figures of a snippet, from its current records alone.

    What two devices did is shown for each where it differs: by the comparison that accepts a run as its record
    (`torchproof.compare`), with nothing taken away, so a program that prints its device differs. The numbers of a
    measurement are not compared: it shows both, with the machines they come from.

    Args:
        snippet: What ran.
        standings: How it stands on each kind of device; the first fresh one is shown first.
        alts: What each figure shows.

    Raises:
        Problem: The figures and their texts are not equally many, or a figure is damaged.
    """
    fresh = {device: standing for device, standing in standings.items() if standing.state == "fresh"}
    for standing in fresh.values():
        match_alts(len(standing.entry.figures) if standing.entry else 0, alts)
    if len(fresh) == 2 and ("measurement" in snippet.marks or _differ(*fresh.values())):
        return _tabs(snippet, fresh, alts)
    for standing in fresh.values():
        title = _title(snippet, standing, _NAMES if len(fresh) == 2 else fresh)
        return _output(standing, f'<p class="tp-title">{title}</p>') + _figures(standing, alts)
    return ""


def machine(standing: Standing) -> str:
    """What a measurement depends on: the device, and how many threads a CPU used."""
    environment = standing.record.environment
    threads = environment["threads"]
    counted = f", {threads} thread{'s' * (threads > 1)}" if standing.record.device == "cpu" else ""
    return f"{environment['device']}{counted}"


def _title(snippet: Snippet, standing: Standing, devices: Iterable[str]) -> str:
    if "measurement" in snippet.marks:
        return f"Measured on {escape(machine(standing))}"
    return f"Output on {' and '.join(_NAMES[device] for device in devices)}"


def _differ(one: Standing, other: Standing) -> bool:
    assert one.entry and other.entry, "a fresh standing has an entry"
    return not same_result(one.record, one.entry, other.record, other.entry)


def _tabs(snippet: Snippet, fresh: dict[str, Standing], alts: list[str]) -> str:
    """One panel for each device. Without a script all of them are visible, each below its title."""
    tabs = panels = ""
    # A tab says what such a title says; the machine of a measurement it does not.
    kind = "tp-title" if "measurement" in snippet.marks else "tp-title tp-named"
    for number, (device, standing) in enumerate(fresh.items()):
        selected = 'aria-selected="true"' if number == 0 else 'aria-selected="false" tabindex="-1"'
        tabs += f'<button type="button" role="tab" data-device="{device}" {selected}>{_NAMES[device]}</button>'
        title = _title(snippet, standing, [device])
        content = _output(standing) + _figures(standing, alts, f"{device}-")
        panels += (
            f'<div class="tp-panel" role="tabpanel" data-device="{device}" aria-label="{title}">'
            f'<p class="{kind}">{title}</p>{content or "<p>It printed nothing.</p>"}</div>'
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
    svg = _ID.sub(rf"\g<1>{prefix}", svg.strip())
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)
    return f'<figure class="tp-figure" tabindex="0" data-search-exclude>{svg}</figure>'
