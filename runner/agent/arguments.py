"""The command line of a verb: its options are a NamedTuple, which is written and read here.

What a field is follows from its type: `Word` a word, in order; `Last` one after `--`, whatever it looks like;
`Rest` the words after these; `bool` a flag; `tuple[str, ...]` an option that is repeated; a NamedTuple the options
that it has; all else an option with one value, `Count` and `Positive` a number. A field without a default is always
written, another only where it differs. `not_before` is `--not-before`; an underscore at the end keeps a name from
being one of Python's words.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class Call(NamedTuple):
    """A parsed command line; `one` has "" for an option that was not given, `many` an empty tuple.

    `flags` are the options without a value that were given.
    """

    words: tuple[str, ...]
    one: dict[str, str]
    many: dict[str, tuple[str, ...]]
    flags: frozenset[str] = frozenset()


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

    An option that is missing has its default, and "" where it has none. Raises Refused.
    """
    known = fields(contract)
    words = [field for place in (WORD, LAST) for field in known if field.place == place]
    options = [field for field in known if not field.place]
    rest = [field.key for field in known if field.place == REST]
    call = parse(
        given,
        words=len(words),
        one=[field.name for field in options if field.kind not in ("bool", "tuple")],
        many=[field.name for field in options if field.kind == "tuple"],
        flags=[field.name for field in options if field.kind == "bool"],
        more=bool(rest),
    )
    values: dict[str, Any] = {field.key: _read(field, text) for field, text in zip(words, call.words)}  # noqa: B905
    values.update(dict.fromkeys(rest, call.words[len(words) :]))
    parts: dict[str, dict[str, Any]] = {field.part: {} for field in options if field.part}
    for field in options:
        place = parts[field.part] if field.part else values
        if field.kind == "bool":
            place[field.key] = field.name in call.flags
        elif field.kind == "tuple":
            place[field.key] = call.many[field.name]
        elif call.one[field.name] or field.default is None:
            place[field.key] = _read(field, call.one[field.name])
    hints = get_type_hints(contract)
    return contract(**values, **{key: hints[key](**part) for key, part in parts.items()})


def _read(field: Field, text: str) -> str | int:
    if field.kind != "int":
        return text
    return number(text, field.name if field.place else f"--{field.name}", least=field.least)


def parse(
    argv: Sequence[str],
    *,
    words: int,
    one: Sequence[str] = (),
    many: Sequence[str] = (),
    flags: Sequence[str] = (),
    more: bool = False,
) -> Call:
    """Split `argv` into exactly `words` words (at least, with `more`) and the options named.

    `--name value` and `--name=value` are the same; after `--` everything is a word. Raises Refused.
    """
    words_given: list[str] = []
    flags_given: set[str] = set()
    single = dict.fromkeys(one, "")
    several: dict[str, list[str]] = {name: [] for name in many}
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words_given.extend(rest)
        elif not word.startswith("--"):
            words_given.append(word)
        elif word[2:] in flags:
            flags_given.add(word[2:])
        else:
            name, given, value = word[2:].partition("=")
            if name not in single and name not in several:
                raise Refused(f"no option --{name} here", "see docs/store.md")
            text = value if given else next(rest, None)
            if text is None:
                raise Refused(f"--{name} needs a value", "see docs/store.md")
            if name in single:
                single[name] = text
            else:
                several[name].append(text)
    if len(words_given) < words or (len(words_given) > words and not more):
        raise Refused(f"it takes {words} words, not {len(words_given)}", "see docs/store.md")
    repeated = {name: tuple(values) for name, values in several.items()}
    return Call(tuple(words_given), single, repeated, frozenset(flags_given))


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
