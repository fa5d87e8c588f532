"""Blocks of programs that ran on a CPU and on a GPU, as a page holds them and as a reader meets them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.blocks import blocks_of, parts_of, text_of
from tests.conftest import REPOSITORY, Sandbox, make_sandbox

MODULE = '''
"""Topic."""
import matplotlib.pyplot as plt
import pytest
import torch


def agrees():
    """Show."""
    print("mean", 0.5)


def differs():
    """Show."""
    print("device", torch.zeros(1).device)
    print("loss", 0.25)


def draws():
    """Show."""
    plt.plot([1, 2])
    plt.fill_between([0, 1], [1, 2])
    plt.show()


def prints_much():
    """Show."""
    for number in range(40):
        print("line", number)


@pytest.mark.measurement
def measures():
    """Show."""
    print("seconds", 0.5)


@pytest.mark.gpus(1)
def on_gpu():
    """Show."""
    print("memory", 7)


@pytest.mark.gpus(2)
def on_two():
    """Show."""
    print("never", 7)


def changed():
    """Show."""
    print("now", 1)
'''
PAGE = """
# Topic

::: snippets.topic.agrees

::: snippets.topic.differs
    note: torch.zeros(1) => made on the default device

::: snippets.topic.draws
    alt: A rising line over a filled area

::: snippets.topic.prints_much

::: snippets.topic.measures

::: snippets.topic.on_gpu

::: snippets.topic.on_two

::: snippets.topic.changed
"""
CONFIG = """
site_name: Sandbox
theme:
  name: material
  font: false
  features: [navigation.instant]
extra_css: [assets/torchproof.css, assets/blocks.css]
extra_javascript: [assets/blocks.js]
markdown_extensions: [torchproof.extension, pymdownx.superfences]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A site whose GPU record is the CPU's with other values: no GPU is needed to read one."""
    sandbox = make_sandbox(tmp_path_factory.mktemp("devices"))
    sandbox.write("snippets/topic.py", MODULE)
    sandbox.write("docs/topic.md", PAGE)
    sandbox.write("docs/index.md", "# Home\n\n[Topic](topic.md)\n")
    sandbox.write("mkdocs.yml", CONFIG)
    for asset in ("torchproof.css", "blocks.css", "blocks.js"):
        shutil.copy(REPOSITORY / "docs/assets" / asset, sandbox.write(f"docs/assets/{asset}", ""))
    recorded = sandbox.pytest("snippets", "--record")
    assert recorded.returncode == 0, recorded.stdout
    _pretend_a_gpu(sandbox)
    made = sandbox.mkdocs("--strict")
    assert made.returncode == 0, made.stderr
    return sandbox


def _pretend_a_gpu(sandbox: Sandbox) -> None:
    record = json.loads((sandbox.root / "docs/records/cpu/topic.json").read_text())
    record["environment"] |= {"device": "Some GPU", "torch": "2.11.0"}
    entries = record["snippets"]
    entries["agrees"]["stdout"] = ["mean 0.50001", ""]
    entries["differs"]["stdout"] = ["device cuda:0", "loss 0.25", ""]
    entries["measures"]["stdout"] = ["seconds 0.5", ""]
    program = sandbox.torchproof("program", "snippets.topic.on_gpu").stdout
    entries["on_gpu"] = {"sha256": _sha256(program), "seconds": 1.0, "stdout": ["memory 7", ""]}
    entries["on_two"] = {"sha256": "0" * 64, "seconds": 1.0, "stdout": ["stale 7", ""]}
    entries["changed"] |= {"sha256": "0" * 64, "stdout": ["before 1", ""]}
    (figure,) = entries["draws"]["figures"]
    drawn = (sandbox.root / "docs/records/cpu/topic" / figure["file"]).read_text()
    drawn = re.sub(r'(<path d="M )(\d+)', lambda m: f"{m[1]}{int(m[2]) + 9}", drawn)
    figure["sha256"] = _sha256(drawn)
    sandbox.write(f"docs/records/cuda/topic/{figure['file']}", "").write_text(drawn)
    sandbox.write("docs/records/cuda/topic.json", json.dumps(record))


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def blocks(built: Sandbox) -> dict[str, str]:
    page = (built.root / "site/topic/index.html").read_text()
    return {name.rpartition(".")[2]: block for name, block in blocks_of(page).items()}


