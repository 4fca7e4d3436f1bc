"""Whether a text tells a value: a number, a date or words. docs/answers.md says the rules in full. [O]"""

import re
from datetime import datetime

# A number that is not part of a word, a date, a time or a longer number; thousands may be set off with commas.
NUMBER = re.compile(r"(?<![\w.,:/])(?<!\d-)-?\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?+(?![:/-]\d)")
ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)\S*)?")


def tells(text: str, value: str) -> bool:
    """Whether a text of single spaces tells the value."""
    if NUMBER.fullmatch(value):
        return any(_is_number(number.replace(",", ""), value.replace(",", "")) for number in NUMBER.findall(text))
    return has_words(text, value) or _tells_time(text, value)


def has_words(text: str, words: str) -> bool:
    """Whether whole words stand in the text, whatever their case."""
    words = " ".join(words.replace("\u2019", "'").split())
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None


def _is_number(told: str, value: str) -> bool:
    """Whether a number is the value, or the value rounded to one decimal or more where it has more than two."""
    if float(told) == float(value):
        return True
    decimals, exact = (len(number.partition(".")[2]) for number in (told, value))
    return exact > 2 and 0 < decimals < exact and float(told) != 0 and float(told) == round(float(value), decimals)


def _tells_time(text: str, value: str) -> bool:
    """Whether the text tells an ISO date, with its time if it has one, in words: May 1 (2024), 1 May, 10 AM, 10:00."""
    found = ISO_TIME.fullmatch(value)
    if not found:
        return False
    try:
        when = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}")
    except ValueError:
        return False
    month = rf"(?:{when:%B}|{when:%b}\.?)"
    day = rf"0?{when.day}(?:st|nd|rd|th)?"
    date = rf"(?<!\w)(?:{month} {day}|{day} (?:of )?{month})(?!\w)(?!,? (?!{when.year})\d{{4}}\b)"
    minutes = rf":{when:%M}" if when.minute else "(?::00)?"
    time = rf"(?<![\d:])(?:{when:%H:%M}(?!\d)|{when.hour % 12 or 12}{minutes} ?{when:%p}\b)"
    patterns = [rf"{date}|(?<!\d){found[1]}(?!\d)", *([time] if found[2] else [])]
    return all(re.search(pattern, text, re.IGNORECASE) for pattern in patterns)
