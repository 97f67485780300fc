"""The verbs, and the command line. A verb's module is imported when it is used, not before."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from runner.model.errors import UsageError

VERBS = {
    "plan": "show what would run; --out writes it to a file for review",
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
    "enrol": "give a host a key of ours that may do what the jobs want there, and no more",
    "announce": "tell the users when a job will interrupt them, or that it will not",
    "validate": "check jobs.toml and print every problem at once",
    "config": "print jobs.toml as it is understood, with every default filled in",
    "history": "list the last runs, or show what is known of the past of a store",
}
# These are about jobs.toml alone, wherever they are typed.
_OF_THE_FILE = ("validate", "config")
# What people type who know other programs.
_RUN = "runner run makes what is due, runner run JOB one job now; runner snapshots lists what there is"
_PRUNE = "jobs of kind prune do it: runner status lists them, and runner run JOB runs one"
_CHECK = "runner validate checks jobs.toml; jobs of kind check, audit and drill check the stores: runner run JOB"
_PLAN = "runner plan shows what would be done, and does nothing"
_WORDS: Mapping[str, str] = {
    word: advice
    for words, advice in (
        ("backup backups snapshot create make start execute go now sync copy", _RUN),
        ("list ls show", "runner snapshots lists the snapshots, runner find PATH the versions of a file"),
        ("prune purge forget rotate expire delete remove clean cleanup", _PRUNE),
        ("check verify audit drill test lint", _CHECK),
        ("dry-run dryrun preview simulate", _PLAN),
        ("log logs runs", "runner history lists the last runs"),
        ("recover get extract undelete", "runner restore HOST PATH gets a file or folder back"),
        ("dump reboot halt update updates upgrade access disk", "that is a kind of job: runner run JOB runs one"),
        ("compare", "runner diff shows what differs between two snapshots"),
        ("mount", "a snapshot is a plain folder: runner status says where the stores are"),
        ("cancel", "runner announce JOB --cancel"),
        ("cron schedule next", "runner status says when each job is due"),
        ("init setup install", "edit jobs.toml, then: runner validate"),
        ("help", "all verbs: runner --help; one of them: runner run --help"),
        ("version", "runner --version"),
    )
    for word in words.split()
}
_PRETENDING = frozenset(("--dry-run", "--dryrun", "--simulate", "--just-print", "--whatif"))
# Where -n is no option of ours, it is that of rsync and make.
_RUNNING = ("run", "apply")
_RESTORING = ("restore", "restore-db")


def parse(argv: Sequence[str]) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """The verb's function and its options. Leaves with exit 0 for --help, 2 for a wrong command line; UsageError
    where a word of it means something else here.
    """
    _require_meant(argv)
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
            "-f", "--file", default="", metavar="JOBS.TOML", help="the site (default: jobs.toml here or beside .venv)"
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
    if not argv:
        # Without a verb nothing was done, and whoever calls it must not take that for a success.
        parser.exit(2, parser.format_help())
    options = parser.parse_args(argv)
    if run is None:
        raise AssertionError("argparse accepted a verb that is not in the table")
    return run, options


def _require_meant(argv: Sequence[str]) -> None:
    """UsageError where the first word is no verb, or an option asks to pretend; with what does that here."""
    if argv and not argv[0].startswith("-") and argv[0] not in VERBS:
        from runner.config.complaints import nearest

        near = nearest(argv[0], VERBS)
        others = f"the verbs are {', '.join(VERBS)}; a job is run with: runner run JOB"
        hint = f"did you mean: runner {near}?" if near else others
        raise UsageError(f"there is no verb {argv[0]!a}", do=_WORDS.get(argv[0].lower(), hint))
    words = argv[: argv.index("--")] if "--" in argv else argv
    for word in words:
        if word in _PRETENDING or word == "-n" and argv[0] in _RUNNING:
            out = "; with --out plan.toml this verb writes its plan and stops" if argv[0] in _RESTORING else ""
            raise UsageError(f"there is no {word}: nothing here only pretends", do=f"{_PLAN}{out}")


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **_: object) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from runner import __version__

        parser.exit(0, f"runner {__version__}\n")


def _codes() -> str:
    from runner.model.errors import EXIT_CODES

    return "exit codes:\n" + "\n".join(f"  {code:<3} {meaning}" for code, meaning in EXIT_CODES.items())
