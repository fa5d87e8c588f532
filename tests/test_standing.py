"""Records, written and read within this process: what is kept, what is compared, and what `check` and pages say of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.blocks import text_of
from tests.conftest import Sandbox
from tests.handmade import CPU, CUDA, project_of, record, run_of, snippet_of
from torchproof.changes import Change, as_markdown
from torchproof.check import check, summary
from torchproof.compare import difference, figure_text, same_figure, same_output
from torchproof.figures import with_ids
from torchproof.files import write_if_changed
from torchproof.pages import Directive, Forbidden, Page, line_of, notes_of, page_of, scan
from torchproof.problems import Place, Problem
from torchproof.project import Project, current, record_command
from torchproof.record import Record, mismatch, record_path, store
from torchproof.render import where_it_ran
from torchproof.results import output_html, results

SVG = '<svg width="10" viewBox="0 0 10 10"><path id="a" d="M 1 2"/><use href="#a"/><text>loss</text></svg>'
MODULE = '''
"""T."""
import pytest


def prints():
    """Show."""
    print(1.5)


def draws():
    """Show."""
    print(2)


@pytest.mark.raises(ValueError)
def raises():
    """Show."""
    raise ValueError("bad")


@pytest.mark.measurement
def measures():
    """Show."""
    print(3)


@pytest.mark.gpus(1)
def on_gpu():
    """Show."""
    print(4)


@pytest.mark.gpus(2)
def on_two():
    """Show."""
    print(5)


@pytest.mark.cpu_only("why")
def on_cpu():
    """Show."""
    print(6)
'''
PAGE = """
# T

::: snippets.topic.prints

::: snippets.topic.draws
    alt: A line.

::: snippets.topic.raises

::: snippets.topic.measures

::: snippets.topic.on_gpu

::: snippets.topic.on_two

