"""The rules for text answers: a question names what is missing, a report holds the values, a refusal refuses. [O]"""

import re

from itool.toolcall.types import Kind, Reference

# A number that is not part of a word, a date, a time or a longer number; thousands may be set off with commas.
NUMBER = re.compile(r"(?<![\w.,:/])(?<!\d-)-?\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?+(?![:/-]\d)")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
TAG = re.compile(r"[,.!] (?:ok|okay|right|alright|yes|no)\?$", re.IGNORECASE)  # makes no question of what is told
TOOL = r"\b(?:tools?|functions?)\b"
NEAR = r"(?: [^\s.,:;!?]+){0,6} "  # a few words of one clause: "no problem, I used the tool" is no refusal
REFUSAL = re.compile(
    r"\b(?:can ?not|can't|could ?n[o']t)\b(?! wait\b)"
    r"|\bunable\b|(?:\bnot|n't) (?:be )?able\b"
    rf"|\bno{NEAR}{TOOL}|{TOOL}{NEAR}no\b"
    rf"|(?:\b(?:not|none|without|lack)|n't)\b[^.!?]*{TOOL}"
    rf"|{TOOL}[^.!?]*(?:\b(?:not|none)|n't)\b",
    re.IGNORECASE,
)


def text_share(text: str, reference: Reference) -> float:
    """The share of the rules for this kind of text that are kept, in 0..1; it is right at 1.0."""
    text = " ".join(text.replace("\u2019", "'").split())
    if reference.kind is Kind.QUESTION:
        asks = text.endswith("?") and not TAG.search(text)
        kept = [asks] + [_names(text, parameter) for _, parameter in reference.parameters]
    elif reference.kind is Kind.REPORT:
        kept = [bool(text)] + [_tells(text, value) for value in reference.values]
    else:
        kept = [bool(REFUSAL.search(text)) and "?" not in text]
    return sum(kept) / len(kept)


def text_could_be_right(text: str, reference: Reference) -> bool:
    """Whether an unfinished text can still be completed to a right one: only a refusal that asks cannot."""
    return reference.kind is not Kind.REFUSAL or "?" not in text


def _names(text: str, parameter: str) -> bool:
    """A parameter by its name, or by its name in words (start_date, startDate: "start date")."""
    spoken = CAMEL.sub(" ", parameter).replace("_", " ").replace("-", " ").strip()
    return _has_words(text, parameter) or _has_words(text, spoken)


def _tells(text: str, value: str) -> bool:
    if NUMBER.fullmatch(value):
        wanted = float(value.replace(",", ""))
        return any(float(number.replace(",", "")) == wanted for number in NUMBER.findall(text))
    return _has_words(text, value)


def _has_words(text: str, words: str) -> bool:
    words = " ".join(words.replace("\u2019", "'").split())
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None
