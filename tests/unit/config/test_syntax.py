"""What is no TOML is told in words, with the line that must be changed."""

from __future__ import annotations

import re
import tomllib

import pytest

from runner.config.syntax import explain

ENDLESS = "a list begins here and has no ] at its end"
QUOTED = "text stands in quotes: "
CASES = {
    "text without quotes": ("[site]\nname = babase # the site\n", 2, QUOTED + 'name = "babase"'),
    "a path without quotes": ("device = /dev/sdb1\n", 1, QUOTED + 'device = "/dev/sdb1"'),
    "a number with a unit": ("fsck_every = 120d\n", 1, QUOTED + 'fsck_every = "120d"'),
    "a share": ("free_space = 5%\r\n", 1, QUOTED + 'free_space = "5%"'),
    "a crontab line": ("schedule = 15 3 * * *\n", 1, QUOTED + 'schedule = "15 3 * * *"'),
    "text without quotes in a list": ("admin = [root@localhost]\n", 1, QUOTED + '"root@localhost"'),
    "a share in braces": ("r = { min = 1, free_space = 5%, max = 2 }\n", 1, QUOTED + 'free_space = "5%"'),
    "a share at the end of braces": ("r = { free_space = 5% }\n", 1, QUOTED + 'free_space = "5%"'),
    "a share in a list": ("a = [5%, 1]\n", 1, QUOTED + '"5%"'),
    "a zero in braces": ("r = { min = 030 }\n", 1, "a number has no 0 in front: min = 30"),
    "a zero in a list": ("a = [1, 030]\n", 1, "a number has no 0 in front: 30"),
    "a share with a blank in braces": ("r = { free_space = 5 % }\n", 1, QUOTED + 'free_space = "5 %"'),
    "no comma in braces": ("r = { min = 1 max = 2 }\n", 1, "a comma is missing between braces, before max = 2 }"),
    "another comment in a list": ('a = ["x", // y\n"z"]\n', 1, "a comment begins with #, not with //"),
    "a long dash for a sign": ('name \u2013 "x"\n', 1, "has a long dash where none belongs"),
    "YAML": ("---\nsite:\n", 1, "is YAML, and this file is TOML"),
    "a dash for nothing": ("r = { min = - }\n", 1, "- is no value: min = ..."),
    "letters of the country": ("name = Bücher\n", 1, QUOTED + 'name = "Bücher"'),
    "text without quotes in braces": ("r = { min = thirty }\n", 1, QUOTED + 'min = "thirty"'),
    "no quote at its begin": ('name = babase"\n', 1, 'a quote is missing: name = "babase"'),
    "no quote at its end": ('name = "babase\nx = "y"\n', 1, 'has a text without a quote at its end: "babase'),
    "no quote, and carriage returns": ('x = 1\r\nname = "babase\r\n', 2, 'has a text without a quote at its end: "babase'),
    "no quote in single ones": ("x = 'abc\ny = 1\n", 1, "has a text without a quote at its end: 'abc"),
    "three quotes": ('x = """abc\ny = 1\n', 1, 'has a text without a quote at its end: "abc'),
    "a table twice": (
        '[site]\n[hosts.a]\n[site]\nname = "b"\n', 3,
        "table [site] is there twice, first in line 1: put all its keys under one of them",
    ),
    "a table of a list again": (
        "[[hosts.a]]\n[hosts.a]\n", 2, "table [hosts.a] is there twice, first in line 1: put all its keys under one of them"
    ),
    "a table in braces again": (
        "[s]\nr = { min = 1 }\n[s.r]\nmax = 1\n", 3,
        "table [s.r] is there twice, first in line 2: put all its keys under one of them",
    ),
    "a key twice": ('[s]\nname = "a"\n\nname = "b"\n', 4, "key name is there twice, first in line 2: take one of them out"),
    "a key twice, over lines": ("a = [\n1,\n]\na = [\n2,\n]\n", 4, "key a is there twice, first in line 1: take one of them out"),
    "a header put into a comment": (
        "[s]\nkind = 1\n\n# [jobs.b]\n#x = 2\nkind = 2\n", 4,
        "[jobs.b] is a comment, and its keys are not: take the # away, or put one before each key",
    ),
    "a comment that is no header": ("kind = 1\n# [see below] x\nkind = 2\n", 3, "key kind is there twice, first in line 1"),
    "a value for a table": ("jobs = 3\n[s]\n[jobs.b]\n", 1, "jobs has a value here, and line 3 says more of it: take this line out"),
    "a value for a dotted key": ("[s]\na = 3\na.b = 4\n", 2, "a has a value here, and line 3 says more of it: take this line out"),
    "a table of dotted keys, in braces": (
        "r.min = 1\nr = { max = 2 }\n", 2, "key r is there twice, first in line 1: take one of them out"
    ),
    "a table of dotted keys twice": (
        "[s]\nr.min = 1\nr.max = 2\nr = { max = 2 }\n", 4, "key r is there twice, first in line 2: take one of them out"
    ),
    "no key under a table": ("[a]\n= 1\n", 2, 'begins with "=": a line is a [table], key = value'),
    "no key, twice": ("= 1\n= 2\n", 1, 'begins with "=": a line is a [table], key = value'),
    "only a dot for a key": (". = 1\n", 1, "a name is missing beside a dot: . = ..."),
    "another sign after a key that is there": ("x = 1\nx : 2\n", 2, "has : where = belongs: x = ..."),
    "a key that is there, alone": ("x = 1\nx\n", 2, "x stands alone: a line is a [table], or key = value"),
    "a table that is there, without its bracket": ("[a]\n[a\n", 2, "a table has no ] at the end of its name: [a"),
    "more of a table, with a dot": ("[a.b]\n[a]\nb.y = 2\n", 3, "table [a.b] is there twice, first in line 1: put all its keys under one of them"),
    "more of a table, with two dots": ("[a.b]\n[a]\nb.y.z = 2\n", 3, "table [a.b] is there twice, first in line 1"),
    "more of a table of a list, with a dot": ("[[a.b]]\n[a]\nb.y = 2\n", 3, "table [a.b] is there twice, first in line 1"),
    "a value for a table that is there": ("[a.b]\n[a]\nb = 2\n", 3, "key b is there twice, first in line 1"),
    "a value for a table of tables": ("[a.b.c]\n[a]\nb = 2\n", 3, "key b is there twice, first in line 1"),
    "a value for a table of a list": ("[[a.b]]\n[a]\nb = 2\n", 3, "key b is there twice, first in line 1"),
    "two commas in a list": ("a = [1,,2]\n", 1, "a list has a comma with nothing before it: take the comma out"),
    "a comma at the begin of a list": ("a = [,2]\n", 1, "a list has a comma with nothing before it: take the comma out"),
    "half a number": ("a = 1_\n", 1, "1_ is no number: a = ..."),
    "half a number of another base": ("a = 0x\n", 1, "0x is no number: a = ..."),
    "a table of dotted keys": ("a.b = 1\n[a]\n", 2, "table [a] is there already, written in another way"),
    "curly quotes": ("name = “babase”\n", 1, "has curly quotes"),
    "curly at its end": ('name = "babase”\n', 1, "has curly quotes"),
    "curly in a name": ("[“site”]\n", 1, "has curly quotes"),
    "yes": ("[site]\nlive = yes\n", 2, "yes is no value: write live = true"),
    "Off": ("live = Off\n", 1, "Off is no value: write live = false"),
    "True": ("live = True # really\n", 1, "True is no value: write live = true"),
    "none": ("disk = none\n", 1, "none is no value: to say nothing, leave the key out"),
    "nothing": ("disk =\n", 1, "has no value: disk = ..."),
    "a comment of an ini file": ("[site]\n; the site\n", 2, "a comment begins with #, not with ;"),
    "a comment of a program": ("// the site = it\n", 1, "a comment begins with #, not with //"),
    "a merge": ("[site]\n<<<<<<< HEAD\n", 2, "is left of a merge: keep one of its two versions"),
    "the middle of a merge": ("[site]\n=======\n", 2, "is left of a merge: keep one of its two versions"),
    "JSON": ('{"site": {}}\n', 1, "is JSON, and this file is TOML"),
    "JSON over lines": ('{\n  "site": {}\n}\n', 1, "is JSON, and this file is TOML"),
    "a key of YAML": ("site:\n  name: x\n", 1, "a table's name stands in brackets: [site]"),
    "a bare word": ("[site]\nhello\n", 2, "hello stands alone: a line is a [table], or key = value"),
    "a colon": ('name: "a"\n', 1, "has : where = belongs: name = ..."),
    "no sign": ('name "a"\n', 1, "has no = between the key and its value: name = ..."),
    "two signs": ('name == "a"\n', 1, "one = is enough: name = ..."),
    "a table in braces over lines": ("a = 1\nretention = {\n  min = 30,\n}\n", 2, "a table in braces stands in one line"),
    "over two lines": ("retention = { min = 30,\n max = 400 }\n", 1, "a table in braces stands in one line"),
    "ended in the next": ("retention = { min = 30\n}\n", 1, "a table in braces stands in one line"),
    "a comma before the brace": ("r = { min = 30, }\n", 1, "a table in braces has no comma before its }: take it out"),
    "a key twice in braces": ("r = { min = 30, min = 30 }\n", 1, "key min is there twice in these braces: take one of them out"),
    "a list twice in braces": ("r = { a = [1], b = 1, a = [2] }\n", 1, "key a is there twice in these braces"),
    "a table twice in braces": ("x = { r = { a = 1 }, r = { b = 1 } }\n", 1, "key r is there twice in these braces"),
    "a key and one below it": ("r = { a = 1, a.b = 2 }\n", 1, "key a is there twice in these braces"),
    "thin twice in braces": (
        'r = { thin = "daily 7", thin = "weekly 4" }\n', 1,
        'key thin is there twice in these braces: say both in one, thin = "daily 7, weekly 4"',
    ),
    "thin twice": (
        'thin = "daily 7"\nthin = "weekly 4"\n', 2,
        'key thin is there twice, first in line 1: say both in one, thin = "daily 7, weekly 4"',
    ),
    "thin twice, and against itself": ('thin = "daily 7"\nthin = "daily 4"\n', 2, "key thin is there twice, first in line 1: take one"),
    "a brace that is not closed": (
        "r = { min = 30, max = 40 # x }\n\n[stores.y]\nr = { min = 1 }\n", 1,
        "a table in braces has no } at its end: r = { min = 30, max = 40 }",
    ),
    "no brace before a key": ("r = { min = 30,\nq = { a = 1 }\n", 1, "a table in braces has no } at its end: r = { min = 30 }"),
    "no brace at the end of all": ("r = { a = { b = 1 ", 1, "a table in braces has no } at its end: r = { a = { b = 1 } }"),
    "nothing before no brace": ("r = { min =\n[x]\n", 1, "has no value: min = ..."),
    "a bracket for a brace": ("r = { min = 30 ]\n", 1, "a table in braces ends with }, not with ]"),
    "a brace for a bracket": ("a = [1, 2 }\n", 1, "a list has no ] at its end, but }"),
    "a brace too many": ("r = { min = 30 }}\n", 1, "has one } too many: take it out"),
    "no brace at the begin": ("r = min = 30, max = 40 }\n", 1, "a table in braces has no { at its begin: r = { min = 30, max = 40 }"),
    "no braces": ("r = min = 30, max = 40\n", 1, "a table stands in braces: r = { min = 30, max = 40 }"),
    "round ones": ("r = ( min = 30 )\n", 1, "a table stands in braces: r = { min = 30 }"),
    "keys in a list": ("r = [ min = 30, max = 40 ]\n", 1, "a key and = stand in braces, not in a list: min = 30, max = 40 ]"),
    "a colon in braces": ("r = { max = 1, min: 30 }\n", 1, "has : where = belongs: min = ..."),
    "no sign in braces": ("r = { min 30 }\n", 1, "has no = between the key and its value: min = ..."),
    "no key in braces": ("r = { 30, 400 }\n", 1, "has no key before 30: a key and = stand before each value in braces"),
    "a blank in a key in braces": ('r = { min = 3, free space = "5 %" }\n', 1, "a key has no blanks: write free_space = ..."),
    "a blank in a key": ('free space = "5 %"\n', 1, "a key has no blanks: write free_space = ..."),
    "two commas in braces": ("r = { min = 1, , max = 2 }\n", 1, "a table in braces has a comma with nothing before it"),
    "semicolons in braces": ("r = { min = 1; max = 2 }\n", 1, "a comma stands between keys in braces, not ;: max = 2 }"),
    "no sign before a comment": ("live = true the site\n", 1, "a comment begins with #: live = true # the site"),
    "none after a number": ("port = 22 of the tunnel\n", 1, "there is more after 22: of the tunnel; text stands in quotes, a comment begins with #"),
    "words after a number with a unit": ("x = 5 GiB at least\n", 1, "there is more after 5: GiB at least; text stands in quotes"),
    "two keys in a line": ("min = 30 max = 400\n", 1, "begin a new line before max = 400"),
    "a key after true": ('live = false unattended = "expire" # x\n', 1, 'begin a new line before unattended = "expire"'),
    "a key after a comma": ("min = 30, max = 400\n", 1, "begin a new line before max = 400, in place of the comma"),
    "a key after a semicolon": ("b = 1; c = 2\n", 1, "begin a new line before c = 2, in place of the ; (a comment begins with #)"),
    "a key after a text": ('name = "a" x = 1\n', 1, "begin a new line before x = 1"),
    "a key after a text without quotes": ('host = papio, kind = "x"\n', 1, 'begin a new line before kind = "x", in place of the comma'),
    "a key after words": ('schedule = 15 3 * * * host = "papio"\n', 1, 'text stands in quotes, and each key begins a line: 15 3 * * * host = "papio"'),
    "a key after a list": ('a = ["x"] b = 2\n', 1, "begin a new line before b = 2"),
    "a key after braces": ("r = { min = 1 } b = 2\n", 1, "begin a new line before b = 2"),
    "a table after a value": ("live = true [hosts.papio]\n", 1, "begin a new line before [hosts.papio]"),
    "a key after yes in braces": ("r = { a = yes b = 3 }\n", 1, "a comma is missing between braces, before b = 3"),
    "an address with signs": ("page = https://x.org/?a=1&b=2\n", 1, QUOTED + 'page = "https://x.org/?a=1&b=2"'),
    "none after a list": ('a = ["x"] everyone\n', 1, "there is more after the list: everyone; a comment begins with #"),
    "none in a line": (
        "every report, and the rest\n", 1,
        "is neither a [table] nor key = value: every report, and the rest; a comment begins with #",
    ),
    "none in the first line": (":schema ./x.json\n", 1, 'begins with ":": a line is a [table], key = value, or # and a comment'),
    "none in a line with signs": ("The site. After a change: `make plan`, key = 1\n", 1, "is neither a [table] nor key = value: The site. After"),
    "no bracket at the begin": ('a = "x", "y"]\n', 1, 'a list has no [ at its begin: a = ["x", "y"]'),
    "no bracket before a name": ("hosts.papio]\n", 1, "a table has no [ at the begin of its name: hosts.papio]"),
    "a quote between braces": ('r = { a = "5%, b = "5%" }\n', 1, "a quote is missing"),
    "a time that is no remark": ("timeout = 20 min\n", 1, QUOTED + 'timeout = "20 min"'),
    "a list without an end": ('a = ["a",\n"b"\n[hosts]\n', 1, "a list begins here and has no ] at its end (line 3"),
    "a list before a key": ('a = ["a",\nb = 1\n', 1, "a list begins here and has no ] at its end (line 2"),
    "a list before nothing": ('a = ["a",\n', 1, ENDLESS),
    "the begin of a list alone": ("b = [", 1, ENDLESS),
    "a list with a comma before a table": ("a = [\n1,\n[c]\nx = 1\n", 1, f"{ENDLESS} (line 3 is something else)"),
    "a list with a comma before a table of a list": ('a = ["a",\n\n[[b.c]]\nx = 1\n', 1, f"{ENDLESS} (line 3 is something else)"),
    "a list before a table without its end": ("a = [\n1,\n[c\nx = 1\n", 1, f"{ENDLESS} (line 3 is something else)"),
    "no comma in a list in a list": ('a = [\n["x" "y"]\n]\n', 2, 'a comma is missing in a list, before "y"]'),
    "lists without quotes in a list": ("a = [\n[c],\n]\n", 2, QUOTED + '"c"'),
    "a round one for a bracket": ('a = ["/a")\n', 1, "a list ends with ], not with )"),
    "a quote in a list": ('a = ["/a, "/b"]\n', 1, 'a quote is missing in a list, before /b"]'),
    "two quotes in a list": ('a = ["/a, "/b, "/c"]\n', 1, 'a quote is missing in a list, before /b, "/c"]'),
    "a list without a comma": ('a = ["a" "b"]\n', 1, 'a comma is missing in a list, before "b"]'),
    "lines without a comma": ('a = [\n"a"\n"b"\n]\n', 3, 'a comma is missing in a list, before "b"'),
    "a bracket too many": ("[b]] # x\n", 1, "a table's name stands in single brackets: [b]"),
    "a bracket too few": ("[[a.b]\n", 1, "a table's name stands in single brackets: [a.b]"),
    "no bracket": ('[site\nname = "a"\n', 1, "a table has no ] at the end of its name: [site"),
    "two in one line": ("[site] name = 1\n", 1, "there is more after the ] of a table's name: begin a new line there"),
    "a blank in a name": ("[hosts.a b]\n", 1, "a name has no blanks: write [hosts.a-b]"),
    "a blank for a dot": ("[jobs backup-papio] # daily\n", 1, "a name has no blanks: write [jobs.backup-papio]"),
    "blanks for all": ("[ jobs backup papio ]\n", 1, "a name has no blanks: write [jobs.backup-papio]"),
    "signs in a name": ("[hooks.a/b]\n", 1, "a name has letters, digits, - and _ only; one with a dot stands in quotes"),
    "a long dash in a name": ("[jobs.backup\u2013papio] # x\n", 1, "has a long dash: write - in its place: [jobs.backup-papio]"),
    "a long dash in a key": ("[s]\nfree\u2014space = 1\n", 2, "has a long dash: write - in its place: free-space = 1"),
    "a dot at the end of a name": ("[people.]\n", 1, "a name is missing beside a dot: [people.]"),
    "a dot at its begin": ("[.people]\n", 1, "a name is missing beside a dot: [.people]"),
    "no name": ("[]\n", 1, "a table has no name: [site], for instance"),
    "a semicolon": ('name = "a";\n', 1, "a line has no ; at its end: take it out"),
    "a comma": ("live = true,\n", 1, "a line has no , at its end: take it out"),
    "another comment": ('name = "a" // x\n', 1, "a comment begins with #, not with //"),
    "a single quote in single ones": (
        "start = 'Karl's button'\n", 1, "' ends a text that begins with it: put the text in double quotes: start = \"Karl's button\""
    ),
    "more after single quotes": ("start = 'a' b\n", 1, "there is more after the text: b; a comment begins with #"),
    "another comment after a text": ('name = "a" ; x\n', 1, "a comment begins with #, not with ;"),
    "quotes in quotes": ('name = "say "hi" now"\n', 1, "there is more after the text: "),
    "a zero": ("port = 022\n", 1, "a number has no 0 in front: port = 22"),
    "a backslash": ('path = "C:\\dir"\n', 1, "has a backslash in a text: write it twice"),
    "a blank from the web": ('name\u00a0= "a"\n', 1, r"has a blank that is no plain one (\xa0)"),
    "a control character": ('name = "a\x07"\n', 1, r"has a control character (\x07): take it out"),
    "lines of an old Macintosh": ('[site]\rname = "a"\r', 1, "ends its lines as an old Macintosh did"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_mistake_is_told_in_words_with_its_line(case: str) -> None:
    text, line, said = CASES[case]
    with pytest.raises(ValueError) as caught:
        tomllib.loads(text)
    found, words = explain(text, caught.value)
    assert (found, words.startswith(said)) == (line, True), words
    assert words.isprintable()


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_in_place_of_a_line_is_toml(case: str) -> None:
    with pytest.raises(ValueError) as caught:
        tomllib.loads(CASES[case][0])
    _, words = explain(CASES[case][0], caught.value)
    if (line := re.search(r": (?:write |say both in one, )?([a-z_]+ = .*)$", words)) and not re.search(
        r"[.]{3}|, not ", words
    ):
        assert tomllib.loads(line[1])


@pytest.mark.parametrize("sign", [" ", ", ", "; ", ","])
@pytest.mark.parametrize("first", ["30", "true", '"a"', "'a'", "1.5", "[1]", "{ a = 1 }", "babase", "yes", "5%"])
@pytest.mark.parametrize("second", ["max = 400", 'x = "y"', "free_space = 5%", 'a."b.c" = 1'])
def test_no_second_key_of_a_line_becomes_part_of_the_first(first: str, sign: str, second: str) -> None:
    text = f"[s]\nmin = {first}{sign}{second}\n"
    with pytest.raises(ValueError) as caught:
        tomllib.loads(text)
    line, words = explain(text, caught.value)
    assert line == 2
    assert f"begin a new line before {second}" in words or "each key begins a line" in words