::: snippets.topic.on_cpu
"""


@pytest.fixture
def topic(tmp_path: Path) -> Project:
    project = project_of(tmp_path, {"snippets/topic.py": MODULE, "docs/index.md": PAGE})
    runs = [
        run_of(project, "topic.prints", "1.5\n"),
        run_of(project, "topic.draws", "2 ± 0\n", (SVG,)),
        run_of(project, "topic.raises", exception={"type": "ValueError", "message": "bad"}),
        run_of(project, "topic.measures", "3\n"),
        run_of(project, "topic.on_cpu", "6\n"),
    ]
    return record(project, "cpu", "topic", *runs)


def stored(project: Project, *runs: object, environment: dict[str, object] = CPU, known: set[str] | None = None) -> bool:
    names = set(project.catalog.modules["topic"].snippets) if known is None else known
    return store(project.root, "cpu", "topic", environment, list(runs), names)  # type: ignore[arg-type]


def entries(project: Project) -> dict[str, dict[str, object]]:
    told: dict[str, dict[str, object]] = json.loads(record_path(project.root, "cpu", "topic").read_text())["snippets"]
    return told


def test_a_record_holds_what_ran_line_by_line(topic: Project) -> None:
    path = topic.root / "docs/records/cpu/topic.json"
    told = json.loads(path.read_text())
    assert told["environment"] == CPU
    assert told["snippets"]["prints"] == {
        "sha256": topic.program(snippet_of(topic, "topic.prints")).sha256,
        "seconds": 0.25,
        "stdout": ["1.5", ""],
    }
    assert told["snippets"]["raises"]["exception"] == {"message": "bad", "type": "ValueError"}
    (figure,) = told["snippets"]["draws"]["figures"]
    assert re.fullmatch(r"draws-[0-9a-f]{8}\.svg", figure["file"]) and figure["sha256"].startswith(figure["file"][6:14])
    assert (path.parent / "topic" / figure["file"]).read_text() == SVG
    assert Record.load(path).text() == path.read_text() == json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert Record.load(path).device == "cpu"
    assert path.stat().st_mode & 0o777 == 0o644


def test_noise_keeps_the_record(topic: Project) -> None:
    before = record_path(topic.root, "cpu", "topic").read_text()
    assert not stored(topic, run_of(topic, "topic.prints", "1.50001\n", seconds=9.0))
    assert not stored(topic, run_of(topic, "topic.measures", "777\n"))
    assert not stored(topic, run_of(topic, "topic.draws", "2 ± 0\n", (SVG.replace("1 2", "1.01 2"),)))
    assert record_path(topic.root, "cpu", "topic").read_text() == before


def test_a_change_replaces_the_entry_and_its_figure(topic: Project) -> None:
    old = topic.record("cpu", "topic").entries["draws"].figures[0][0]
    drawn = SVG.replace("1 2", "3 4")
    assert stored(topic, run_of(topic, "topic.prints", "2.5\n", seconds=9.0), run_of(topic, "topic.draws", "2 ± 0\n", (drawn,)))
    told = entries(topic)
    # The program is the same, on the same machine: how long it took is no news.
    assert (told["prints"]["stdout"], told["prints"]["seconds"]) == (["2.5", ""], 0.25)
    (figure,) = told["draws"]["figures"]  # type: ignore[misc]
    folder = topic.root / "docs/records/cpu/topic"
    assert [path.name for path in folder.iterdir()] == [figure["file"]] != [old]
    assert (folder / figure["file"]).read_text() == drawn


def test_a_changed_program_has_a_duration_of_its_own(topic: Project) -> None:
    stored(topic, replace(run_of(topic, "topic.prints", "1.5\n", seconds=9.12345), sha256="0" * 64))
    assert (entries(topic)["prints"]["sha256"], entries(topic)["prints"]["seconds"]) == ("0" * 64, 9.123)


def test_what_is_no_more_leaves_the_record(topic: Project) -> None:
    assert stored(topic, known={"prints", "raises"})
    assert set(entries(topic)) == {"prints", "raises"}
    assert list((topic.root / "docs/records/cpu/topic").iterdir()) == []


def test_on_another_machine_what_changed_says_so_itself(topic: Project) -> None:
    other = CPU | {"device": "Another"}
    assert stored(
        topic, run_of(topic, "topic.prints", "2.5\n"), run_of(topic, "topic.draws", "2 ± 0\n", (SVG,)), environment=other
    )
    loaded = Record.load(record_path(topic.root, "cpu", "topic"))
    assert loaded.environment == CPU
    assert loaded.entries["prints"].environment == loaded.environment_of(loaded.entries["prints"]) == other
    assert loaded.entries["draws"].environment is None
    assert loaded.environment_of(loaded.entries["draws"]) == CPU
    # A measurement there is another measurement.
    assert stored(topic, run_of(topic, "topic.measures", "777\n"), environment=other)
    assert entries(topic)["measures"]["stdout"] == ["777", ""]
    # Back on the first machine.
    assert stored(topic, run_of(topic, "topic.prints", "3.5\n"))
    assert "environment" not in entries(topic)["prints"]


def test_recording_all_of_a_module_elsewhere_moves_the_record(topic: Project) -> None:
    other = CPU | {"device": "Another"}
    names = {"prints": "1.5\n", "measures": "3\n", "on_cpu": "6\n"}
    runs = [run_of(topic, f"topic.{name}", text) for name, text in names.items()]
    assert stored(topic, *runs, environment=other, known=set(names))
    loaded = Record.load(record_path(topic.root, "cpu", "topic"))
    assert loaded.environment == other
    assert [entry.environment for entry in loaded.entries.values()] == [None] * 3


def test_a_lost_figure_comes_back(topic: Project) -> None:
    (figure,) = (topic.root / "docs/records/cpu/topic").iterdir()
    figure.unlink()
    loaded = Record.load(record_path(topic.root, "cpu", "topic"))
    with pytest.raises(
        Problem, match=r"draws-\w+\.svg:1: a recorded figure is missing\n    to fix: pytest snippets/topic\.py --record"
    ):
        loaded.figure(figure.name)
    stored(topic, run_of(topic, "topic.draws", "2 ± 0\n", (SVG,)))
    assert loaded.figure(figure.name) == SVG
    figure.write_text("<svg/>")
    with pytest.raises(Problem, match="a figure is not the one that was recorded"):
        loaded.figure(figure.name)


@pytest.mark.parametrize(
    ("name", "changes", "what"),
    [
        ("prints", {}, ""),
        ("prints", {"stdout": "1.6\n"}, "output"),
        ("raises", {}, ""),
        ("raises", {"exception": None}, "exception"),
        ("raises", {"exception": {"type": "TypeError", "message": "bad"}}, "exception"),
        ("raises", {"exception": {"type": "ValueError", "message": "good"}}, "exception"),
        ("draws", {}, ""),
        ("draws", {"figures": ()}, "figures"),
        ("draws", {"figures": (SVG, SVG)}, "figures"),
        ("draws", {"figures": (SVG.replace("1 2", "1 3"),)}, "figures"),
        ("draws", {"figures": (SVG.replace("loss", "error"),)}, "figures"),
    ],
)
def test_a_run_is_compared_with_its_record(name: str, changes: dict[str, object], what: str, topic: Project) -> None:
    loaded = Record.load(record_path(topic.root, "cpu", "topic"))
    same = {"prints": ("1.5\n", ()), "draws": ("2 ± 0\n", (SVG,)), "raises": ("", ())}[name]
    exception = {"type": "ValueError", "message": "bad"} if name == "raises" else None
    run = replace(run_of(topic, f"topic.{name}", *same, exception=exception), **changes)  # type: ignore[arg-type]
    assert mismatch(loaded, loaded.entries[name], run, CPU) == what


def test_figures_of_another_matplotlib_compare_by_their_words(topic: Project) -> None:
    loaded = Record.load(record_path(topic.root, "cpu", "topic"))
    moved, renamed = (
        run_of(topic, "topic.draws", "2 ± 0\n", (SVG.replace(*pair),)) for pair in (("1 2", "7 7"), ("loss", "error"))
    )
    other = CPU | {"matplotlib": "4.0"}
    assert mismatch(loaded, loaded.entries["draws"], moved, other) == ""
    assert mismatch(loaded, loaded.entries["draws"], renamed, other) == "figures"


@pytest.mark.parametrize(
    ("recorded", "printed", "same"),
    [
        ("1", "1.0", False),
        ("1", "2", False),
        ("1.5", "1.50014", True),
        ("1.5", "1.5002", False),
        ("0.001", "0.0011", False),
        ("0.0001", "0.0002", True),
        ("0.0001", "0.0003", False),
        ("0.00001", "0.0001", True),
        ("1e-9", "2e-9", False),
        ("1.00000e-9", "1.00001e-9", True),
        ("1.0000E-9", "2.0000E-9", False),
        ("a 1.5", "b 1.5", False),
        ("1.5 1.5", "1.5", False),
        ("v1.5", "v1.50001", False),
        ("-1.5", "1.5", False),
        ("1e3", "1000.0", True),
        ("nan", "nan", True),
        ("x=.5", "x=.50001", True),
    ],
)
def test_numbers_agree_within_their_places(recorded: str, printed: str, same: bool) -> None:
    assert same_output(recorded, printed) is same
    assert same_output(printed, recorded) is same


def test_figures_agree_within_three_quarters_of_a_point() -> None:
    assert same_figure(SVG, SVG.replace("1 2", "1.74 1.26"))
    assert not same_figure(SVG, SVG.replace("1 2", "1.76 2"))
    assert same_figure("<svg x='1000'/>", "<svg x='1000.7'/>")
    assert figure_text('<svg><text x="1">a b</text><tspan>c</tspan><title>d</title></svg>') == ["a b", "c"]


def test_a_difference_shows_two_lines_around() -> None:
    recorded = "".join(f"{n}\n" for n in range(9))
    assert difference(recorded, recorded.replace("4", "x")).split("\n") == [
        "--- recorded", "+++ this run", "@@ -3,5 +3,5 @@", " 2", " 3", "-4", "+x", " 5", " 6",
    ]  # fmt: skip


def test_the_standing_on_each_device(topic: Project) -> None:
    def states(device: str) -> dict[str, str]:
        return {s.name: topic.standing(topic.program(s), device).state for s in topic.catalog.snippets()}

    assert states("cpu") == {
        "prints": "fresh", "draws": "fresh", "raises": "fresh", "measures": "fresh", "on_gpu": "excused", "on_two": "excused", "on_cpu": "fresh",
    }  # fmt: skip
    assert set(states("cuda").values()) == {"missing", "excused"}
    stand = topic.standing(topic.program(snippet_of(topic, "topic.on_cpu")), "cuda")
    assert (stand.state, stand.reason) == ("excused", "why")
    assert topic.standing(topic.program(snippet_of(topic, "topic.on_gpu")), "cpu").reason == "it needs a GPU"
    assert topic.standing(topic.program(snippet_of(topic, "topic.on_two")), "cuda").state == "missing"


def test_a_machine_with_one_gpu_excuses_what_needs_two(topic: Project) -> None:
    recorded = record(topic, "cuda", "topic", run_of(topic, "topic.on_gpu", "4\n"))
    stand = recorded.standing(recorded.program(snippet_of(recorded, "topic.on_two")), "cuda")
    assert (stand.state, stand.reason) == ("excused", "it needs 2 GPUs, and the recording machine has 1")
    assert stand.environment == CUDA
    one = recorded.standing(recorded.program(snippet_of(recorded, "topic.on_gpu")), "cuda")
    assert (one.state, one.environment) == ("fresh", CUDA)
    path = record_path(topic.root, "cuda", "topic")
    path.write_text(path.read_text().replace('"count": 1', '"count": 2'))
    again = Project(topic.root)
    assert again.standing(again.program(snippet_of(again, "topic.on_two")), "cuda").state == "missing"


def test_what_cannot_be_shown_names_the_command(topic: Project) -> None:
    snippet = snippet_of(topic, "topic.prints")
    standing = topic.standing(topic.program(snippet), "cuda")
    with pytest.raises(Problem) as told:
        current(standing, snippet, "cuda")
    assert told.value.what == "snippets.topic.prints has no record on the cuda"
    assert told.value.fix == record_command(snippet, "cuda") == "pytest snippets/topic.py::prints --device cuda --record"
    assert record_command(snippet) == "pytest snippets/topic.py::prints --record"
    assert told.value.place == snippet.place
    assert topic.recorded_devices() == ["cpu"]


def test_where_it_ran_in_words(topic: Project) -> None:
    recorded = record(topic, "cuda", "topic", run_of(topic, "topic.on_gpu", "4\n"), run_of(topic, "topic.prints", "1.5\n"))

    def words(name: str) -> list[str]:
        program = recorded.program(snippet_of(recorded, f"topic.{name}"))
        return where_it_ran(program.snippet, recorded.standing(program, "cpu"), recorded.standing(program, "cuda"))

    cpu = "CPU torch 2.15.0, Python 3.12.1"
    assert words("prints") == [cpu, "CUDA Some GPU, torch 2.11.0"]
    assert words("draws") == [cpu, "Not yet run on a GPU"]
    assert words("measures") == ["CPU A CPU, 1 thread, torch 2.15.0, Python 3.12.1", "Not yet run on a GPU"]
    assert words("on_gpu") == ["CUDA Some GPU, torch 2.11.0"]
    assert words("on_two") == ["Not yet run: it needs 2 GPUs, and the recording machine has 1"]
    assert words("on_cpu") == [cpu, "CPU only: why"]
    for missing, told in (("on_gpu", "Needs 1 GPU: not yet run"), ("on_two", "Needs 2 GPUs: not yet run")):
        program = topic.program(snippet_of(topic, f"topic.{missing}"))
        assert where_it_ran(program.snippet, topic.standing(program, "cpu"), topic.standing(program, "mps")) == [told]


def shown(project: Project, name: str, alts: list[str]) -> str:
    program = project.program(snippet_of(project, f"topic.{name}"))
    return results(program.snippet, {device: project.standing(program, device) for device in ("cpu", "cuda")}, alts)


def test_two_devices_share_what_agrees_and_have_tabs_for_what_differs(topic: Project) -> None:
    assert text_of(shown(topic, "prints", [])) == "Output on CPU1.5"
    runs = [
        run_of(topic, "topic.prints", "1.50001\n"),
        run_of(topic, "topic.draws", "2 ± 0\n", (SVG.replace("1 2", "7 7"),)),
        run_of(topic, "topic.measures", ""),
    ]
    both = record(topic, "cuda", "topic", *runs)
    assert text_of(shown(both, "prints", [])) == "Output on CPU and CUDA1.5"
    html = shown(both, "draws", ["A line."])
    assert re.findall(r'role="tab" data-device="(\w+)" aria-selected="(\w+)"(?: tabindex="(.*?)")?', html) == [
        ("cpu", "true", ""), ("cuda", "false", "-1"),
    ]  # fmt: skip
    assert re.findall(r'<p class="(.*?)">(.*?)</p>', html) == [
        ("tp-title tp-named", "Output on CPU"), ("tp-title tp-named", "Output on CUDA"),
    ]  # fmt: skip
    assert re.findall(r' id="(.*?)"| href="(.*?)"', html) == [("cpu-a", ""), ("", "#cpu-a"), ("cuda-a", ""), ("", "#cuda-a")]
    measured = shown(both, "measures", [])
    assert re.findall(r'<p class="(.*?)">(.*?)</p>', measured) == [
        ("tp-title", "Measured on A CPU, 1 thread"), ("tp-title", "Measured on Some GPU"),
    ]  # fmt: skip
    assert "<p>It printed nothing.</p>" in measured
    assert shown(both, "on_gpu", []) == ""
    with pytest.raises(Problem, match="the program draws 1 figures and the block has 0 alt texts"):
        shown(both, "draws", [])


def test_an_exception_is_a_part_of_the_output(topic: Project) -> None:
    assert shown(topic, "raises", []).endswith(
        '<pre tabindex="0"><samp><span class="tp-error">ValueError: bad</span></samp></pre></div>'
    )


def test_output_beyond_twenty_lines_has_a_button() -> None:
    assert "tp-long" not in output_html("\n".join("x" * 20))
    assert 'aria-expanded="false">Show all 21 lines</button>' in output_html("\n".join("x" * 21))
    assert text_of(output_html("1")) == "Output1"
    assert text_of(output_html("1", "")) == "1"


def test_the_check_counts_and_names(topic: Project) -> None:
    report = check(topic)
    assert report.problems == []
    assert report.states == {"cpu": Counter(fresh=5, excused=2)}
    assert summary(report) == "cpu: 2 excused, 5 fresh"
    both = check(topic, ("cpu", "cuda"))
    assert [problem.what for problem in both.problems] == [
        f"snippets.topic.{name} has no record on the cuda"
        for name in ("prints", "draws", "raises", "measures", "on_gpu", "on_two")
    ]
    assert summary(both).split("\n")[1] == "cuda: 1 excused, 6 missing"


def test_the_check_is_content_with_what_tests_and_programs_use(topic: Project) -> None:
    more = '\n\ndef used(x):\n    """U."""\n    return x\n\n\ndef tested(x):\n    """T."""\n    return x\n\n\ndef idle(x):\n    """I."""\n    return x\n\n\ndef uses():\n    """U."""\n    print(used(1))\n'
    sandbox = Sandbox(topic.root)
    sandbox.write("snippets/topic.py", MODULE + more)
    sandbox.write("snippets/test_topic.py", "from snippets.topic import tested\n")
    found = {(p.what, p.fix) for p in check(Project(topic.root)).problems}
    assert found == {
        ("nothing uses snippets.topic.idle", "use it in a demo or a test, show it on a page, or remove it"),
        ("no page shows snippets.topic.uses", "write `::: snippets.topic.uses` on a page"),
        *((f"snippets.topic.{name} has no record on the cpu", f"pytest snippets/topic.py::{name} --record") for name in ("used", "tested", "idle", "uses")),
    }  # fmt: skip


def test_the_check_names_each_fault_of_a_page_at_its_line(topic: Project) -> None:
    page = "---\na: b\n---\n::: snippets.topic.prints\n    size: 1\n    highlight: gone\n\n::: snippets.topic.draws\n\n::: elsewhere.quite_unlike\n\n```py\n```\n"
    (topic.root / "docs/index.md").write_text(page)
    (topic.root / "docs/other.md").write_text(PAGE)
    told = [(p.place.line if p.place else 0, p.what, p.fix) for p in check(Project(topic.root)).problems]
    assert told == [
        (5, "'size: 1' is no option of a block", "use alt or highlight or note"),
        (4, "the text to highlight, 'gone', occurs nowhere in the block", "name text that occurs once"),
        (8, "the program draws 1 figures and the block has 0 alt texts", "write one `alt: what the figure shows` line below the block for each figure"),
        (10, "there is no snippet elsewhere.quite_unlike", "the modules are topic"),
        (12, "a fenced Python block: nothing has run it", "write the code as a demo in snippets/ and show it with `::: snippets.module.name`"),
    ]  # fmt: skip


def test_a_damaged_record_is_named_once(topic: Project) -> None:
    record_path(topic.root, "cpu", "topic").write_text("{")
    (problem,) = check(Project(topic.root)).problems
    assert re.search(
        r"topic\.json:1: the record is not valid JSON \(.*\)\n    to fix: git checkout topic\.json, or", str(problem)
    )


@pytest.mark.parametrize(
    "damage", ['{"snippets": {}}', "[]", '{"snippets": {"a": {}}, "environment": {}}', '{"snippets": [1]}']
)
def test_a_record_that_lacks_something_is_named(damage: str, topic: Project) -> None:
    record_path(topic.root, "cpu", "topic").write_text(damage)
    with pytest.raises(Problem) as told:
        Project(topic.root).record("cpu", "topic")
    assert told.value.what.startswith("the record lacks what a record holds (")
    assert told.value.place == Place(record_path(topic.root, "cpu", "topic"), 1)
    assert told.value.fix == "git checkout topic.json, or delete it and record again: pytest snippets/topic.py --record"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("::: a.b", [("a.b", 0, 1, "", {})]),
        ("  ::: a.b  \n      alt: x  ", [("a.b", 0, 2, "  ", {"alt": ["x"]})]),
        (
            "::: a\n    note: x => y\n    note: z => w\n    alt: v\ntext",
            [("a", 0, 4, "", {"note": ["x => y", "z => w"], "alt": ["v"]})],
        ),
        ("::: a b", []),
        (":::: a", []),
        ("```\n::: a\n```\n::: b", [("b", 3, 4, "", {})]),
        ("````\n```\n::: a\n````\n::: b", [("b", 4, 5, "", {})]),
        ("~~~ text\n```\n::: a\n~~~\n::: b", [("b", 4, 5, "", {})]),
        ("```\n``` text\n::: a\n```", []),
    ],
)
def test_directives_of_a_page(lines: str, found: list[tuple[object, ...]]) -> None:
    items = list(scan(lines.split("\n")))
    assert [(i.name, i.start, i.stop, i.indent, i.options) for i in items if isinstance(i, Directive)] == found


@pytest.mark.parametrize("info", ["python", "py", "Python3", "{ .py title='x' }", "pycon", "ipython3", "{.python}"])
def test_fenced_python_is_forbidden(info: str) -> None:
    (item,) = scan(["text", f"  ```{info}", "1", "  ```"])
    assert isinstance(item, Forbidden)
    assert item.start == 1


@pytest.mark.parametrize("info", ["", "text", "pytest", "bash", "pyth"])
def test_other_fences_are_text(info: str) -> None:
    assert list(scan([f"```{info}", "1", "```"])) == []


def test_lines_and_notes_are_found_by_their_text() -> None:
    body = "first\nsecond a b\nthird"
    assert line_of(body, "third") == 3
    assert [(n.line, n.code, n.words) for n in notes_of(body, ["b => B", "third => T ", "a => A => C"])] == [
        (2, "a", "A => C"), (2, "b", "B"), (3, "third", "T"),
    ]  # fmt: skip
    with pytest.raises(Problem, match=r"the text to highlight, 'ir', occurs 2 times in the block"):
        line_of(body, "ir")
    with pytest.raises(
        Problem, match="the note 'b' says not what it is about\n    to fix: write `note: code of the block => words`"
    ):
        notes_of(body, ["b"])


def test_a_page_is_known_by_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nx: y\n---\n\n\nFirst\n  \n\tTabbed\n")
    (tmp_path / "b.md").write_text("\ufeffOther\n")
    (tmp_path / "c.md").write_text("")
    found = page_of(tmp_path, ["", "First", "", "    Tabbed"])
    assert found is not None
    page, before = found
    assert (page.path.name, before, page.offset) == ("a.md", 1, 3)
    assert page.place(before + 1) == Place(tmp_path / "a.md", 6)
    assert page_of(tmp_path, ["Other"]) == (Page.read(tmp_path / "b.md"), 0)
    assert page_of(tmp_path, ["Unknown"]) is None
    assert page_of(tmp_path, [""]) == (Page.read(tmp_path / "c.md"), 0)


def test_changes_are_told_in_the_order_of_what_a_reader_sees() -> None:
    found = [
        Change("cpu", "snippets.a.b", "program", ""),
        Change("cuda", "snippets.a.c", "output", "-1\n+2"),
        Change("cpu", "snippets.a.d", "new", ""),
    ]
    assert as_markdown(found) == (
        "**2 outputs changed**, and 1 programs changed that do the same.\n\n- `snippets.a.c` on cuda prints something else\n\n"
        "  ```diff\n  -1\n  +2\n  ```\n\n- `snippets.a.d` on cpu is new\n- `snippets.a.b` on cpu changed, and does the same\n"
    )
    assert as_markdown([]) == "No output changed.\n"


def test_ids_are_numbered_and_kept_only_where_something_refers_to_them() -> None:
    svg = '<svg><g id="x"><path id="m1" d="1"/></g><clipPath id="p"/><g clip-path="url(#p)"/><use href="#m1"/><use xlink:href="#m1"/></svg>'
    assert with_ids(svg, "t-1") == (
        '<svg><g><path id="t-1-0" d="1"/></g><clipPath id="t-1-1"/><g clip-path="url(#t-1-1)"/><use href="#t-1-0"/>'
        '<use xlink:href="#t-1-0"/></svg>'
    )


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert write_if_changed(path, "é\n")
    before = path.stat().st_mtime_ns
    assert not write_if_changed(path, "é\n")
    assert path.stat().st_mtime_ns == before
    assert write_if_changed(path, "e\n")
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_place_is_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path / "a" / "b.py", 3)
    assert str(place) == f"{tmp_path}/a/b.py:3"
    monkeypatch.chdir(tmp_path)
    assert str(place) == "a/b.py:3"
