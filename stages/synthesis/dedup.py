"""Exact and near duplicates among texts, by MinHash over word trigrams with polars [O]."""

from collections.abc import Callable, Iterator, Sequence

import polars as pl

BANDS, ROWS = 6, 4  # trigram sets of similarity 0.85 share a band with probability 0.99
NEAR = 0.85  # least Jaccard similarity of trigrams that makes a near duplicate
GRAM = 3
PART = 20_000  # texts whose grams are in memory at a time
WITHOUT_DIGITS = pl.col("text").str.replace_all(r"\p{N}", "0")
WITHOUT_NUMBERS = pl.col("text").str.replace_all(r"\p{N}+", "0")


def duplicates(texts: list[str]) -> list[str]:
    """For each text "" or why it goes: "exact" or "near" duplicate of an earlier text that stays.

    Case, punctuation and spacing do not count; for near duplicates the digits of numbers do not either.
    """
    rows = _with_first(_plain(texts))
    reasons = ["exact" if first < row else "" for row, first in rows.select("row", "first").iter_rows()]
    different = rows.filter(pl.col("row") == pl.col("first"))
    pairs = _candidates(_signatures(different), _all_pairs)
    sets = Grams(different, pairs)
    for later, earlier in pairs:
        if not reasons[earlier] and not reasons[later] and sets.near(earlier, later):
            reasons[later] = "near"
    return reasons


def near_groups(texts: Sequence[str]) -> list[int]:
    """For each text the index of the first text of its group.

    A group holds texts that are exact or near duplicates, of each other or by way of others of the group. Which numbers
    they hold does not count. Of texts that share a band each is compared with the first and with the one before it, so
    that time and memory grow with the number of texts alone.
    """
    rows = _with_first(_plain(texts).with_columns(WITHOUT_NUMBERS))
    group = dict(rows.select("row", "first").iter_rows())
    different = rows.filter(pl.col("row") == pl.col("first"))
    pairs = _candidates(_signatures(different), _neighbours)
    sets = Grams(different, pairs)

    def first_of(row: int) -> int:
        while group[row] != row:
            row = group[row]
        return row

    for later, earlier in pairs:
        if sets.near(earlier, later):
            low, high = sorted((first_of(earlier), first_of(later)))
            group[high] = low
    return [first_of(row) for row in range(len(texts))]


class Grams:
    """The grams of those rows that stand in a pair."""

    def __init__(self, rows: pl.DataFrame, pairs: Sequence[tuple[int, int]]):
        met = pl.DataFrame({"row": sorted({row for pair in pairs for row in pair})}, schema={"row": pl.Int64})
        parts = [part.group_by("row").agg("gram") for part in _grams(rows.join(met, on="row", how="semi"))]
        table = pl.concat(parts) if parts else pl.DataFrame(schema={"row": pl.Int64, "gram": pl.List(pl.UInt64)})
        self.place = {row: place for place, row in enumerate(table["row"])}
        self.grams = table["gram"]

    def near(self, a: int, b: int) -> bool:
        """Whether two rows are near duplicates."""
        one, other = (set(self.grams[self.place[row]]) for row in (a, b))
        return len(one & other) >= NEAR * len(one | other)


def _plain(texts: Sequence[str]) -> pl.DataFrame:
    """(row, text) without case, punctuation and spacing."""
    rows = pl.DataFrame({"row": range(len(texts)), "text": texts}, schema={"row": pl.Int64, "text": pl.String})
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return rows.with_columns(plain)


def _with_first(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the first row of the same text."""
    return rows.with_columns(first=pl.col("row").min().over("text"))


def _grams(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """(row, gram), some thousand rows at a time: the distinct hashed word trigrams of every text; a shorter text is one
    gram.
    """
    for part in rows.iter_slices(PART):
        tokens = part.select("row", word=WITHOUT_DIGITS.str.split(" ")).explode("word")
        ahead = [pl.col("word").shift(-step).over("row") for step in range(GRAM)]
        grams = tokens.with_columns(
            gram=pl.concat_str(ahead, separator=" ", ignore_nulls=True), whole=ahead[-1].is_not_null()
        )
        first = pl.int_range(pl.len()).over("row") == 0
        yield (
            grams.filter(pl.col("whole") | first)
            .select("row", gram=pl.col("gram").hash(seed=0))
            .unique(maintain_order=True)
        )


def _signatures(rows: pl.DataFrame) -> pl.DataFrame:
    """(row, a key for each band of its MinHash signature), by row."""
    least = [pl.col("gram").hash(seed=index + 1).min().alias(f"h{index}") for index in range(BANDS * ROWS)]
    keys = [
        pl.struct(f"h{band * ROWS + index}" for index in range(ROWS)).hash(seed=0).alias(f"band{band}")
        for band in range(BANDS)
    ]
    parts = [grams.group_by("row").agg(least).select("row", *keys) for grams in _grams(rows)]
    return pl.concat(parts).sort("row") if parts else pl.DataFrame({"row": []}, schema={"row": pl.Int64})


def _candidates(signed: pl.DataFrame, pairs_of: Callable[[pl.DataFrame], list[pl.DataFrame]]) -> list[tuple[int, int]]:
    """(later row, earlier row) that agree in a band of the MinHash signature, sorted."""
    pairs = [pair for band in signed.columns[1:] for pair in pairs_of(signed.select("row", key=band))]
    return pl.concat(pairs).unique().sort("row", "row_earlier").rows() if pairs else []


def _all_pairs(keyed: pl.DataFrame) -> list[pl.DataFrame]:
    """All pairs of rows with the same key."""
    met = keyed.join(keyed, on="key", suffix="_earlier").filter(pl.col("row_earlier") < pl.col("row"))
    return [met.select("row", "row_earlier")]


def _neighbours(keyed: pl.DataFrame) -> list[pl.DataFrame]:
    """Each row with the first of its key, and with the one before it."""
    earlier = (pl.col("row").first().over("key"), pl.col("row").shift(1).over("key"))
    pairs = [keyed.select("row", row_earlier=row) for row in earlier]
    return [pair.filter(pl.col("row_earlier") < pl.col("row")) for pair in pairs]
