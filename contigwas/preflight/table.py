"""The findings as one table for a terminal: errors first, then warnings, then facts."""

import textwrap
from collections.abc import Sequence

from contigwas.preflight.findings import ERROR, LEVELS, WARNING, Finding

NARROWEST, WIDEST, KEY = 72, 140, 28  # characters: of the table, and of its column of keys at most


def render(findings: Sequence[Finding], width: int) -> str:
    """The table, at most `width` characters wide where no word is longer; the last line counts errors and warnings."""
    width = min(max(width, NARROWEST), WIDEST)
    column = min(KEY, max((len(one.key) for one in findings), default=0))
    lines = []
    for level in LEVELS:
        of_level = [one for one in findings if one.level == level]
        if of_level:
            title = f"{level.upper()}S ({len(of_level)})"
            lines += [f"{title} {'-' * (width - len(title) - 1)}"]
            keys = list(dict.fromkeys(one.key for one in of_level))
            for key in keys:
                lines += _rows(key, [one.text for one in of_level if one.key == key], column, width)
            lines.append("")
    return "\n".join([*lines, _count(findings)])


def _rows(key: str, texts: Sequence[str], column: int, width: int) -> list[str]:
    """The lines of one key: its name once, each text wrapped beside it; lines inside a text stay lines."""
    room = width - column - 4
    reported = [piece for text in texts for line in text.split("\n") for piece in _wrapped(line, room)]
    dotted = textwrap.wrap(key.replace(".", ". "), column) if len(key) > column else [key]
    named = [one.replace(". ", ".").strip() for one in dotted]
    names = named + [""] * (len(reported) - len(named))
    reported += [""] * (len(names) - len(reported))
    return [f"  {name:<{column}}  {line}".rstrip() for name, line in zip(names, reported, strict=True)]


def _wrapped(line: str, room: int) -> list[str]:
    """A sentence in several lines, the later ones indented; a line that fits keeps its spaces."""
    if len(line) <= room:
        return [line]
    return textwrap.wrap(line, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _count(findings: Sequence[Finding]) -> str:
    errors, warnings = (sum(one.level == level for one in findings) for level in (ERROR, WARNING))
    reported = [
        f"{count} {level}{'' if count == 1 else 's'}" for count, level in ((errors, ERROR), (warnings, WARNING))
    ]
    return f"preflight: {' and '.join(reported)}" + (": fix the errors before a run" if errors else "")