def test_one_output_where_both_devices_agree_within_the_tolerance(blocks: dict[str, str]) -> None:
    assert "Output on CPU and CUDA" in blocks["agrees"]
    assert "mean 0.5</samp>" in blocks["agrees"]
    assert "tablist" not in blocks["agrees"]
    assert "CUDA Some GPU, torch 2.11.0" in blocks["agrees"]


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("differs", ["Output on CPU", "Output on CUDA"]),
        ("draws", ["Output on CPU", "Output on CUDA"]),
        ("measures", ["Measured on .*, 1 thread", "Measured on Some GPU"]),
    ],
)
def test_both_results_where_devices_differ_and_for_a_measurement(blocks: dict[str, str], name: str, titles: list[str]) -> None:
    panels = re.findall(r'role="tabpanel" data-device="(\w+)".*?<p class="tp-title[^>]*>(.*?)</p>', blocks[name])
    assert [device for device, _ in panels] == ["cpu", "cuda"]
    for (_, title), wanted in zip(panels, titles, strict=True):
        assert re.fullmatch(wanted, title)


def test_figures_of_two_devices_share_no_ids(blocks: dict[str, str]) -> None:
    ids = re.findall(r' id="([^"]+)"', blocks["draws"])
    assert len(ids) == len(set(ids)) > 2
    used = re.findall(r'(?:url\(|href=")#([^)"]+)', blocks["draws"])
    assert set(used) - {"topic.draws"} <= set(ids)
    assert blocks["draws"].count('aria-label="A rising line over a filled area"') == 2


def test_a_demo_that_needs_a_gpu_shows_what_a_gpu_printed(blocks: dict[str, str]) -> None:
    assert "Output on CUDA" in blocks["on_gpu"]
    assert "memory 7" in blocks["on_gpu"]
    assert "CUDA Some GPU, torch 2.11.0" in blocks["on_gpu"]
    assert "CPU" not in text_of(blocks["on_gpu"])


def test_a_stale_gpu_record_is_not_shown(blocks: dict[str, str], built: Sandbox) -> None:
    assert "stale" not in blocks["on_two"]
    assert "<samp>" not in blocks["on_two"]
    assert "Needs 2 GPUs: not yet run" in blocks["on_two"]
    assert "before" not in blocks["changed"]
    assert "Not yet run on a GPU" in blocks["changed"]
    assert "Some GPU" not in blocks["on_two"] + blocks["changed"]
    assert built.torchproof("check").returncode == 0
    required = built.torchproof("check", "--require", "cuda")
    assert required.returncode == 1
    assert "the record of snippets.topic.changed is stale" in required.stdout
    assert "--device cuda --record" in required.stdout


def test_output_beyond_twenty_lines_can_be_folded(blocks: dict[str, str]) -> None:
    assert "Show all 40 lines" in blocks["prints_much"]
    assert "line 39" in blocks["prints_much"]
    assert "Show all" not in blocks["differs"]


