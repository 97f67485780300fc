"""What keeps a jobs.toml from being TOML, in words for whoever wrote that line: tomllib gives little but the place."""

from __future__ import annotations

import re
import unicodedata

from runner.config import brackets, remedy
from runner.config.mistake import (
    COMMENTS,
    MUCH,
    Answer,
    Mistake,
    begun_anew,
    blank_in_key,
    once,
    shown,
    unclosed,
    value,
)
from runner.config.toml_lines import Repeated, open_brackets, repeated

_CURLY = "“”„‟‘’‚‛«»"
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_MERGE = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
# Three words and more: no value begins as the second and the third do.
_SENTENCE = re.compile(r"[A-Za-z'’-]+[.,;:]?(\s+[A-Za-z'’(`][^\s=\"\[{]*){2,}.*")
_LIST = re.compile(r"([\"'][^\[]*[\"'],?)\s*\]")
_UNHEADED = re.compile(r"\s*#\s*(\[+[A-Za-z0-9_.\"'-]+\]+)\s*")


def explain(text: str, error: ValueError) -> tuple[int, str]:
    """The line, from 1, that keeps `text` from being TOML, and a sentence that says what to write there."""
    rows = text.split("\n")
    place = _PLACE.search(str(error))
    line, column = (int(place[1]), int(place[2])) if place else _end(rows)
    row = rows[line - 1].removesuffix("\r")
    at = column - 1
    mistake = Mistake(
        line=line,
        row=row,
        at=at,
        before="\n".join((*rows[: line - 1], row[:at])),
        after="\n".join((row[at:], *rows[line:])),
    )
    if left := _foreign(mistake):
        return left
    # It stops at the first mistake, so what is there twice up to here is this one.
    if twice := repeated("\n".join(rows[:line])):
        return _twice(twice, rows)
    for answer in (_character(mistake), brackets.explain(mistake), _in_line(mistake)):
        if answer:
            return answer
    where = f" (column {column})" if place else ""
    return line, f"is not TOML: {str(error)[: place.start()] if place else error}{where}"


def _end(rows: list[str]) -> tuple[int, int]:
    """Where a text begins that has no end, or else the end of the file; a text may go on for all of the file."""
    line = next((number for number, row in enumerate(rows, start=1) if unclosed(row)[0]), len(rows))
    return line, len(rows[line - 1].removesuffix("\r")) + 1


def _twice(twice: Repeated, rows: list[str]) -> tuple[int, str]:
    """What to do about it, in the line that must be changed."""
    name = shown(twice.name)
    if twice.inside:
        text = f"{shown(twice.inside)} has a value here, and line {twice.second} says more of it: take this line out"
        return twice.first, text
    if twice.is_table:
        text = f"table [{name}] is there twice, first in line {twice.first}: put all its keys under one of them"
        return twice.second, text
    for line in range(twice.second - 1, twice.first, -1):
        if header := _UNHEADED.fullmatch(rows[line - 1]):
            text = f"{shown(header[1])} is a comment, and its keys are not: take the # away, or put one before each key"
            return line, text
    return twice.second, f"key {name} is there twice, first in line {twice.first}: {once(twice)}"


def _foreign(mistake: Mistake) -> Answer:
    """A line that another program or another language left."""
    row = mistake.row.strip()
    sentence = ""
    if row.startswith(_MERGE):
        sentence = "is left of a merge: keep one of its two versions, and take its marks out"
    elif row == "---":
        sentence = 'is YAML, and this file is TOML: a line is a [table], or key = value, such as name = "babase"'
    elif row.startswith(COMMENTS):
        sentence = f"a comment begins with #, not with {next(sign for sign in COMMENTS if row.startswith(sign))}"
    elif row.startswith("{") and not open_brackets("\n".join(mistake.before.split("\n")[:-1])):
        sentence = 'is JSON, and this file is TOML: a line is a [table], or key = value, such as name = "babase"'
    return (mistake.line, sentence) if sentence else None


def _character(mistake: Mistake) -> Answer:
    """A character that looks like another, and texts without an end."""
    quote, begun = unclosed(mistake.row[: mistake.at])
    sentence = ""
    if mistake.here in _CURLY or quote and any(curly in mistake.row for curly in _CURLY):
        sentence = "has curly quotes, as word processors write them: put straight ones, \" or ', in their place"
    elif not quote and mistake.here.translate(_DASHES) != mistake.here:
        plain = re.sub(r"\s+#.*", "", mistake.row.translate(_DASHES)).strip()
        inside = mistake.row[mistake.at - 1 : mistake.at].isalnum() and len(plain) <= MUCH
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
        sentence = f"has a text without a quote at its end: {shown(begun)}"
    return (mistake.line, sentence) if sentence else None


