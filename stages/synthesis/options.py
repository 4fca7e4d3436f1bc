"""The options that a description lists in words: 'open', 'closed' or 'all' [O]."""

import re
from collections.abc import Set

LONGEST = 40  # characters of an option
QUOTED = r"""(?:(?<!\w)'[^'\n]{1,40}'(?!\w)|(?<!\w)"[^"\n]{1,40}"(?!\w)|`[^`\n]{1,40}`)"""
BETWEEN = r"(?:\s*\([^()\n]{1,60}\))?\s*(?:,\s*(?:or\b|and\b)?|\bor\b|\band\b|\||/)\s*"
RUN = re.compile(rf"{QUOTED}(?:{BETWEEN}{QUOTED})+")
BULLETS = re.compile(rf"^\s*[-*\u2022]\s*({QUOTED})", re.MULTILINE)
WORD = r"[A-Za-z][\w-]*"
PLAIN = re.compile(
    r"\b(?:one of|(?:possible|allowed|valid|accepted|supported) (?:values|options)(?: are| include)?|options(?: are)?)"
    rf"\s*:?\s+({WORD}(?:\s*(?:,\s*(?:or\b|and\b)?|\bor\b|\band\b|\||/)\s*{WORD})+)\s*(?:[.;)\n(]|$)",
    re.IGNORECASE,
)
EXAMPLE = re.compile(
    r"(?:\be\.g\.|\beg\b|\bexamples?\b|\bsuch as\b|\blike\b|\bfor instance\b)[^.'\"`]{0,20}$", re.IGNORECASE
)
NO_OPTION = re.compile(r"[<>{}]|YYYY|[,;]$|^(?:null|none|undefined)$|^\W*$", re.IGNORECASE)


def options_of(description: str, names: Set[str]) -> tuple[list[str], bool]:
    """The values that a description lists, two or more or none, and whether it says that they are all.

    `names` are those of parameters: a description that quotes them speaks of these.
    """
    if re.search(r"\bJSON\b", description):
        return [], False
    for found, all_of_them in _lists(description):
        values = [value for value in dict.fromkeys(found) if not NO_OPTION.search(value) and value not in names]
        if len(values) >= 2:
            return values, all_of_them
    return [], False


def _lists(description: str) -> list[tuple[list[str], bool]]:
    """Every list in the description, those that are said to be whole first."""
    lists = [
        (
            [quoted.strip()[1:-1].strip() for quoted in re.findall(QUOTED, run[0])],
            not EXAMPLE.search(description[: run.start()]),
        )
        for run in RUN.finditer(description)
    ]
    lists.append(([quoted[1:-1].strip() for quoted in BULLETS.findall(description)], True))
    lists += [(re.split(BETWEEN, run[1]), True) for run in PLAIN.finditer(description)]
    return sorted(lists, key=lambda each: not each[1])
