"""The rules for text answers: a question asks for what is missing, a report tells the values, a refusal refuses.

They are a reward as well as a measure: no text is right that holds a call, claims success where it is to refuse, or
lists everything. docs/answers.md says them in full. They know English only. [O]
"""

import re
from collections.abc import Iterable

from itool.toolcall.told import has_words, tells
from itool.toolcall.types import Kind, Reference, Tool

THOUGHT = re.compile(r"\s*<think>(?:.*?</think>|.*\Z)", re.DOTALL)
LIST_MARK = re.compile(r"^[ \t]*(?:\d+[.)]|[-*\u2022])[ \t]+", re.MULTILINE)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# What opens a call in some family's form. No pattern looks ahead, so a text that holds a call goes on to hold it.
ARGUMENTS = r"""\s*\(\s*(?:\)|["'\[{]|-?\d|[^\s=,()"']+\s*=)"""
MARKUP = re.compile(r"<\|?/?tool_calls?\b|\[TOOL_CALLS?\]|<function\b|<invoke\b|<arg_key>|<\|python_tag\|>|functools\[")
BRACKET = re.compile(rf"\[\s*[\w.$@:/+-]+{ARGUMENTS}")
JSON_NAME, JSON_ARGUMENTS = r"""["']name["']\s*:\s*["']""", r"""["'](?:arguments|parameters)["']\s*:"""

SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)[\"')\]*]*\s+")
CLAUSE_END = re.compile(r"[.,:;!?]|\bbut\b|\band\b")
THANKS = re.compile(r"(?:many )?thank(?:s| you)\b[\w ]*[.!]?", re.IGNORECASE)
# A question mark after these makes no question for a parameter.
TAG = re.compile(r"[,.!] (?:ok|okay|right|alright|yes|no)\?$|\b(?:any|some)thing else\b|\bwhat else\b", re.IGNORECASE)
REQUEST = re.compile(
    r"(?:^|\b(?:please|kindly|you to|you must|you should) )"
    r"(?:tell|give|provide|specify|enter|send|supply|indicate|clarify|choose|select)\b(?! that\b)"
    r"|\b(?:please|kindly) (?:confirm|share|state|name|pick|type|say)\b(?! that\b)"
    r"|\bI(?:'d|'ll| would| will)?(?: also| still| just| only)? "
    r"(?:need|require|like to know|have to know|must know|want to know)\b(?! to (?!know))"
    r"|\b(?:I am|I'm) missing\b|\blet (?:me|us) know\b(?! if\b)",
    re.IGNORECASE,
)
TOOL = r"\b(?:tools?|functions?)\b"
NEAR = r"(?: [^\s.,:;!?]+){0,6} "  # a few words of one clause: "no problem, I used the tool" is no refusal
# "I cannot wait", "I cannot thank you enough" and "I cannot do that until you tell me" refuse nothing.
TURNED = (
    r"(?! (?:\w+ )?(?:wait|stress|emphasi[sz]e|overstate|believe|imagine|complain|help but|only|resist|contain|fail"
    r"|agree more|be (?:happier|gladder|prouder|more|better|easier)|say no|go wrong|see why"
    r"|(?:find|see|have) (?:a |any )?(?:problem|issue|reason|objection|doubt)s?)\b)"
    rf"(?![^.!?]*\benough\b)(?![^.!?]*\b(?:until|unless|before|without)\b(?![^.!?]*{TOOL}))"
)
MEANS = r"\b(?:access|abilit\w+|capabilit\w+|way|means|permissions?|features?|options?|skills?)\b"
REFUSAL = re.compile(
    rf"(?<!\byou )\b(?:can ?not|can't|could ?n[o']t)\b{TURNED}"
    rf"|\bunable\b(?: to\b)?{TURNED}|(?:\bnot|n't) (?:be )?able\b(?: to\b)?{TURNED}"
    r"|\b(?:impossible|not possible|(?:beyond|outside(?: of)?) (?:my|the) (?:scope|abilit\w+|capabilit\w+))\b"
    r"|\bnot something (?:that )?(?:I|we|my tools|these tools)\b"
    rf"|\b(?:no|none)\b(?! (?:problem|doubt|worr|need|longer|matter)){NEAR}{TOOL}"
    r"(?! (?:was|were|is|are) (?:needed|required|necessary)\b)"
    rf"|{TOOL}(?: [^\s.,:;!?]+){{0,6}}(?: (?:not|none)\b|n't\b){TURNED}"
    rf"|(?:\bnot|n't) (?:have|see|find|know|offer|possess|any|an?|one)\b[^.!?]*{TOOL}|\black(?:s|ing)?\b[^.!?]*{TOOL}"
    rf"|\bI (?:do not|don't)(?: currently| actually)? (?:have|possess)\b{TURNED}[^.!?]*{MEANS}",
    re.IGNORECASE,
)
ACTS = "(?:booked|sent|done|scheduled|confirmed|created|ordered|reserved|paid|placed|noted|completed)"
DONE = re.compile(
    rf"\bsuccessfully\b|\ball set\b|\b(?:is|are|was|were|been)(?: now| already)? {ACTS}\b"
    rf"|\bI(?: have|'ve)?(?: now| just| already)? {ACTS}\b",
    re.IGNORECASE,
)
SPEAKER = re.compile(rf"\b(?:I|we|my|our)\b|{TOOL}", re.IGNORECASE)
NEGATION = re.compile(r"\b(?:no|not|nothing|none|never|cannot)\b|n't\b", re.IGNORECASE)

