"""Cuts generated token ids into fragments. Works on bytes, so that a character split over tokens does no harm. [O]"""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from itool.errors import UserError
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.grammar import Grammar

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Fragment:
    """A run of generated ids that can be wrong on its own.

    kind: cut means unfinished at the length limit. path: where it stands in the answer: thought, choice, calls[0].name,
    calls[0].arguments.city, calls[0].next, text.
    """

    ids: tuple[int, ...]
    kind: Literal["thought", "choice", "name", "argument", "next", "text", "cut"]
    path: str


def cut(
    ids: tuple[int, ...],
    token_bytes: list[bytes],
    dialect: Dialect,
    end_ids: Collection[int],
    finish: Literal["stop", "length"],
) -> list[Fragment]:
    """The fragments of a generation; their ids, joined, are `ids` exactly.

    A token that spans a boundary belongs to the fragment in which it starts. Where the grammar breaks, the broken
    fragment goes on to the end. A generation that hit the length limit ends with a fragment of kind cut.
    """
    pieces = bytes_of(ids, token_bytes, end_ids)
    scanner = dialect.Scanner()
    scanner.feed(b"".join(pieces))
    if finish == "stop":
        scanner.finish()
    else:
        scanner.settle()
    _whole_thought(scanner, pieces)
    fragments = _talk(ids, pieces, end_ids, scanner) if scanner.talks else _group(ids, pieces, scanner.marks)
    if finish == "length" and fragments:
        last = fragments[-1]
        fragments[-1] = Fragment(last.ids, "cut", last.path)
    return fragments


def _whole_thought(scanner: Grammar, pieces: list[bytes]) -> None:
    """Leaves a thought to the fragment after it where a token spans the end of the thought: it may begin a choice
    that nothing can be said about before it is whole.
    """
    end, starts = scanner.thought_end, accumulate(map(len, pieces), initial=0)
    if end and end not in starts:
        scanner.marks = [[start if start > end else 0, kind, path] for start, kind, path in scanner.marks[1:]]
        scanner.thought_end = 0


def _talk(ids: tuple[int, ...], pieces: list[bytes], end_ids: Collection[int], scanner: Grammar) -> list[Fragment]:
    """Text: a thought, then what leads up to its byte `text_from` as the choice, then all else as one fragment. An
    empty answer is its end token alone.
    """
    thought = first = position = 0
    while first < len(ids) and ids[first] not in end_ids and position <= scanner.text_from:
        thought += position < scanner.thought_end
        position += len(pieces[first])
        first += 1
    fragments = [
        Fragment(ids[:thought], "thought", "thought"),
        Fragment(ids[thought:first], "choice", "choice"),
        Fragment(ids[first:], "text", "text"),
    ]
    return [fragment for fragment in fragments if fragment.ids]


def _group(ids: tuple[int, ...], pieces: list[bytes], marks: list[list[Any]]) -> list[Fragment]:
    fragments = []
    position, first, mark = 0, 0, 0
    for i, piece in enumerate(pieces):
        here = mark
        while here + 1 < len(marks) and marks[here + 1][0] <= position:
            here += 1
        if here != mark:
            if i > first:
                fragments.append(Fragment(ids[first:i], marks[mark][1], marks[mark][2]))
            first, mark = i, here
        position += len(piece)
    if first < len(ids):
        fragments.append(Fragment(ids[first:], marks[mark][1], marks[mark][2]))
    return fragments


def join_bytes(ids: Iterable[int], token_bytes: list[bytes], end_ids: Collection[int]) -> bytes:
    """The bytes of generated ids, as by `bytes_of`, in one piece."""
    return b"".join(bytes_of(ids, token_bytes, end_ids))


def bytes_of(ids: Iterable[int], token_bytes: list[bytes], end_ids: Collection[int]) -> list[bytes]:
    """The bytes of each id; end-of-turn tokens and ids beyond the vocabulary (a padded embedding) have none."""
    known = len(token_bytes)
    return [token_bytes[i] if i < known and i not in end_ids else b"" for i in ids]


def token_bytes(tokenizer: Any) -> list[bytes]:
    """The bytes of every id, of byte-level BPE or SentencePiece with byte fallback; special tokens as their text.

    Raises UserError for a tokenizer without a `tokenizers` backend.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UserError(f"tokenizer {type(tokenizer).__name__}: expected a fast tokenizer (tokenizer.json)")
    parts = json.loads(backend.to_str())
    byte_level = '"ByteLevel"' in json.dumps([parts["decoder"], parts["pre_tokenizer"]])
    convert = _byte_level if byte_level else _sentencepiece
    added = tokenizer.added_tokens_decoder
    vocabulary = tokenizer.get_vocab()
    table = [b""] * (max(vocabulary.values()) + 1)
    for token, i in vocabulary.items():
        table[i] = added[i].content.encode() if i in added else convert(token)
    return table


def _byte_level(token: str) -> bytes:
    if all(character in BYTE_OF for character in token):
        return bytes(BYTE_OF[character] for character in token)
    return token.encode()


def _sentencepiece(token: str) -> bytes:
    byte = BYTE_TOKEN.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace("\u2581", " ").encode()


def _byte_alphabet() -> dict[str, int]:
    """Byte-level BPE writes each byte as one character: itself where printable, else the next unused from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


BYTE_OF = _byte_alphabet()
