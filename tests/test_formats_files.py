"""Records of every kind of file, and the command that says what becomes of one."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from conversation_fakes import CITY, call, talk, user, weather, written

from itool.errors import UserError
from itool.formats.__main__ import main
from itool.formats.records import records

TALKS = [talk(weather(number), call({"city": "Oslo"})) for number in range(3)]


def contents(path: Path) -> list[object]:
    return [record.content for record in records(path)]


def test_every_kind_of_file_holds_the_same_records(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, TALKS))
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.json").write_text(json.dumps(TALKS, indent=2))
    (tmp_path / "c.json").write_text(lines)  # many call it so
    (tmp_path / "d.jsonl").write_text("\r\n\r\n".join(map(json.dumps, TALKS)) + "\r\n")
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "f.json.gz").write_bytes(gzip.compress(json.dumps(TALKS).encode()))
    for path in sorted(tmp_path.iterdir()):
        assert contents(path) == TALKS, path.name
    assert contents(tmp_path) == TALKS * 6
    assert {record.source for record in records(tmp_path)} == {path.name for path in tmp_path.iterdir()}


def test_parquet_and_data_sets_on_disk(tmp_path: Path) -> None:
    import datasets

    rows = [{"tools": json.dumps(talk["tools"]), "messages": json.dumps(talk["messages"])} for talk in TALKS]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    assert contents(tmp_path / "a.parquet") == rows
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "set")
    assert contents(tmp_path / "set") == rows
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)}).save_to_disk(tmp_path / "sets")
    assert next(records(tmp_path / "sets")).where == f"{tmp_path}/sets/train: row 1"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n\xff', r"a\.jsonl: line 2: byte 0: not UTF-8"),
        ("a.jsonl.gz", b"nothing", r"a\.jsonl\.gz: Not a gzipped file"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:40], r"a\.jsonl\.gz: .*end"),
        ("a.parquet", b"nothing", r"a\.parquet: not a readable parquet file"),
        ("a.json", b"[{", r"a\.json: not JSON"),
        ("dataset_info.json", b"{}", r"not a data set that can be loaded"),
        ("a.txt", b"", r"found no file to read, expected one of \.jsonl"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        contents(tmp_path if name in ("dataset_info.json", "a.txt") else tmp_path / name)


def test_a_broken_line_is_a_record_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{\n{"a": 2}\n')
    found = list(records(tmp_path / "a.jsonl"))
    assert [record.content for record in found] == [{"a": 1}, None, {"a": 2}]
    assert found[1].error.startswith(f"{tmp_path}/a.jsonl: line 2: not JSON")


def test_the_command_says_what_becomes_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine = written(tmp_path, *TALKS, talk(user("sing"), {"role": "assistant", "content": "I cannot sing."}))
    assert main([str(fine), "--strict"]) == 0
    out = capsys.readouterr().out
    assert f"{fine}: 4 records (openai 4), 4 of them with tasks" in out
    assert "4 assistant turns to learn: single 3, irrelevant 1" in out
    assert "get_weather(city): weather of a city" in out
    assert '>>> [get_weather(city="Oslo")]' in out
    thought = TALKS[0]["messages"][1] | {"reasoning_content": "Hm."}
    omitted = written(tmp_path, *TALKS, talk(weather(0), thought))
    assert main([str(omitted)]) == 0
    assert "left out: thought 1; " in capsys.readouterr().out
    assert main([str(omitted), "--strict"]) == 1
    broken = written(tmp_path, *TALKS, talk({"role": "robot"}))
    assert main([str(broken)]) == 1
    assert f"{broken}: line 4: messages[0].role: found 'robot'" in capsys.readouterr().out


def test_the_command_reads_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tools.json").write_text(json.dumps([CITY, {"type": "web_search"}]))
    assert main([str(tmp_path / "tools.json")]) == 0
    out = capsys.readouterr().out
    assert "tools.json: 1 tools: get_weather" in out
    assert "left out: built-in tool 1; " in out