def _in_line(mistake: Mistake) -> Answer:
    """A line that is neither a table nor a key with its value."""
    row, key = mistake.row.strip(), mistake.key
    word = re.split(r"[\s=:\"'\[{#]", row)[0]
    if row.startswith("["):
        sentence = _header(row)
    elif "" in key.split(".") and key:
        sentence = f"a name is missing beside a dot: {shown(key)} = ..."
    elif fault := begun_anew(mistake) if key else "":
        sentence = fault
    elif key and mistake.last == "=":
        sentence = value(key, mistake.rest)
    elif key:
        sentence = _after(key, mistake)
    elif re.match(r"[A-Za-z0-9_-]+\s*:", row):
        bare = row.partition("#")[0].strip().endswith(":")
        sentence = f"a table's name stands in brackets: [{word}]" if bare else f"has : where = belongs: {word} = ..."
    elif fault := blank_in_key(row):
        sentence = fault
    elif _SENTENCE.fullmatch(row):
        sentence = f"is neither a [table] nor key = value: {shown(row)}; a comment begins with #"
    elif word and word != row.partition("#")[0].strip():
        sentence = f"has no = between the key and its value: {shown(word)} = ..."
    elif re.fullmatch(r"[^\s\[\]]+\]+", word):
        sentence = f"a table has no [ at the begin of its name: {shown(word)}"
    elif word:
        sentence = f"{shown(word)} stands alone: a line is a [table], or key = value"
    else:
        sentence = f"begins with {remedy.quoted(row[:1])}: a line is a [table], key = value, or # and a comment"
    return mistake.line, sentence


def _header(row: str) -> str:
    if "]" not in row:
        return f"a table has no ] at the end of its name: {shown(row.partition('#')[0].strip())}"
    if re.fullmatch(r"\[+[^\[\]]*\]+\s*(#.*)?", row) is None:
        return "there is more after the ] of a table's name: begin a new line there, or put # before a comment"
    names = row.partition("#")[0].strip()
    inner = names.strip("[] ")
    if not inner:
        return "a table has no name: [site], for instance"
    if names.count("[") != names.count("]"):
        return f"a table's name stands in single brackets: {shown(f'[{inner}]')}"
    if "" in (part.strip() for part in inner.split(".")):
        return f"a name is missing beside a dot: {shown(names)}"
    if re.fullmatch(r"[A-Za-z0-9_.\"'\s-]*", inner):
        if not re.search(r"[A-Za-z0-9_-]\s+[A-Za-z0-9_-]", inner):
            return f"table {shown(names)} is there already, written in another way"
        # Who leaves the dot out means [jobs.NAME]; any other blank is in a name.
        dotted = inner if "." in inner else re.sub(r"\s+", ".", inner, count=1)
        plain = re.sub(r"\s+", "-", re.sub(r"\s*[.]\s*", ".", dotted))
        return f"a name has no blanks: write [{plain}]"
    return (
        """a name has letters, digits, - and _ only; one with a dot stands in quotes, such as [hooks."mysite.quota"]"""
    )


def _after(key: str, mistake: Mistake) -> str:
    """What follows a value that has ended."""
    raw = mistake.raw
    if mistake.rest in (",", ";"):
        return f"a line has no {mistake.rest} at its end: take it out"
    if sign := next(filter(mistake.rest.startswith, COMMENTS), ""):
        return f"a comment begins with #, not with {sign}"
    if listed := _LIST.fullmatch(raw):
        return f"a list has no [ at its begin: {key} = [{shown(listed[1])}]"
    if raw[:1] == "'" == raw[-1:] and len(raw) <= MUCH:
        return f"' ends a text that begins with it: put the text in double quotes: {key} = {remedy.quoted(raw[1:-1])}"
    if raw[:1] == "'":
        return f"there is more after the text: {shown(mistake.rest)}; a comment begins with #"
    if raw[:1] == '"':
        return f"there is more after the text: {shown(mistake.rest)}; a comment begins with #, a quote in it with \\"
    if mistake.rest in ("]", "}"):
        return f"has one {mistake.rest} too many: take it out"
    if raw[:1] in "[{":
        what = "list" if raw[0] == "[" else "table"
        return f"there is more after the {what}: {shown(mistake.rest)}; a comment begins with #"
    return value(key, raw)
