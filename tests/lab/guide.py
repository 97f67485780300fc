"""What the keeper's guide says to type, played word by word on the hosts that it names."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.lab.machines import CHECKOUT, Lab

PROMPT = re.compile(r"    ([a-z0-9-]+)# (.+)")
FENCE = "```toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """A command of the guide, and on which host it is typed."""

    host: str
    command: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited:
    """Lines of `jobs.toml` that the guide says to change: the text of a block of TOML."""

    text: str


Step = Typed | Edited


def steps(section: str) -> tuple[Step, ...]:
    """Everything that a section of the guide says to do, in its order: lines behind a prompt, and blocks of TOML."""
    text = (CHECKOUT / "docs/guide.md").read_text("utf-8")
    _, head, rest = text.partition(f"\n## {section}\n")
    assert head, f"the guide has no section {section!r}"
    lines, found = iter(rest.partition("\n## ")[0].splitlines()), list[Step]()
    for line in lines:
        if line == FENCE:
            block = []
            while (line := next(lines)) != "```":
                block.append(line)
            found.append(Edited(text="\n".join(block)))
        elif typed := PROMPT.fullmatch(line):
            host, command = typed.groups()
            end = re.search(r"<<'?(\w+)'?", command)
            while end and command.splitlines()[-1] != end[1]:
                command += "\n" + next(lines).removeprefix("    ")
            found.append(Typed(host=host, command=command))
    return tuple(found)


def edited(declared: str, block: str) -> str:
    """`jobs.toml` with the lines of `block` in place of its own, below the same tables, or below the right table if new.

    A table that is not there is added at the end.
    """
    lines = declared.splitlines()
    for table, values in _tables(block):
        head = f"[{table}]"
        if not any(_code(line) == head for line in lines):
            lines += ["", head]
        start = next(number for number, line in enumerate(lines) if _code(line) == head)
        for key, text in values.items():
            end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("[")), len(lines))
            own = [n for n in range(start + 1, end) if lines[n].partition("=")[0].strip() == key]
            if own:
                lines[own[0]] = text
            else:
                lines.insert(start + 1, text)
    result = "\n".join(lines) + "\n"
    tomllib.loads(result)
    return result


def _tables(block: str) -> list[tuple[str, Mapping[str, str]]]:
    tables: list[tuple[str, dict[str, str]]] = []
    for line in block.splitlines():
        if line.startswith("["):
            tables.append((_code(line)[1:-1], {}))
        elif "=" in line:
            tables[-1][1][line.partition("=")[0].strip()] = line
    return tables


def _code(line: str) -> str:
    return line.partition("#")[0].strip()


@dataclass(kw_only=True)
class Keeper:
    """Somebody at the keyboards of both hosts, who does what the guide says and nothing else.

    `own` are the words of the guide that stand for something of the reader's own, such as an address, and what it is
    here. `answers` gives what a command asks at a terminal, and what is typed then. `said` keeps all that was printed.
    """

    lab: Lab
    own: dict[str, str]
    answers: Callable[[str], tuple[str, str]] = lambda command: ("", "")
    said: list[tuple[str, int, str]] = field(default_factory=list)
    at: dict[str, str] = field(default_factory=dict)

    def type(self, step: Typed) -> tuple[int, str]:
        """Type one command, in the folder where the last one on that host ended; its exit code and what it printed."""
        command = self.mine(step.command)
        script = f"cd {self.at.get(step.host, '/root')}\n{command}\nended=$?\npwd > /run/at\nexit $ended\n"
        question, answer = self.answers(command)
        if question:
            code, printed = self._asked(step.host, script, question, answer)
        else:
            done = self.lab.run(step.host, "bash", "-c", script, check=False, timeout=300)
            code, printed = done.returncode, done.stdout + done.stderr
        self.at[step.host] = self.lab.path(step.host, "/run/at").read_text().strip()
        self.said.append((f"{step.host}# {command}", code, printed))
        return code, printed

    def _asked(self, host: str, script: str, question: str, answer: str) -> tuple[int, str]:
        """Type it at a terminal, and `answer` when it has asked: what is typed before that is thrown away."""
        self.lab.path(host, "/run/typed.sh").write_text(script)
        argv = ("script", "--quiet", "--return", "--command", "bash /run/typed.sh", "/dev/null")
        process = self.lab.popen(host, *argv, stdin=subprocess.PIPE)
        assert process.stdout is not None
        printed = ""
        while not printed.endswith(question):
            printed += (letter := process.stdout.read(1))
            assert letter, f"it never asked {question!r}: {printed}"
        rest, _ = process.communicate(f"{answer}\n", timeout=60)
        return process.returncode, printed + rest

    def edit(self, host: str, file: str, step: Edited) -> None:
        """Change the lines that the guide shows."""
        path = self.lab.path(host, file)
        path.write_text(edited(path.read_text("utf-8"), self.mine(step.text)), "utf-8")

    def take_out(self, host: str, file: str, jobs: tuple[str, ...]) -> None:
        """Take out the tables of these jobs, which the reader does not want."""
        path, kept, unwanted = self.lab.path(host, file), list[str](), False
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("["):
                unwanted = _code(line).removeprefix("[jobs.").removesuffix("]") in jobs
            kept += [] if unwanted else [line]
        path.write_text("\n".join(kept) + "\n", "utf-8")

    def mine(self, text: str) -> str:
        """The text with what is the reader's own."""
        for word, instead in self.own.items():
            text = text.replace(word, instead)
        return text

    def told(self) -> str:
        """All of it, as it stood on the screens."""
        return "\n".join(f"{typed}\n{printed}[exit {code}]" for typed, code, printed in self.said)
