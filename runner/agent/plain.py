"""Text from programs and people as one harmless line."""

from __future__ import annotations

import unicodedata

WIDEST = 500
HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def plain(text: bytes | str, widest: int = WIDEST) -> str:
    """`text` with everything escaped that a terminal could take as more than text; cut to `widest`."""
    known = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    known = "".join(each if _harmless(each) else _escaped(each) for each in known[: widest + 1])
    return known if len(known) <= widest else f"{known[:widest]}..."


def _harmless(char: str) -> bool:
    if char.isascii():
        return char.isprintable()
    return unicodedata.category(char) not in HARMFUL


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
