"""Where a jobs.toml stops being TOML, and what stands there in place of a key or a value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.config import remedy
from runner.config.toml_lines import Repeated

Answer = tuple[int, str] | None

ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=\s*(.*?)\s*")
COMMENTS = (";", "//", "/*", "--", "<!--")
MUCH = 48
_NOTHING = ("none", "null", "nil", "undefined")
_BLANKS = re.compile(r"((?:[A-Za-z][A-Za-z0-9_-]*\s+)+[A-Za-z][A-Za-z0-9_-]*)\s*=[^=].*")
# A { that is missing, or a ( in its place.
_KEYS = re.compile(r"(\(?)\s*([A-Za-z0-9_-]+\s*=\s*[^=].*?)\s*([)}]?)")
# A number, and a word that is no unit and no field of a crontab line.
_REMARK = re.compile(r"(true|false|[0-9]+)\s+([A-Za-z][^*]*\s[^*]*)|(true|false)\s+([A-Za-z].*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """Where tomllib stopped: `row` is that line, `at` the place in it.

    `before` is all the text up to there, `after` all that follows.
    """

    line: int
    row: str
    at: int
    before: str
    after: str

    @property
    def here(self) -> str:
        """The character it stopped at; a line feed at the end of the line."""
        return self.row[self.at : self.at + 1] or "\n"

    @property
    def rest(self) -> str:
        """What is left of the line, without blanks and a comment."""
        return re.sub(r"\s+#.*|^#.*", "", self.row[self.at :]).strip()

    @property
    def last(self) -> str:
        """The last character before it that is no blank; a line feed where it is the first of its line."""
        return self.row[: self.at].rstrip()[-1:] or "\n"

    @property
    def key(self) -> str:
        """The key whose value the line gives; "" where it gives none."""
        match = ASSIGNMENT.fullmatch(self.row)
        return match[1] if match else ""


def shown(text: str) -> str:
    """What stands in the file, short and printable."""
    short = text if len(text) <= MUCH else f"{text[:MUCH]}..."
    return short if remedy.is_plain(short) else ascii(short)


def once(twice: Repeated) -> str:
    """What to do about a key that is there twice."""
    both = remedy.both(*twice.texts)
    return f"say both in one, {twice.name} = {both}" if both else "take one of them out"


def blank_in_key(text: str) -> str:
    """What to say of a text that begins with a key of several words, and =; "" where it does not."""
    match = _BLANKS.fullmatch(text)
    return f"a key has no blanks: write {shown('_'.join(match[1].split()))} = ..." if match else ""


def value(key: str, raw: str) -> str:
    """What was given as a value and is none."""
    begin = f"{key} = " if key else ""
    boolean = remedy.BOOLEANS.get(raw.lower())
    if not raw or raw.startswith("="):
        return f"has no value: {begin}..." if not raw else f"one = is enough: {begin}..."
    if boolean:
        return f"{shown(raw)} is no value: write {begin}{boolean}"
    if raw.lower() in _NOTHING:
        return f"{shown(raw)} is no value: to say nothing, leave the key out"
    if zeros := re.fullmatch(r"0+([0-9]+)", raw):
        return f"a number has no 0 in front: {begin}{zeros[1]}"
    if not raw.strip("+-.?*_"):
        return f"{raw} is no value: {begin}..."
    if re.fullmatch(r"[+-]?(0[box]|[0-9])[0-9_]*", raw):
        return f"{shown(raw)} is no number: {begin}..."
    return _of_words(begin, raw)


def _of_words(begin: str, raw: str) -> str:
    """A text without quotes, a table without braces, a comment without its sign."""
    keys = _KEYS.fullmatch(raw)
    if keys and (keys[1] or keys[3] or re.search(r",\s*[A-Za-z0-9_-]+\s*=", keys[2])):
        what = "a table in braces has no { at its begin" if keys[3] == "}" else "a table stands in braces"
        fits = len(keys[2]) <= 2 * MUCH and remedy.is_plain(raw)
        return f"{what}: {begin}{{ {keys[2]} }}" if fits else f"{what}, before {shown(keys[2])}"
    if remark := _REMARK.fullmatch(raw):
        plain, words = remark[1] or remark[3], remark[2] or remark[4]
        return f"a comment begins with #: {begin}{plain} # {shown(words)}"
    text = raw.strip("\"'").strip()
    missing = "a quote is missing" if raw[-1:] in "\"'" else "text stands in quotes"
    # With a quote inside nobody knows which one is missing.
    return f"{missing}: {begin}{remedy.quoted(text)}" if len(text) <= MUCH and '"' not in text else missing