ENGLISH_WORDS = 4  # of a text that can tell its language
COMMON = frozenset(
    "the a an is are was were be to of and or in on at for with from by it its this that you your i i'm i'll my we our "
    "not no can can't cannot don't do does did have has had will would what which how please here there".split()
)

OTHER_PARAMETERS = 2  # that a question may name beside the missing ones: it must not ask for everything
OTHER_FIGURES = 3  # words with digits that a report may hold beside its values
REPORT_WORDS = 40  # and twice as many as the preferred report has


def text_share(text: str, reference: Reference, tools: Iterable[Tool] = ()) -> float:
    """The share of the rules for this kind of text that are kept, in 0..1; it is right at 1.0.

    `tools` are those shown: no text that calls one of them by its name is right.
    """
    if holds_call(text, tools):
        return 0.0
    text = _plain(text)
    if reference.kind is Kind.QUESTION:
        asking = _asking(text)
        kept = [bool(asking), *(_names(asking, name) for _, name in reference.parameters)]
        kept.append(len(_other_parameters(asking, reference, tools)) <= OTHER_PARAMETERS)
    elif reference.kind is Kind.UNJUDGED:
        kept = [bool(text)]
    elif reference.kind is Kind.REPORT:
        kept = [bool(text) and not _lists_all(text, reference), *(tells(text, value) for value in reference.values)]
    else:
        kept = [bool(REFUSAL.search(text)) and not _claims_success(text)]
    return sum(kept) / len(kept)


def text_could_be_right(text: str, reference: Reference, tools: Iterable[Tool] = ()) -> bool:
    """Whether an unfinished text can still be completed to a right one: not once it holds a call or lists too much."""
    if holds_call(text, tools):
        return False
    whole_words = _plain(text).rpartition(" ")[0]
    return reference.kind is not Kind.REPORT or not _lists_all(whole_words, reference)


def holds_call(text: str, tools: Iterable[Tool]) -> bool:
    """Whether there is a call, in any family's form, outside a thought that opens the text."""
    text = THOUGHT.sub("", text, count=1) if THOUGHT.match(text) else text
    if MARKUP.search(text) or BRACKET.search(text):
        return True
    names = "|".join(re.escape(tool.name) for tool in tools)
    if names and re.search(rf"(?<![\w.])(?:{names}){ARGUMENTS}|{JSON_NAME}(?:{names})[\"']", text):
        return True
    return bool(re.search(JSON_NAME, text) and re.search(JSON_ARGUMENTS, text))


