"""What machines and searchers find: pages as Markdown, lists of pages, descriptions, errors by their message."""

from __future__ import annotations

import re

from tests.conftest import REPOSITORY
from torchproof.project import Project


def test_every_message_of_the_page_of_errors_was_printed_by_its_block() -> None:
    project = Project(REPOSITORY)
    text = (REPOSITORY / "docs/errors.md").read_text()
    entries = re.findall(r"^### (`+) ?(.+?) ?\1\n\n.*\[`\w+`\]\([\w/]+\.md#(\w+)\.(\w+)\)$", text, re.MULTILINE)
    assert len(entries) == text.count("\n### ") > 40
    for _, message, module, name in entries:
        printed = project.record("cpu", module).entries[name].stdout
        assert message in re.sub(r"\s+", " ", printed), f"{module}.{name} does not print {message!r}"
