"""What keeps a jobs.toml from being TOML, in words for whoever wrote that line: tomllib gives little but the place."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from runner.config import remedy
from runner.config.toml_lines import Repeated, open_brackets, repeated

_CURLY = "“”„‟‘’‚‛«»"
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=\s*(.*?)\s*")
_NOTHING = ("none", "null", "nil", "undefined")
_MUCH = 48
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_COMMENTS = (";", "//", "/*", "--", "<!--")
_MERGE = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
_UNHEADED = re.compile(r"\s*#\s*(\[+[A-Za-z0-9_.\"'-]+\]+)\s*")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mistake:
    """Where tomllib stopped: `row` is that line, `at` the place in it; `before` is all the text up to there."""

    line: int
    row: str
    at: int
    before: str

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
        match = _ASSIGNMENT.fullmatch(self.row)
        return match[1] if match else ""


def explain(text: str, error: ValueError) -> tuple[int, str]:
    """The line, from 1, that keeps `text` from being TOML, and a sentence that says what to write there."""
    rows = text.split("\n")
    place = _PLACE.search(str(error))
    line, column = (int(place[1]), int(place[2])) if place else _end(rows)
    row = rows[line - 1].removesuffix("\r")
    mistake = _Mistake(line=line, row=row, at=column - 1, before="\n".join((*rows[: line - 1], row[: column - 1])))
    if left := _foreign(mistake):
        return left
    # It stops at the first mistake, so what is there twice up to here is this one.
    if twice := repeated("\n".join(rows[:line])):
        return _twice(twice, rows)
    for answer in (_character(mistake), _bracket(mistake), _in_line(mistake)):
        if answer:
            return answer
    where = f" (column {column})" if place else ""
    return line, f"is not TOML: {str(error)[: place.start()] if place else error}{where}"


def _end(rows: list[str]) -> tuple[int, int]:
    """Where a text begins that has no end, or else the end of the file; a text may go on for all of the file."""
    line = next((number for number, row in enumerate(rows, start=1) if _unclosed(row)[0]), len(rows))
    return line, len(rows[line - 1].removesuffix("\r")) + 1


def _twice(twice: Repeated, rows: list[str]) -> tuple[int, str]:
    """What to do about it, in the line that must be changed."""
    name = _shown(twice.name)
    if twice.inside:
        text = f"{_shown(twice.inside)} has a value here, and line {twice.second} says more of it: take this line out"
        return twice.first, text
    if twice.is_table:
        text = f"table [{name}] is there twice, first in line {twice.first}: put all its keys under one of them"
        return twice.second, text
    for line in range(twice.second - 1, twice.first, -1):
        if header := _UNHEADED.fullmatch(rows[line - 1]):
            text = (
                f"{_shown(header[1])} is a comment, and its keys are not: take the # away, or put one before each key"
            )
            return line, text
    return twice.second, f"key {name} is there twice, first in line {twice.first}: take one of them out"


_Answer = tuple[int, str] | None


def _foreign(mistake: _Mistake) -> _Answer:
    """A line that another program or another language left."""
    row = mistake.row.strip()
    sentence = ""
    if row.startswith(_MERGE):
        sentence = "is left of a merge: keep one of its two versions, and take its marks out"
    elif row == "---":
        sentence = 'is YAML, and this file is TOML: a line is a [table], or key = value, such as name = "babase"'
    elif row.startswith(_COMMENTS):
        sentence = f"a comment begins with #, not with {next(sign for sign in _COMMENTS if row.startswith(sign))}"
    elif row.startswith("{") and not open_brackets("\n".join(mistake.before.split("\n")[:-1])):
        sentence = 'is JSON, and this file is TOML: a line is a [table], or key = value, such as name = "babase"'
    return (mistake.line, sentence) if sentence else None


def _character(mistake: _Mistake) -> _Answer:
    """A character that looks like another, and texts without an end."""
    quote, begun = _unclosed(mistake.row[: mistake.at])
    sentence = ""
    if mistake.here in _CURLY or quote and any(curly in mistake.row for curly in _CURLY):
        sentence = "has curly quotes, as word processors write them: put straight ones, \" or ', in their place"
    elif not quote and mistake.here.translate(_DASHES) != mistake.here:
        plain = re.sub(r"\s+#.*", "", mistake.row.translate(_DASHES)).strip()
        inside = mistake.row[mistake.at - 1 : mistake.at].isalnum() and len(plain) <= _MUCH
        sentence = f"has a long dash: write - in its place: {plain}" if inside else "has a long dash where none belongs"
    elif re.search(r"\r(?!\n)", mistake.before + mistake.here):
        sentence = "ends its lines as an old Macintosh did: save the file with plain (LF) line ends"
    elif mistake.here != "\n" and unicodedata.category(mistake.here) in ("Zs", "Cf") and mistake.here != " ":
        sentence = f"has a blank that is no plain one ({ascii(mistake.here)[1:-1]}): write the blanks of this line anew"
    elif mistake.here not in "\n\t" and unicodedata.category(mistake.here) == "Cc":
        sentence = f"has a control character ({ascii(mistake.here)[1:-1]}): take it out"
    elif quote == '"' and "\\" in mistake.row[max(mistake.at - 2, 0) : mistake.at + 1]:
        sentence = "has a backslash in a text: write it twice, or put the text in single quotes"
    elif quote and mistake.here == "\n":
        sentence = f"has a text without a quote at its end: {_shown(begun)}"
    return (mistake.line, sentence) if sentence else None


def _bracket(mistake: _Mistake) -> _Answer:
    """A list or a table in braces that does not go on as it should."""
    brackets = open_brackets(mistake.before)
    if not brackets:
        return None
    word, begun = brackets[-1]
    if sign := next(filter(mistake.rest.startswith, (f"{sign} " for sign in _COMMENTS)), ""):
        return mistake.line, f"a comment begins with #, not with {sign.strip()}"
    if word == "{":
        if mistake.here == "}" and mistake.last == ",":
            return mistake.line, "a table in braces has no comma before its }: take it out"
        if mistake.here in "\n#" or mistake.rest.startswith("#"):
            text = "a table in braces stands in one line: join the lines, or give its keys a [table.of.its.own]"
            return begun, text
        inner = _ASSIGNMENT.fullmatch(re.split(r"[{,]", mistake.row[: mistake.at])[-1])
        if inner and inner[2] and re.match(r"[A-Za-z0-9_-]+\s*=", mistake.rest):
            return mistake.line, f"a comma is missing between braces, before {_shown(mistake.rest)}"
        return (mistake.line, _value(inner[1], inner[2] + _item(mistake, r"[},]"))) if inner else None
    if mistake.last == "\n" and (not mistake.rest or _ASSIGNMENT.fullmatch(mistake.row) or mistake.here == "["):
        return begun, f"a list begins here and has no ] at its end (line {mistake.line} is something else)"
    if mistake.here == "," and mistake.before.rstrip()[-1:] in (",", "["):
        return mistake.line, "a list has a comma with nothing before it: take the comma out"
    begin = re.split(r"[\[,]", mistake.row[: mistake.at])[-1].strip()
    if mistake.before.rstrip()[-1:] not in (",", "[") and (
        not begin or begin[-1] in "\"'" or mistake.row[mistake.at - 1] == " "
    ):
        return mistake.line, f"a comma is missing in a list, before {_shown(mistake.rest)}"
    return mistake.line, _value("", begin + _item(mistake, r"[],]"))


def _item(mistake: _Mistake, ends: str) -> str:
    """What is left of one value among others, up to one of the signs that may end it."""
    item = re.split(ends, mistake.rest)[0].strip()
    return f" {item}" if mistake.row[mistake.at - 1 : mistake.at] == " " and mistake.last not in "=[{," else item


def _in_line(mistake: _Mistake) -> _Answer:
    """A line that is neither a table nor a key with its value."""
    row, key = mistake.row.strip(), mistake.key
    word = re.split(r"[\s=:\"'\[{#]", row)[0]
    if row.startswith("["):
        sentence = _header(row)
    elif key and mistake.last == "=":
        sentence = _value(key, mistake.rest)
    elif key:
        sentence = _after(key, mistake)
    elif re.match(r"[A-Za-z0-9_-]+\s*:", row):
        bare = row.partition("#")[0].strip().endswith(":")
        sentence = f"a table's name stands in brackets: [{word}]" if bare else f"has : where = belongs: {word} = ..."
    elif word and word != row.partition("#")[0].strip():
        sentence = f"has no = between the key and its value: {_shown(word)} = ..."
    elif word:
        sentence = f"{_shown(word)} stands alone: a line is a [table], or key = value"
    else:
        return None
    return mistake.line, sentence


def _header(row: str) -> str:
    if "]" not in row:
        return f"a table has no ] at the end of its name: {_shown(row)}"
    if re.fullmatch(r"\[+[^\[\]]*\]+\s*(#.*)?", row) is None:
        return "there is more after the ] of a table's name: begin a new line there"
    names = row.partition("#")[0].strip()
    if not names.strip("[] "):
        return "a table has no name: [site], for instance"
    inner = names.strip("[] ")
    if "" in (part.strip() for part in inner.split(".")):
        return f"a name is missing beside a dot: {_shown(names)}"
    if re.fullmatch(r"[A-Za-z0-9_.\"'\s-]*", inner):
        if not re.search(r"[A-Za-z0-9_-]\s+[A-Za-z0-9_-]", inner):
            return f"table {_shown(names)} is there already, written in another way"
        # Who leaves the dot out means [jobs.NAME]; any other blank is in a name.
        dotted = inner if "." in inner else re.sub(r"\s+", ".", inner, count=1)
        plain = re.sub(r"\s+", "-", re.sub(r"\s*[.]\s*", ".", dotted))
        return f"a name has no blanks: write [{plain}]"
    return (
        """a name has letters, digits, - and _ only; one with a dot stands in quotes, such as [hooks."mysite.quota"]"""
    )


def _value(key: str, raw: str) -> str:
    """What was given as a value and is none."""
    begin = f"{key} = " if key else ""
    boolean = remedy.BOOLEANS.get(raw.lower())
    if not raw or raw.startswith("="):
        return f"has no value: {begin}..." if not raw else f"one = is enough: {begin}..."
    if boolean:
        return f"{_shown(raw)} is no value: write {begin}{boolean}"
    if raw.lower() in _NOTHING:
        return f"{_shown(raw)} is no value: to say nothing, leave the key out"
    if zeros := re.fullmatch(r"0+([0-9]+)", raw):
        return f"a number has no 0 in front: {begin}{zeros[1]}"
    if not raw.strip("+-.?*_"):
        return f"{raw} is no value: {begin}..."
    if re.fullmatch(r"[+-]?(0[box]|[0-9])[0-9_]*", raw):
        return f"{_shown(raw)} is no number: {begin}..."
    text = raw.strip("\"'").strip()
    missing = "a quote is missing" if raw[-1:] in "\"'" else "text stands in quotes"
    return f"{missing}: {begin}{remedy.quoted(text)}" if len(text) <= _MUCH else missing


def _after(key: str, mistake: _Mistake) -> str:
    """What follows a value that has ended."""
    match = _ASSIGNMENT.fullmatch(mistake.row)
    raw = re.sub(r"\s+#.*", "", match[2] if match else "")
    if mistake.rest in (",", ";"):
        return f"a line has no {mistake.rest} at its end: take it out"
    if sign := next(filter(mistake.rest.startswith, _COMMENTS), ""):
        return f"a comment begins with #, not with {sign}"
    if raw[:1] == "'" == raw[-1:] and len(raw) <= _MUCH:
        return f"' ends a text that begins with it: put the text in double quotes: {key} = {remedy.quoted(raw[1:-1])}"
    if raw[:1] == "'":
        return f"there is more after the text: {_shown(mistake.rest)}; a comment begins with #"
    if raw[:1] == '"':
        return f"there is more after the text: {_shown(mistake.rest)}; a comment begins with #, a quote in it with \\"
    if raw[:1] in "[{":
        return f"there is more after the {'list' if raw[0] == '[' else 'table'}: {_shown(mistake.rest)}"
    return _value(key, raw)


def _unclosed(part: str) -> tuple[str, str]:
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


def _shown(text: str) -> str:
    """What stands in the file, short and printable."""
    short = text if len(text) <= _MUCH else f"{text[:_MUCH]}..."
    return short if remedy.is_plain(short) else ascii(short)
