"""The command line of a verb: its options are a NamedTuple, which is written and read here.

What a field is follows from its type: `Word` a word, in order; `Last` one after `--`, whatever it looks like;
`Rest` the words after these; `bool` a flag; `tuple[str, ...]` an option that is repeated; a NamedTuple the options
that it has; all else an option with one value, `Count` and `Positive` a number. A field without a default is always
written, another only where it differs. `not_before` is `--not-before`; an underscore at the end keeps a name from
being one of Python's words.
"""

from __future__ import annotations

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

Options = TypeVar("Options", bound=Tuple[Any, ...])  # noqa: UP006


class NoOptions(NamedTuple):
    """Options of a verb that takes none."""


class DeclaredDisk(NamedTuple):
    """The disk that a store must be on, as declared; "" for what is not."""

    mount: str = ""
    uuid: str = ""


class Field(NamedTuple):
    """A field of a contract: its option's name, its place on the command line, its type and least number.

    `default` is None where the field must be given; `part` is the field of the contract that has it, "" for its own.
    """

    key: str
    name: str
    place: str
    kind: str
    least: int = 0
    default: object = None
    part: str = ""


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
    kind = getattr(hint, "__origin__", hint) if marks else hint
    kind = getattr(kind, "__origin__", kind)
    place = next((mark for mark in marks if mark in (WORD, LAST, REST)), "")
    least = next((mark for mark in marks if isinstance(mark, int)), 0)
    return Field(key, key.rstrip("_").replace("_", "-"), place, getattr(kind, "__name__", ""), least, default)


def argv(verb: str, options: tuple[Any, ...]) -> tuple[str, ...]:
    """The words that call `verb`: its words, its options in the order of their fields, `--` and the rest."""
    words: list[str] = []
    given: list[str] = []
    rest: tuple[str, ...] = ()
    for field in fields(type(options)):
        value = getattr(getattr(options, field.part) if field.part else options, field.key)
        if field.place == WORD:
            words.append(str(value))
        elif field.default is not None and value == field.default:
            continue
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
    values.update(dict.fromkeys(rest, tuple(words[len(named) :])))
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
        return tuple(texts)
    text = texts[-1] if texts else ""
    return _read(field, text) if text or field.default is None else field.default


def _read(field: Field, text: str) -> str | int:
    if field.kind != "int":
        return text
    return number(text, field.name if field.place else f"--{field.name}", least=field.least)


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Turn repeated `ID=MOUNTPOINT` into a table from ID to mount point. Raises Refused."""
    table: dict[str, str] = {}
    for value in values:
        key, given, mount = value.partition("=")
        if not given or not mount.startswith("/") or key in table:
            raise Refused(f"--{option} takes STEP=/MOUNTPOINT, each step once", "see docs/store.md")
        table[key] = mount
    return table


def number(text: str, option: str, *, least: int = 0) -> int:
    """A whole number of at least `least`, in plain decimal digits. Raises Refused."""
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise Refused(f"{option} takes a number, {least} or more: {text!a}", "see docs/store.md")
    return int(text)
