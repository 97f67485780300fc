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
# A whole value, and words that are no fields of a crontab line; one word behind a number may be its unit.
_MORE = re.compile(r"(true|false)\s+([A-Za-z].*)|([0-9]+)\s+([A-Za-z][^*]*\s[^*]*)")
_NAME = r"[A-Za-z0-9_.\"'-]+"
_NEXT = rf"{_NAME}\s*=(?!=)"
# What has to begin a line, and the sign in place of the line's end.
_ANEW = re.compile(rf"([,;]?)\s*({_NEXT}.*|\[+[A-Za-z0-9_-]+(?:[.]{_NAME})+\]+)")
# The same behind a text without quotes; an address may have a comma and = in it, without blanks.
_BEHIND = re.compile(rf"[^\s\"'(\[{{][^\s\"']*?(?:([,;]?)\s+(?={_NEXT})|(,)(?={_NAME}\s+=))(.*)")


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
    def raw(self) -> str:
        """The value that the line gives, as it is written, without a comment; "" where it gives none."""
        match = ASSIGNMENT.fullmatch(self.row)
        return re.sub(r"\s+#.*", "", match[2]) if match else ""

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


def unclosed(part: str) -> tuple[str, str]:
    """The quote of the text that begins in `part` of a line and does not end there, and that text; or ("", "")."""
    quote, begun, escaped = "", 0, False
    for place, character in enumerate(part):
        if escaped:
            escaped = False
        elif quote:
            escaped = quote == '"' and character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote, begun = character, place
        elif character == "#":
            break
    return (quote, part[begun:]) if quote else ("", "")


def begun_anew(mistake: Mistake) -> str:
    """What to say where another key, or a [table], follows a value in its line; "" where none does."""
    if behind := _BEHIND.fullmatch(mistake.raw):
        return _begin(behind[1] or behind[2] or "", behind[3])
    match = _ANEW.fullmatch(mistake.rest) if mistake.last != "=" else None
    # What touches the value is part of it, perhaps.
    return _begin(match[1], match[2]) if match and (match[1] or mistake.row[mistake.at - 1] in " \t") else ""


def _begin(sign: str, text: str) -> str:
    if sign == ";":
        return f"begin a new line before {shown(text)}, in place of the ; (a comment begins with #)"
    return f"begin a new line before {shown(text)}{', in place of the comma' if sign else ''}"


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
    if raw[0] not in "\"'" and re.search(rf"\s{_NEXT}", raw):
        return f"text stands in quotes, and each key begins a line: {shown(raw)}"
    more = _MORE.fullmatch(raw)
    if more and more[1]:
        return f"a comment begins with #: {begin}{more[1]} # {shown(more[2])}"
    if more:
        return f"there is more after {more[3]}: {shown(more[4])}; text stands in quotes, a comment begins with #"
    text = raw.strip("\"'").strip()
    missing = "a quote is missing" if raw[-1:] in "\"'" else "text stands in quotes"
    # With a quote inside nobody knows which one is missing.
    return f"{missing}: {begin}{remedy.quoted(text)}" if len(text) <= MUCH and '"' not in text else missing
