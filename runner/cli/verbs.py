"""The verbs, and the command line. A verb's module is imported when it is used, not before."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module

VERBS = {
    "plan": "show what would run, and write it to a file for review",
    "apply": "run exactly what a reviewed plan file says, once",
    "run": "plan, review and run what is due, or the named jobs",
    "status": "how each job ended last, when it is due, what the stores hold",
    "snapshots": "list the snapshots of the stores, or what could not be read for one",
    "find": "list every version of a file or folder across the snapshots",
    "diff": "show what differs between two snapshots",
    "restore": "get a file or folder back, into a side folder unless told otherwise",
    "restore-db": "get a database back from a dump, beside the old one or in its place",
    "bare-metal": "print how a lost host is made again, step by step",
    "pin": "keep one snapshot whatever the retention says, or release it again",
    "announce": "tell the users when a job will interrupt them, or that it will not",
    "validate": "check jobs.toml and print every problem at once",
    "config": "print jobs.toml as it is understood, with every default filled in",
    "history": "list the last runs",
}
# These are about jobs.toml alone, wherever they are typed.
_OF_THE_FILE = ("validate", "config")


def parse(argv: Sequence[str]) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """The verb's function and its options. Leaves with exit 0 for --help, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="runner",
        description="Keep a small site safe: declare it in jobs.toml, read the plan, run exactly that.",
        epilog=_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    typed = next((word for word in argv if word in VERBS), "")
    run: Callable[[argparse.Namespace], int] | None = None
    for name, summary in VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        verb.add_argument(
            "-f", "--file", default="jobs.toml", metavar="JOBS.TOML", help="the site (default: jobs.toml)"
        )
        if name not in _OF_THE_FILE:
            verb.add_argument(
                "--here",
                default="",
                metavar="HOST",
                help="which host of it this machine is (default: the one of its name, or that a run has bound it to)",
            )
        if name == typed:
            module = import_module(f"runner.cli.{name.replace('-', '_')}")
            module.arguments(verb)
            run = module.run
    options = parser.parse_args(argv)
    if run is None:
        raise AssertionError("argparse accepted a verb that is not in the table")
    return run, options


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **_: object) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from runner import __version__

        parser.exit(0, f"runner {__version__}\n")


def _codes() -> str:
    from runner.model.errors import EXIT_CODES

    return "exit codes:\n" + "\n".join(f"  {code:<3} {meaning}" for code, meaning in EXIT_CODES.items())
