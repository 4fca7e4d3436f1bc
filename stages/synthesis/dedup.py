"""Exact and near duplicates among texts, by MinHash over word trigrams with polars [O]."""

import polars as pl

BANDS, ROWS = 6, 4  # trigram sets of similarity 0.85 share a band with probability 0.99
NEAR = 0.85  # least Jaccard similarity of trigrams that makes a near duplicate
GRAM = 3
WITHOUT_DIGITS = pl.col("text").str.replace_all(r"\p{N}", "0")
WITHOUT_NUMBERS = pl.col("text").str.replace_all(r"\p{N}+", "0")


def duplicates(texts: list[str]) -> list[str]:
    """For each text "" or why it goes: "exact" or "near" duplicate of an earlier text that stays.

    Case, punctuation and spacing do not count; for near duplicates the digits of numbers do not either.
    """
    rows = _with_first(_plain(texts))
    reasons = ["exact" if first < row else "" for row, first in rows.select("row", "first").iter_rows()]
    grams = _grams(rows.filter(pl.col("row") == pl.col("first")))
    sets = _sets(grams)
    for later, earlier in _candidates(grams):
        if not reasons[earlier] and not reasons[later] and _near(sets[earlier], sets[later]):
            reasons[later] = "near"
    return reasons


def near_groups(texts: list[str]) -> list[int]:
    """For each text the index of the first text of its group.

    A group holds texts that are exact or near duplicates, of each other or by way of others of the group. Which numbers
    they hold does not count.
    """
    rows = _with_first(_plain(texts).with_columns(WITHOUT_NUMBERS))
    group = dict(rows.select("row", "first").iter_rows())
    grams = _grams(rows.filter(pl.col("row") == pl.col("first")))
    sets = _sets(grams)

    def first_of(row: int) -> int:
        while group[row] != row:
            row = group[row]
        return row

    for later, earlier in _candidates(grams):
        if _near(sets[earlier], sets[later]):
            low, high = sorted((first_of(earlier), first_of(later)))
            group[high] = low
    return [first_of(row) for row in range(len(texts))]


def _plain(texts: list[str]) -> pl.DataFrame:
    """(row, text) without case, punctuation and spacing."""
    rows = pl.DataFrame({"row": range(len(texts)), "text": texts}, schema={"row": pl.Int64, "text": pl.String})
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return rows.with_columns(plain)


def _with_first(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the first row of the same text."""
    return rows.with_columns(first=pl.col("row").min().over("text"))


def _sets(grams: pl.DataFrame) -> dict[int, set[int]]:
    """row -> its grams."""
    return {row: set(found) for row, found in grams.group_by("row", maintain_order=True).agg("gram").iter_rows()}


def _near(a: set[int], b: set[int]) -> bool:
    return len(a & b) >= NEAR * len(a | b)


def _grams(rows: pl.DataFrame) -> pl.DataFrame:
    """(row, gram): the distinct hashed word trigrams of every text; a shorter text is one gram."""
    tokens = rows.select("row", word=WITHOUT_DIGITS.str.split(" ")).explode("word")
    ahead = [pl.col("word").shift(-step).over("row") for step in range(GRAM)]
    grams = tokens.with_columns(
        gram=pl.concat_str(ahead, separator=" ", ignore_nulls=True), whole=ahead[-1].is_not_null()
    )
    first = pl.int_range(pl.len()).over("row") == 0
    return (
        grams.filter(pl.col("whole") | first)
        .select("row", gram=pl.col("gram").hash(seed=0))
        .unique(maintain_order=True)
    )


def _candidates(grams: pl.DataFrame) -> list[tuple[int, int]]:
    """(later row, earlier row) that agree in a band of the MinHash signature, sorted."""
    signature = [pl.col("gram").hash(seed=index + 1).min().alias(f"h{index}") for index in range(BANDS * ROWS)]
    signed = grams.group_by("row").agg(signature)
    pairs = []
    for band in range(BANDS):
        keyed = signed.select("row", key=pl.struct(f"h{band * ROWS + index}" for index in range(ROWS)).hash(seed=0))
        met = keyed.join(keyed, on="key", suffix="_earlier").filter(pl.col("row_earlier") < pl.col("row"))
        pairs.append(met.select("row", "row_earlier"))
    return pl.concat(pairs).unique().sort("row", "row_earlier").rows()
