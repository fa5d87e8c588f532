"""The command line: `torchproof check`, `new`, `serve`, `changes`, `compat`, `program`, `notebook`, `publish` and `finish`."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from torchproof.problems import Problem
from torchproof.project import Project
from torchproof.record import DEVICES


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all is well, 1 if there are problems, 2 for a wrong call."""
    parser = argparse.ArgumentParser(prog="torchproof", description="What you copy is what ran.")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the project (default: this directory)")
    commands = parser.add_subparsers(dest="command", required=True)
    checker = commands.add_parser("check", help="say what is fresh, stale, missing or failed, and what no page shows")
    checker.add_argument(
        "--require",
        action="append",
        choices=DEVICES,
        help="a device whose records must all be there (default: cpu; repeatable)",
    )
    printer = commands.add_parser("program", help="print the program of a snippet")
    printer.add_argument("name", help="its import path, such as snippets.storage.transpose_is_a_view")
    writer = commands.add_parser(
        "notebook", help="make the notebooks of the tutorials; code that has not changed is not run again"
    )
    writer.add_argument("names", nargs="*", metavar="NAME", help="a tutorial, such as one_line_five_ways (default: all)")
    writer.add_argument("--again", action="store_true", help="run the code even if it has not changed")
    commands.add_parser("publish", help="write programs and notebooks below docs/, where the site serves them")
    finisher = commands.add_parser("finish", help="add to the built site its Markdown pages, llms.txt and offline search")
    finisher.add_argument("site", type=Path, help="the folder that `mkdocs build` wrote")
    teller = commands.add_parser("changes", help="say, in Markdown, which outputs differ from those of a git revision")
    teller.add_argument("revision", nargs="?", default="HEAD", help="a commit, branch or tag (default: HEAD)")
    commands.add_parser("compat", help="run every program with each supported version of torch, in environments of their own")
    beginner = commands.add_parser("new", help="begin a chapter or a block with files that pass as they are")
    beginner.add_argument("what", choices=["chapter", "snippet"])
    beginner.add_argument("name", help="of a chapter, such as sorting, or of a snippet, such as sorting.sorted_rows")
    commands.add_parser("serve", help="serve the site while you write; what you save in snippets/ runs at once")
    options, more = parser.parse_known_args(arguments)
    if more and options.command != "serve":
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    root = options.root.resolve()
    if not (root / "snippets").is_dir():
        parser.error(f"{root} holds no snippets/: change into the project, or name it with --root")
    # A short run makes trees, not garbage: collecting costs a fifth of its time.
    gc.disable()
    project = Project(root)
    try:
        if options.command == "check":
            return _check(project, tuple(options.require or ["cpu"]))
        if options.command == "program":
            print(project.program(project.catalog.find(options.name)).source, end="")
            return 0
        if options.command == "notebook":
            return _notebook(project, options.names, options.again)
        if options.command == "new":
            return _new(root, options.what, options.name)
        if options.command == "serve":
            return _serve(root, more)
        if options.command == "changes":
            return _changes(root, options.revision)
        if options.command == "compat":
            return _compat(root)
        if options.command == "finish":
            return _finish(project, options.site.resolve())
        return _publish(project)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1


def _check(project: Project, required: tuple[str, ...]) -> int:
    from torchproof.remembered import fingerprint, recall, remember

    key = fingerprint(project.root, *required)
    answer = recall(project.root, key)
    if answer is not None:
        print(answer)
        return 0
    from torchproof.check import check, summary

    report = check(project, required)
    for problem in report.problems:
        print(problem)
    print(summary(report))
    if report.problems:
        print(f"{len(report.problems)} problem{'s' * (len(report.problems) > 1)}")
        return 1
    # What was changed while it was looked at belongs to no answer.
    if key and key == fingerprint(project.root, *required):
        remember(project.root, key, summary(report))
    return 0


def _notebook(project: Project, names: list[str], again: bool) -> int:
    from concurrent.futures import ThreadPoolExecutor

    from torchproof.notebook import make
    from torchproof.tutorial import Tutorial, chosen

    def attempt(tutorial: Tutorial) -> bool:
        try:
            made = make(project, tutorial, again)
        except Problem as problem:
            print(problem, file=sys.stderr)
            return False
        ran = f"ran in {made.seconds:.0f} s" if made.executed else "the code has not changed"
        print(f"{tutorial.name}: {ran}, {'written' if made.changed else 'unchanged'}", flush=True)
        return True

    stories = chosen(project, names)
    # A cell's code has one thread, so two notebooks keep two cores busy.
    with ThreadPoolExecutor(2) as pool:
        return 0 if all(list(pool.map(attempt, stories))) else 1


def _publish(project: Project) -> int:
    from torchproof.publish import publish

    count, problems = publish(project)
    print(f"{count} programs in docs/programs/")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _changes(root: Path, revision: str) -> int:
    from torchproof.changes import as_markdown, changes

    print(as_markdown(changes(root, revision)), end="")
    return 0


def _compat(root: Path) -> int:
    from torchproof.compat import compat

    print("\n".join(compat(root, lambda line: print(line, flush=True))))
    return 0


def _new(root: Path, what: str, name: str) -> int:
    from torchproof.scaffold import new_chapter, new_snippet

    print("\n".join(new_chapter(root, name) if what == "chapter" else new_snippet(root, name)))
    return 0


def _serve(root: Path, arguments: list[str]) -> int:
    from torchproof.publish import publish
    from torchproof.watch import serve

    gc.enable()  # This is no short run.
    publish(Project(root))
    return serve(root, arguments)


def _finish(project: Project, site: Path) -> int:
    from torchproof.finish import finish

    print(", ".join(finish(project, site)), f"in {site}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