def tells_value(text: str, value: str) -> bool:
    """Whether a report tells a value."""
    return tells(_plain(text), value)


def asks_for(text: str, parameter: str) -> bool:
    """Whether a text ends by asking for a parameter."""
    return _names(_asking(_plain(text)), parameter)


def refuses(text: str) -> bool:
    """Whether a text, of which nobody knows what it is, refuses: who writes cannot, or the tools cannot.

    The rule for what counts as a right refusal is wider: it also takes what is said of the matter ("that is not
    possible").
    """
    plain = _plain(text)
    refusing = [sentence for sentence in SENTENCE_END.split(plain) if REFUSAL.search(sentence)]
    return any(SPEAKER.search(sentence) for sentence in refusing) and not _claims_success(plain)


def is_english(text: str) -> bool:
    """Whether a text may be English: it is short, or holds one of the words that hardly any sentence does without."""
    words = re.findall(r"[^\W\d_]+(?:'[a-z]+)?", text.lower())
    return len(words) < ENGLISH_WORDS or not COMMON.isdisjoint(words)


def told_part(text: str) -> str:
    """A text without the question at its end."""
    plain = _plain(text)
    sentences = SENTENCE_END.split(plain)
    while sentences and _asking(sentences[-1]):
        sentences.pop()
    return " ".join(sentences)


def _plain(text: str) -> str:
    """The text after a thought, without the marks of lists, and with single spaces."""
    text = THOUGHT.sub("", text, count=1) if THOUGHT.match(text) else text
    return " ".join(LIST_MARK.sub("", text.replace("\u2019", "'")).split())


def _asking(text: str) -> str:
    """What the last sentences ask, as far back as they ask; "" when the last one tells."""
    asked: list[str] = []
    for sentence in reversed(SENTENCE_END.split(text)):
        if not re.search(r"\w", sentence) or THANKS.fullmatch(sentence):
            continue
        found = REQUEST.search(sentence)
        if sentence.rstrip("\"')]*").endswith("?") and not TAG.search(sentence):
            asked.append(sentence)
        elif found and not sentence.endswith("?"):
            asked.append(sentence[found.start() :])
        else:
            break
    return " ".join(reversed(asked))


def _names(text: str, parameter: str) -> bool:
    """A parameter by its name, or by its name in words (start_date, startDate: "start date")."""
    spoken = CAMEL.sub(" ", parameter).replace("_", " ").replace("-", " ").strip()
    return has_words(text, parameter) or has_words(text, spoken)


def _other_parameters(text: str, reference: Reference, tools: Iterable[Tool]) -> list[str]:
    """The parameters named in the text that the tools with a missing one have, and that are not missing."""
    asked = {tool for tool, _ in reference.parameters}
    missing = {name for _, name in reference.parameters}
    known = {name for tool in tools if tool.name in asked for name in tool.properties}
    return [name for name in known - missing if _names(text, name)]


def _lists_all(text: str, reference: Reference) -> bool:
    """Whether a report holds far more than it is to tell. It holds no less as it goes on."""
    wanted = " ".join([reference.text, *reference.values]).split()
    words = text.split()
    if len(words) > REPORT_WORDS + 2 * len(wanted):
        return True
    known = {_bare(word) for word in wanted}
    figures = {_bare(word) for word in words if re.search(r"\d", word)} - known
    others = [word for word in figures if not any(tells(word, value) for value in reference.values)]
    return len(others) > max(OTHER_FIGURES, len(reference.values))


def _bare(word: str) -> str:
    return word.strip(".,;:!?()[]\"'*").lower()


def _claims_success(text: str) -> bool:
    """Whether some clause says that something was done."""
    return any(DONE.search(clause) and not NEGATION.search(clause) for clause in CLAUSE_END.split(text))
