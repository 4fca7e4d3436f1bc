"""How requests to invented tools are put: ways to say a value, sentence frames, joints and answers in words."""

# What else says a preposition of ROLES.
SPOKEN = {
    "from": ("out of", "leaving", "starting in", "coming from", "given by", "departing"),
    "to": ("towards", "into", "going to", "headed for", "for", "arriving in", "meant for"),
    "on": ("dated", "for", "scheduled on", "of", "when it is"),
    "at": ("around", "located in", "by", "close to", "starting at"),
    "for": ("on behalf of", "lasting", "in favour of", "during", "serving"),
    "by": ("written by", "made by", "due by", "done by", "from"),
    "in": ("inside", "within", "using", "expressed in", "measured in"),
    "about": ("on", "regarding", "concerning", "dealing with", "covering", "to do with"),
    "called": ("titled", "known as", "labelled", "that goes by", "entitled", "under the title"),
    "named": ("titled", "known as", "labelled", "that goes by", "with the name", "that is called"),
    "until": ("till", "up to", "no later than", "ending", "before", "through"),
    "within": ("inside", "no farther than", "not more than", "up to"),
    "over": ("above", "at least", "more than", "not below", "no less than"),
    "under": ("below", "at most", "less than", "up to", "no more than"),
    "with": ("together with", "accompanied by", "including", "joined by", "along with"),
    "of": ("amounting to", "worth", "totalling", "being"),
}

# Phrase patterns for a value whose parameter is named: {n} its name, {v} the value.
NAMED = (
    "with {n} {v}",
    "{n} {v}",
    "{n} set to {v}",
    "whose {n} is {v}",
    "{v} as the {n}",
    "with {v} as its {n}",
    "the {n} being {v}",
    "the {n} is {v}",
    "using {v} for the {n}",
    "where the {n} equals {v}",
    "and {n} {v}",
    "{v} for {n}",
    "a {n} of {v}",
    "of {n} {v}",
    "in the {v} {n}",
    "at {n} {v}",
    "on the {n} {v}",
    "for the {n} {v}",
    "having {n} {v}",
    "that has the {n} {v}",
    "into {n} {v}",
    "from {n} {v}",
)

# For a value that only its type or the other values tell the parameter of.
LOOSE = tuple(
    " ".join(phrase.split())
    for phrase in """
    above, after, against, along, among, around, as, at, before, behind, below, beside, between, beyond, by, despite,
    down, during, for, from, in, into, like, near, of, off, on, onto, out of, over, past, since, than, through, till,
    to, toward, under, until, up to, via, with, within, starting, ending, running, taking, limited to, reaching,
    going to, coming from, headed for, meant for, directed to, delivered to, kept at, kept as, handed to, worth, marked,
    known as, put at, filed under, measuring, priced at, assigned to, registered as, listed as, showing, reading,
    no more than, no less than, at least, at most, exactly, about, not before, not after, only, all of, just, each of,
    in the, of the, for the, at the, from the, to the, with the, on the, under the, belonging to, owned by, made by,
    requested by, which is, that is, being, set at, taken from, intended for, as of, no later than, bound by, tied to
    """.split(",")
)

# Before and after the request itself ({i} the intent, {s} the phrases for the values).
LEADS = (
    "", "", "", "hey,", "okay,", "so", "listen:", "next:", "good morning,", "hi there,", "well,", "quick one:", "look,",
    "right,", "as agreed,", "if you can,", "when you have a minute,", "for my boss:", "for the records:", "once again:",
    "before I forget,", "one more thing:",
)  # fmt: skip
FRAMES = (
    "{i} {s}",
    "{i} {s}",
    "{i} {s}",
    "{i}, {s}",
    "{s}, {i}",
    "{i}: {s}",
    "go ahead and {i} {s}",
    "let us {i} {s}",
    "it is time to {i} {s}",
    "my plan is to {i} {s}",
    "be so kind and {i} {s}",
    "we must {i} {s}",
    "the job is to {i} {s}",
    "somebody has to {i} {s}",
    "you should {i} {s}",
    "help me with this: {i} {s}",
    "my boss wants to {i} {s}",
    "I'd love to {i} {s}",
    "I'd rather {i} {s}",
    "I am supposed to {i} {s}",
    "I am trying to {i} {s}",
    "I promised to {i} {s}",
    "my sister asked me to {i} {s}",
    "we are going to {i} {s}",
    "we'd better {i} {s}",
    "they told us to {i} {s}",
    "will you {i} {s}",
    "may I ask you to {i} {s}",
    "how do I {i} {s}",
    "is there a way to {i} {s}",
    "why not {i} {s}",
    "try to {i} {s}",
    "do me a favour and {i} {s}",
    "remember to {i} {s}",
    "make sure to {i} {s}",
    "what I need is to {i} {s}",
    "it would be great to {i} {s}",
    "you may {i} {s}",
    "do {i} {s}",
    "I must {i} {s}",
    "all I ask is that you {i} {s}",
    "it is up to you to {i} {s}",
)
ENDS = (
    "", "", "", "", "", ".", ".", "?", "!", " now", " right away", ", thanks", ", thank you", ", will you?",
    ", if you can.", " as soon as you can", " for me", ", okay?",
)  # fmt: skip

JOINS = (
    "{a} and {b}",
    "{a}, and {b}",
    "{a}. {b}",
    "{a}; {b}",
    "{a}, then {b}",
    "{a} plus {b}",
    "{a} and also {b}",
    "{a}. After that {b}",
    "{a}, {b}",
    "{a} as well as {b}",
    "{a}, afterwards {b}",
    "{a}. Oh, and {b}",
)
# A further call of the same tool that says only what differs.
FURTHER = (
    "{a}; a second one {b}",
    "{a}, another {b}",
    "{a} as well as {b}",
    "{a} and one {b}",
    "{a}, and identically {b}",
    "{a}, both that and {b}",
    "{a}; all of it {b} too",
    "{a}, and the like {b}",
)
AGAIN = (
    "now {s}",
    "again, {s}",
    "repeat with {s}",
    "change: {s}",
    "this time {s}",
    "once more {s}",
    "how about {s}?",
    "I meant {s}",
    "the very same thing {s}",
    "sorry, {s}",
    "one further time, {s}",
    "and if it were {s}?",
    "all as it was, {s}",
)
THAT = ("with that {n}", "using the {n} you got", "for it", "with the {n} from there", "on the one found", "with this")
QUESTIONS = ("Which {n}?", "Please give the {n}?", "May I know the {n}?")
REFUSALS = (
    "No tool here is able to do it.",
    "I cannot, there is no tool for it.",
    "That is not possible with this tool list, I cannot help.",
)