@pytest.fixture
def page(browser: Any, built: Sandbox) -> Iterator[Any]:
    """The page from disk, as an offline reader opens it."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto((built.root / "site/topic/index.html").as_uri())
    yield page
    context.close()


def visible(page: Any, name: str) -> list[str]:
    """The outputs of a block that can be seen."""
    return [samp.inner_text() for samp in page.locator(f"[id='topic.{name}'] samp").all() if samp.is_visible()]


def test_a_choice_of_device_switches_every_block_and_is_remembered(page: Any) -> None:
    assert visible(page, "differs") == ["device cpu\nloss 0.25"]
    top = page.locator("[id='topic.measures']").bounding_box()
    page.locator("[id='topic.differs']").get_by_role("tab", name="CUDA").click()
    assert visible(page, "differs") == ["device cuda:0\nloss 0.25"]
    assert page.locator("[id='topic.measures']").get_by_text("Measured on Some GPU").is_visible()
    assert page.locator("[id='topic.measures']").bounding_box() == top
    page.reload()
    assert visible(page, "differs") == ["device cuda:0\nloss 0.25"]
    for tab in page.get_by_role("tab", name="CUDA").all():
        assert tab.get_attribute("aria-selected") == "true"


def test_tabs_are_worked_by_keyboard(page: Any) -> None:
    block = page.locator("[id='topic.differs']")
    block.get_by_role("tab", name="CPU").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "CUDA"
    assert visible(page, "differs") == ["device cuda:0\nloss 0.25"]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") != "tab"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "CUDA"
    page.keyboard.press("ArrowLeft")
    assert visible(page, "differs") == ["device cpu\nloss 0.25"]


def test_folded_output_unfolds_by_keyboard(page: Any) -> None:
    pre = page.locator("[id='topic.prints_much'] .tp-long pre")
    assert pre.bounding_box()["height"] < 400
    button = page.get_by_role("button", name="Show all 40 lines")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert pre.bounding_box()["height"] > 600
    page.keyboard.press("Enter")
    assert pre.bounding_box()["height"] < 400


def test_folded_output_unfolds_where_the_browser_finds_a_word(browser: Any, built: Sandbox) -> None:
    page = browser.new_page()
    page.goto((built.root / "site/topic/index.html").as_uri() + "#:~:text=line%2039")
    page.wait_for_function("document.querySelector('.tp-all').ariaExpanded === 'true'")
    page.close()


def test_everything_is_there_without_scripts(browser: Any, built: Sandbox) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built.root / "site/topic/index.html").as_uri())
    _everything_is_visible(page)
    assert not page.get_by_role("button", name="Copy program").first.is_visible()
    assert page.get_by_role("link", name="Download .py").first.is_visible()
    context.close()


def test_a_printed_page_holds_everything_and_no_buttons(page: Any) -> None:
    page.emulate_media(media="print")
    _everything_is_visible(page)
    assert not [button for button in page.locator(".tp-block button").all() if button.is_visible()]


def _everything_is_visible(page: Any) -> None:
    assert visible(page, "differs") == ["device cpu\nloss 0.25", "device cuda:0\nloss 0.25"]
    assert [title.is_visible() for title in page.locator("[id='topic.differs'] .tp-title").all()] == [True, True]
    assert page.locator("[id='topic.draws'] figure svg").nth(1).is_visible()
    pre = page.locator("[id='topic.prints_much'] .tp-long pre")
    assert pre.evaluate("e => e.scrollHeight <= e.clientHeight")
    assert pre.evaluate("e => getComputedStyle(e).maskImage") == "none"


def test_selecting_the_code_by_hand_copies_no_number_of_a_note(page: Any) -> None:
    code = page.locator("[id='topic.differs'] pre > code").last
    code.evaluate("e => getSelection().selectAllChildren(e)")
    assert page.evaluate("getSelection().toString()").split("\n")[0] == 'print("device", torch.zeros(1).device)'
    assert page.locator("[id='topic.differs'] .tp-notes").inner_text().strip() == "torch.zeros(1): made on the default device"


@pytest.mark.parametrize("clipboard", ["granted", "refused"])
def test_copying_by_keyboard_is_announced(browser: Any, built: Sandbox, clipboard: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    if clipboard == "refused":
        page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    page.goto((built.root / "site/topic/index.html").as_uri())
    button = page.locator("[id='topic.differs']").get_by_role("button", name="Copy program")
    button.focus()
    page.keyboard.press("Enter")
    status = page.get_by_role("status")
    page.wait_for_function("document.querySelector('[role=status].tp-status').textContent")
    assert status.filter(has_text="Copied").inner_text() == "Copied: Copy program (4 lines)"
    assert page.evaluate("document.activeElement.className").startswith("tp-copy")
    html = (built.root / "site/topic/index.html").read_text()
    assert page.evaluate("navigator.clipboard.readText()") == "".join(parts_of(blocks_of(html)["snippets.topic.differs"]))
    context.close()


def test_only_what_scrolls_takes_the_focus(page: Any) -> None:
    focusable = "[...document.querySelectorAll('.tp-block :is(pre, code), .tp-figure')].filter(e => e.tabIndex === 0).length"
    # A block is looked at when the reader comes near.
    for block in page.locator(".tp-block").all():
        block.scroll_into_view_if_needed()
    page.wait_for_function(f"{focusable} === 0")
    page.set_viewport_size({"width": 200, "height": 800})
    page.wait_for_function(f"{focusable} > 0")
