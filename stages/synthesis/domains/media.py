"""Simulated world of music and film: playback, playlists, ratings and lyrics [O]."""

from typing import Any

from stages.synthesis.world import SimulationError, World

TITLE_STARTS = ["Silver", "Midnight", "Golden", "Broken", "Summer", "Electric", "Paper", "Distant", "Crystal", "Lonely"]
TITLE_ENDS = ["River", "Hearts", "Avenue", "Thunder", "Garden", "Letters", "Sky", "Dancer", "Mirror", "Harbor"]
LYRIC_STARTS = ["walking down", "waiting for", "dreaming of", "running to", "singing about"]
LYRIC_ENDS = ["the morning light", "a quiet street", "the open sea", "your old house", "the last train"]


def _seconds(world: World, song: str) -> int:
    return world.number("song length", song, low=120, high=360)


def _start(world: World, device: str, title: str) -> str:
    """Play the title on the device, in place of what it is playing."""
    player = world.ensure("players", device)
    status = "playing" if player.get("playing") in (None, title) else "replaced"
    player["playing"] = title
    return status


def search_songs(world: World, *, artist: str, genre: str | None = None, year: int | None = None) -> dict[str, Any]:
    key = ("song search", artist, genre, year)
    song = f"{world.pick(TITLE_STARTS, *key, 'start')} {world.pick(TITLE_ENDS, *key, 'end')}"
    return {"song": song, "seconds": _seconds(world, song)}


def play_song(world: World, *, song: str, device: str) -> dict[str, Any]:
    return {"status": _start(world, device, song), "seconds": _seconds(world, song)}


def play_film(world: World, *, film: str, device: str, subtitles: str | None = None) -> dict[str, Any]:
    status = _start(world, device, film)
    world.get("players", device)["subtitles"] = subtitles
    return {"status": status, "minutes": world.number("film length", film, low=80, high=170)}


def rate_film(world: World, *, film: str, stars: int) -> dict[str, Any]:
    if not 1 <= stars <= 5:
        raise SimulationError("stars must be from 1 to 5")
    record = world.ensure("films", film)
    if "ratings" not in record:
        record["ratings"] = world.number("film ratings", film, low=2, high=50)
        record["sum"] = record["ratings"] * world.number("film stars", film, low=20, high=45) / 10
    record["ratings"] += 1
    record["sum"] += stars
    return {"average": round(record["sum"] / record["ratings"], 1), "ratings": record["ratings"]}


def create_playlist(world: World, *, name: str, songs: list[str], public: bool) -> dict[str, Any]:
    if world.matching("playlists", name=name):
        raise SimulationError("there is already a playlist of that name")
    playlist = world.add("playlists", "PL", name=name, songs=list(songs), public=public)
    return {"playlist_id": playlist["id"], "count": len(songs)}


def add_to_playlist(world: World, *, playlist_id: str, songs: list[str]) -> dict[str, Any]:
    playlist = world.get("playlists", playlist_id)
    playlist["songs"] = [*playlist.get("songs", []), *songs]
    return {"count": len(playlist["songs"])}


def get_lyrics(world: World, *, song: str, language: str) -> dict[str, Any]:
    key = ("lyrics", song, language)
    first_line = f"{world.pick(LYRIC_STARTS, *key, 'start')} {world.pick(LYRIC_ENDS, *key, 'end')}"
    return {"lines": world.number("lyric lines", song, low=12, high=60), "first_line": first_line}
