"""Format the findings as a table for the terminal: errors, then warnings, then facts."""

import textwrap
from collections.abc import Sequence

from contigwas.preflight.findings import ERROR, LEVELS, WARNING, Finding

MIN_WIDTH, MAX_WIDTH, MAX_KEY_WIDTH = 72, 140, 28  # characters


def render(findings: Sequence[Finding], width: int) -> str:
    """The table as text, at most `width` characters wide (longer words are not broken).

    The last line has the number of errors and warnings.
    """
    width = min(max(width, MIN_WIDTH), MAX_WIDTH)
    column = min(MAX_KEY_WIDTH, max((len(one.key) for one in findings), default=0))
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
    """The lines of one key: its name in the first column, its wrapped texts in the second. Line breaks are kept."""
    room = width - column - 4
    lines = [piece for text in texts for line in text.split("\n") for piece in _wrap(line, room)]
    wrapped_key = textwrap.wrap(key.replace(".", ". "), column) if len(key) > column else [key]
    names = [one.replace(". ", ".").strip() for one in wrapped_key]
    names += [""] * (len(lines) - len(names))
    lines += [""] * (len(names) - len(lines))
    return [f"  {name:<{column}}  {line}".rstrip() for name, line in zip(names, lines, strict=True)]


def _wrap(line: str, room: int) -> list[str]:
    """A line wrapped to `room` characters, with indented continuation lines. A line that fits keeps its spaces."""
    if len(line) <= room:
        return [line]
    return textwrap.wrap(line, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _count(findings: Sequence[Finding]) -> str:
    errors, warnings = (sum(one.level == level for one in findings) for level in (ERROR, WARNING))
    counts = [f"{count} {level}{'' if count == 1 else 's'}" for count, level in ((errors, ERROR), (warnings, WARNING))]
    return f"preflight: {' and '.join(counts)}" + (": fix the errors before a run" if errors else "")
