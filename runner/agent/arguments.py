"""The command line of a verb: its options are a NamedTuple, which is written and read here.

What a field is follows from its type: `Word` a word, in order; `Last` one after `--`, whatever it looks like;
`Rest` the words after these; `bool` a flag; `tuple[str, ...]` an option that is repeated; a NamedTuple the options
that it has; all else an option with one value, `Count` and `Positive` a number. A field without a default is always
written, another only where it differs. `not_before` is `--not-before`; an underscore at the end keeps a name from
being one of Python's words. A field whose type has a pattern takes nothing else, in an option and in an answer alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, Tuple, TypeVar, get_type_hints  # noqa: UP035

from .answer import Refused

WORD, LAST, REST = "word", "last", "rest"

Word = Annotated[str, WORD]
Last = Annotated[str, LAST]
Rest = Annotated[Tuple[str, ...], REST]  # noqa: UP006
Count = Annotated[int, 0]
Positive = Annotated[int, 1]
PositiveWord = Annotated[int, 1, WORD]


class Pattern:
    """A regular expression, compiled when it is first asked for: no verb needs more than a few of those here."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """As re.fullmatch(), which keeps what it has compiled."""
        return re.fullmatch(self.pattern, text)


# As in model/names.py, for this side: a time from 1970 to 2099; a path from the root without `.` and `..`; a uuid.
SNAPSHOT = Pattern(
    r"(?!(?:19|20)(?:[02468][1235679]|[13579][013-57-9])-02-29)(?:19[7-9][0-9]|20[0-9]{2})-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
    r"T(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
)
SnapshotName = Annotated[str, SNAPSHOT]
SnapshotWord = Annotated[str, WORD, SNAPSHOT]
SnapshotNameOrNone = Annotated[str, Pattern(f"(?:{SNAPSHOT.pattern})?")]
PATH = Pattern(r"/|(?:/(?!\.{1,2}(?:/|\Z))[^/\0]{1,255})+")
AbsolutePath = Annotated[str, PATH]
PathWord = Annotated[str, WORD, PATH]
PathsRest = Annotated[Tuple[AbsolutePath, ...], REST]  # noqa: UP006
SnapshotsRest = Annotated[Tuple[SnapshotName, ...], REST]  # noqa: UP006
MountPoint = Annotated[str, Pattern(f"(?:{PATH.pattern})?")]
# A path below a folder, that leads nowhere else; "" for the folder itself.
_NAME = r"(?!\.{1,2}(?:/|\Z))[^/\0]{1,255}"
RelativePath = Annotated[str, Pattern(rf"(?:{_NAME}(?:/{_NAME})*)?")]
# One name, that no program takes for an option or a path.
FILE_NAME = Pattern(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
FileName = Annotated[str, FILE_NAME]
FileNameWord = Annotated[str, WORD, FILE_NAME]
FileNameOrNone = Annotated[str, Pattern(f"(?:{FILE_NAME.pattern})?")]
Digest = Annotated[str, Pattern(r"(?:[0-9a-f]{64})?")]
# The head of a store's chain: the number of its last line, and the SHA-256 of that; "" where there is none.
HEAD = Pattern(r"(?:[1-9][0-9]{0,11}:[0-9a-f]{64})?")
ChainHead = Annotated[str, HEAD]
# What stands in the lock of a store: with both it is never longer than the room that is there for it.
PLAN_TEXT = Pattern(r"(?s:.{0,100})")
SPOKEN = Pattern(r"(?s:.{0,200})")
PlanText = Annotated[str, PLAN_TEXT]
Spoken = Annotated[str, SPOKEN]
# A plan: the time at which it was made.
PLAN = Pattern(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z")
UUID = Pattern(r"(?:[0-9A-Za-z][0-9A-Za-z-]{0,63})?")
Uuid = Annotated[str, UUID]
# machine-id(5), "" where it is not known.
MACHINE = Pattern(r"(?:[0-9a-f]{32})?")
MachineId = Annotated[str, MACHINE]

# No option has more: more would be no number that anything here counts, and none that an answer may have.
DIGITS, MOST = 19, 2**63 - 1
SHOWN = 60

Options = TypeVar("Options", bound=Tuple[Any, ...])  # noqa: UP006


class NoOptions(NamedTuple):
    """Options of a verb that takes none."""


class DeclaredDisk(NamedTuple):
    """The disk that a store must be on, as declared; "" for what is not."""

    mount: MountPoint = ""
    uuid: Uuid = ""


class Field(NamedTuple):
    """A field of a contract: its option's name, its place on the command line, its type, least number and pattern.

    `default` is None where the field must be given; `part` is the field of the contract that has it, "" for its own.
    """

    key: str
    name: str
    place: str
    kind: str
    least: int
    default: object = None
    part: str = ""
    pattern: Pattern | None = None

    def require(self, text: str) -> str:
        """The text; Refused where it does not fit the pattern."""
        if self.pattern is not None and not self.pattern.fullmatch(text):
            raise Refused(f"{self.title} cannot be {text[:SHOWN]!a}", "see docs/store.md")
        return text

    @property
    def title(self) -> str:
        """What it is called on the command line."""
        return self.name if self.place else f"--{self.name}"


@lru_cache(maxsize=None)  # noqa: UP033
def fields(contract: type[Any]) -> tuple[Field, ...]:
    """The fields of a contract in order, as their types say, and those of its parts in their place."""
    listed: list[Field] = []
    for key, hint in get_type_hints(contract, include_extras=True).items():
        if hasattr(hint, "_fields"):
            listed += [field._replace(part=key) for field in fields(hint)]
        else:
            listed.append(_field(key, hint, contract._field_defaults.get(key)))
    return tuple(listed)


def _field(key: str, hint: object, default: object) -> Field:
    marks = getattr(hint, "__metadata__", ())
    kind: Any = getattr(hint, "__origin__", hint) if marks else hint
    # Those of what is in a tuple are each word's.
    marks = (*marks, *(mark for each in getattr(kind, "__args__", ()) for mark in getattr(each, "__metadata__", ())))
    kind = getattr(kind, "__origin__", kind)
    place = next((mark for mark in marks if mark in (WORD, LAST, REST)), "")
    least = next((mark for mark in marks if isinstance(mark, int)), 0)
    pattern = next((mark for mark in marks if isinstance(mark, Pattern)), None)
    name = key.rstrip("_").replace("_", "-")
    return Field(key, name, place, getattr(kind, "__name__", ""), least, default, pattern=pattern)


def argv(verb: str, options: tuple[Any, ...]) -> tuple[str, ...]:
    """The words that call `verb`: its words, its options in the order of their fields, `--` and the rest.

    Refused where one fits no pattern: whoever planned it had it from somebody who should not be believed.
    """
    words: list[str] = []
    given: list[str] = []
    rest: tuple[str, ...] = ()
    for field in fields(type(options)):
        value = getattr(getattr(options, field.part) if field.part else options, field.key)
        if value != field.default:
            for each in value if field.kind == "tuple" else (value,):
                field.require(str(each))
        if field.place == WORD:
            words.append(str(value))
        elif value == field.default:
            pass
        elif field.place:
            rest = (*(rest or ("--",)), *((value,) if field.place == LAST else value))
        elif field.kind == "bool":
            given.extend([f"--{field.name}"] if value else [])
        elif field.kind == "tuple":
            given.extend(f"--{field.name}={each}" for each in value)
        else:
            given.append(f"--{field.name}={value}")
    return (verb, *words, *given, *rest)


def parse_as(contract: type[Options], given: Sequence[str]) -> Options:
    """The options of a verb as its command line gives them: what `argv` wrote, without the verb.

    `--name value` and `--name=value` are the same; after `--` everything is a word. An option that is
    missing has its default, and "" where it has none. Raises Refused.
    """
    known = fields(contract)
    options = {field.name: field for field in known if not field.place}
    words, texts = _split(given, options)
    values: dict[Field, Any] = {field: _value(field, texts.get(field.name, [])) for field in options.values()}
    named = [field for place in (WORD, LAST) for field in known if field.place == place]
    rest = [field for field in known if field.place == REST]
    if len(words) < len(named) or (len(words) > len(named) and not rest):
        raise Refused(f"it takes {len(named)} words, not {len(words)}", "see docs/store.md")
    values.update({field: _read(field, text) for field, text in zip(named, words)})  # noqa: B905
    values.update({field: tuple(map(field.require, words[len(named) :])) for field in rest})
    own = {field.key: value for field, value in values.items() if not field.part}
    for key in {field.part for field in known if field.part}:
        part = get_type_hints(contract)[key]
        own[key] = part(**{field.key: value for field, value in values.items() if field.part == key})
    return contract(**own)


def _split(given: Sequence[str], options: Mapping[str, Field]) -> tuple[list[str], dict[str, list[str]]]:
    """The words of a command line, and the values of each option in it; a flag has the value ""."""
    words: list[str] = []
    texts: dict[str, list[str]] = {}
    rest = iter(given)
    for word in rest:
        if word == "--":
            words.extend(rest)
            break
        if not word.startswith("--"):
            words.append(word)
            continue
        name, equals, text = word[2:].partition("=")
        if name not in options or (equals and options[name].kind == "bool"):
            raise Refused(f"no option --{name} here", "see docs/store.md")
        value = text if equals or options[name].kind == "bool" else next(rest, None)
        if value is None:
            raise Refused(f"--{name} needs a value", "see docs/store.md")
        texts.setdefault(name, []).append(value)
    return words, texts


def _value(field: Field, texts: Sequence[str]) -> object:
    if field.kind == "bool":
        return bool(texts)
    if field.kind == "tuple":
        return tuple(map(field.require, texts))
    text = texts[-1] if texts else ""
    return _read(field, text) if text or field.default is None else field.default


def _read(field: Field, text: str) -> str | int:
    return field.require(text) if field.kind != "int" else number(text, field.title, least=field.least)


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Turn repeated `ID=MOUNTPOINT` into a table from ID to mount point. Raises Refused."""
    table: dict[str, str] = {}
    for value in values:
        key, _, mount = value.partition("=")
        if not mount.startswith("/") or key in table:
            raise Refused(f"--{option} takes STEP=/MOUNTPOINT, each step once", "see docs/store.md")
        table[key] = mount
    return table


def number(text: str, option: str, *, least: int = 0) -> int:
    """A whole number of at least `least`, in plain decimal digits. Raises Refused."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS) or not least <= int(text) <= MOST:
        raise Refused(f"{option} takes a number, {least} or more: {text[:SHOWN]!a}", "see docs/store.md")
    return int(text)
