"""Files as streams of records: every format, and every way a file can be broken."""

import gzip
import io
import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.errors import BadInput, TooLarge
from app.imports.found import Found
from app.imports.json_array import array_elements
from app.imports.reading import records

MIB = 1 << 20
ROWS = [{"prompt": f"p{number} é漢\n", "responses": ["a", "b"]} for number in range(3)]


def read(data: bytes, *, limit_bytes: int = 64 * MIB, **said: str) -> list[Found]:
    return list(records(io.BytesIO(data), limit_bytes=limit_bytes, **said))


def values(data: bytes, **said: str) -> list[Any]:
    found_here = read(data, **said)
    assert [one.problem for one in found_here if one.problem] == []
    return [one.value for one in found_here]


def problems(data: bytes, **said: str) -> list[tuple[int, str]]:
    return [(one.line, one.problem) for one in read(data, **said) if one.problem]


def ndjson(rows: list[Any]) -> bytes:
    return b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows)


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


CSV = 'prompt,chosen,rejected,split\r\n"one, ""two""\nthree",a,b,train\r\n\r\né漢,c,d,\r\n'
FORMATS = {
    "ndjson": ndjson(ROWS),
    "ndjson with an end and blank lines": b"\n" + ndjson(ROWS).replace(b"\n", b"\r\n\r\n") + b"\r\n",
    "array": json.dumps(ROWS).encode(),
    "array over many lines": json.dumps(ROWS, indent=2).encode() + b"\n",
    "byte order mark": b"\xef\xbb\xbf" + ndjson(ROWS),
    "parquet": parquet({"prompt": [row["prompt"] for row in ROWS], "responses": [row["responses"] for row in ROWS]}),
}


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("name", FORMATS)
def test_it_reads_every_format_gzipped_or_not(name: str, layers: int):
    data = FORMATS[name]
    for _ in range(layers):
        data = gzip.compress(data)
    assert values(data) == ROWS


@pytest.mark.parametrize("layers", [0, 1])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_it_reads_csv(mark: bytes, layers: int):
    data = mark + CSV.encode()
    assert values(gzip.compress(data) if layers else data) == [
        {"prompt": 'one, "two"\nthree', "chosen": "a", "rejected": "b", "split": "train"},
        {"prompt": "é漢", "chosen": "c", "rejected": "d"},
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_it_reads_responses_in_columns(separator: str):
    head = ["Prompt", "response_1", "model_1", "tier_1", "score_1", "response_2", "tier_2", "response_3", "id"]
    lines = [head, ["p", "a", "m", "2", "0.5", "b", "1", "", "q1"], ["p", "a", "", "", "", "", "", "c", ""]]
    data = "\n".join(separator.join(line) for line in lines).encode()
    assert values(data) == [
        {
            "prompt": "p",
            "id": "q1",
            "responses": [{"text": "a", "model": "m", "tier": 2, "score": 0.5}, {"text": "b", "tier": 1}],
        },
        {"prompt": "p", "responses": [{"text": "a"}, {"text": ""}, {"text": "c"}]},
    ]


def test_what_a_file_begins_with_counts_more_than_what_it_is_called():
    assert values(FORMATS["array"], media_type="text/csv", name="rows.csv") == ROWS
    assert values(CSV.encode(), media_type="application/octet-stream", name="rows.csv.gz")[1]["prompt"] == "é漢"


def test_a_declared_type_settles_what_the_beginning_does_not():
    assert problems(b"oops\n" + ndjson(ROWS), media_type="application/x-ndjson; charset=utf-8")[0][0] == 1
    assert problems(b"oops\n" + ndjson(ROWS), name="rows.jsonl.gz")[0][0] == 1
    with pytest.raises(BadInput, match="none of NDJSON"):
        read(b"oops\n" + ndjson(ROWS))
    with pytest.raises(BadInput, match="CR alone"):
        read(b"prompt,chosen,rejected\ra,b,c\r")


def test_it_reads_one_object_over_many_lines():
    assert values(json.dumps(ROWS[0], indent=2).encode()) == [ROWS[0]]


def test_it_names_the_line_and_the_column_of_what_is_not_json():
    data = ndjson(ROWS[:1]) + b'\n{"prompt": nope}\n' + ndjson(ROWS[1:])
    assert problems(data) == [(2, "not JSON: invalid literal, expected 'null', at column 12")]
    assert [one.line for one in read(data)] == [1, 2, 3, 4]
    assert problems(ndjson(ROWS[:1]) + b'\n{"prompt": "p"\n') == [(2, "not JSON: unexpected end of data, at column 15")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"prompt": "caf\xe9"}', "not UTF-8 at column 16"),
        (b'{"score": NaN}', "not JSON"),
        (b'{"a": 1e999}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b'{"a": "\x00"}', "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
    ],
)
def test_a_bad_line_leaves_the_others_alone(line: bytes, words: str):
    data = ndjson(ROWS[:1]) + b"\n" + line + b"\n" + ndjson(ROWS[1:])
    ((number, told),) = problems(data)
    assert number == 2
    assert words in told
    assert [one.value for one in read(data) if not one.problem] == ROWS


def test_the_last_of_two_equal_keys_holds():
    assert values(b'{"prompt": "a", "prompt": "b"}') == [{"prompt": "b"}]


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.imports.json_lines.LONGEST_RECORD_BYTES", 200)
    data = b"{}\n" + b'{"a": "' + b"x" * 200_000 + b'"}\n{"b": 1}'
    assert [(one.line, bool(one.problem)) for one in read(data)] == [(1, False), (2, True), (3, False)]


def test_elements_of_an_array_have_their_line_and_number():
    data = b'[{"a": "]},\\"["},\n\n {"b": [1, {"c": 2}]}, nope,\n7 , {"d": "\xff"}\n]\n'
    told = [(one.line, one.element, one.value, bool(one.problem)) for one in read(data)]
    assert told == [
        (1, 1, {"a": ']},"['}, False),
        (3, 2, {"b": [1, {"c": 2}]}, False),
        (3, 3, None, True),
        (4, 4, 7, False),
        (4, 5, None, True),
    ]


@pytest.mark.parametrize(
    ("data", "good", "words"),
    [
        (b"[]", 0, None),
        (b'[{"a": 1}, {"b": 2', 1, "its “]” is missing"),
        (b'[{"a": 1}, ', 1, "its “]” is missing"),
        (b"[", 0, "its “]” is missing"),
        (b'[{"a": 1}}, {"b": 2}]', 1, "what comes after"),
        (b'[{"a": 1}]\n[{"b": 2}]', 1, "what comes after"),
        (b'[{"a": 1]}', 0, "not JSON"),
        (b'[{"a": "open}, {"b": 2}]', 0, "its “]” is missing"),
    ],
)
def test_it_says_how_an_array_is_broken(data: bytes, good: int, words: str | None):
    told = read(data)
    assert sum(one.problem is None for one in told) == good
    assert words is None or words in str(told[-1].problem)


def test_an_element_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.imports.json_array.LONGEST_RECORD_BYTES", 100_000)
    data = b'[{"a": 1},\n{"x": "' + b"y\\n" * 100_000 + b'"},\n{"b": 2}]'
    told = [(one.line, one.element, bool(one.problem)) for one in read(data)]
    assert [(number, bad) for _, number, bad in told] == [(1, False), (2, True), (3, False)]
    assert told[-1][0] == 3


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_borders_of_chunks_change_nothing(chunk: int):
    rows = [{"a": 'q"\\'}, {"b": "\\\\"}, {"c": ["é", {"d": "]"}]}]

    class Slow(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002 -- slower than it was asked to be
            return super().read1(chunk)

    stream: Any = Slow(json.dumps(rows).encode())
    assert [one.value for one in array_elements(stream)] == rows


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"prompt,chosen,rejected\np,a\n", 2, "2 cells in this row, and 3 columns"),
        (b"prompt,chosen,rejected\np,a,b\np,a,b,c\n", 3, "4 cells"),
        (b'prompt,chosen,rejected\n"p\nq",a,b\np,a\n', 4, "2 cells"),
        (b"prompt,chosen,rejected\ncaf\xe9,a,b\n", 2, "not UTF-8"),
        (b'prompt,chosen,rejected\n"p" x,a,b\n', 2, "not CSV"),
        (b'prompt,chosen,rejected\np,a,b\n"p,a,b\nq,a,b\n', 3, "not CSV: unexpected end of data"),
    ],
)
def test_it_names_the_line_of_a_bad_row(data: bytes, line: int, words: str):
    ((number, told),) = problems(data)
    assert (number, words in told) == (line, True)


def test_a_cell_that_is_too_long_ends_the_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.imports.csv_rows.LONGEST_RECORD_BYTES", 1000)
    data = b'prompt,chosen,rejected\np,a,b\n"' + b"x" * (17 * MIB) + b'",a,b\np,a,b'
    told = read(data)
    assert (told[0].problem, len(told)) == (None, 2)
    assert "field larger than field limit" in str(told[1].problem)


def test_numbers_that_are_none_stay_text_for_the_record_to_refuse():
    data = b"prompt,response_1,response_2,tier_1,score_1\np,a,b,first,high\np,a,b,1.5,nan\n"
    first, second = (one["responses"][0] for one in values(data))
    assert (first["tier"], first["score"], second["tier"], str(second["score"])) == ("first", "high", "1.5", "nan")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(b""), "empty"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (gzip.compress(gzip.compress(gzip.compress(b"{}"))), "again and again"),
        (b"name,text\n1,2\n", "none of NDJSON"),
        (b"caf\xe9\n", "not UTF-8"),
        (b"<!doctype html>", "none of NDJSON"),
        (bytes(100_000), "none of NDJSON"),
        (b"prompt,chosen,rejected,chosen\n", "two columns are called “chosen”"),
        (b"PAR1 and nothing more", "Parquet file is damaged"),
        (FORMATS["parquet"][:-20], "Parquet file is damaged"),
        (gzip.compress(ndjson(ROWS * 1000))[:-20], "gzip data is damaged or cut off"),
        (gzip.compress(ndjson(ROWS)) + b"more", "gzip data is damaged or cut off"),
        (b"\x1f\x8b and nothing more", "gzip data is damaged"),
        (parquet({"name": ["x"]}), "it has name"),
    ],
)
def test_it_refuses_a_file_that_is_none_or_is_damaged(data: bytes, words: str):
    with pytest.raises(BadInput) as refusal:
        read(data)
    assert words in refusal.value.message


def test_damage_in_the_middle_of_a_parquet_file_is_said():
    data = bytearray(parquet({"prompt": [f"p{number}" for number in range(1000)], "chosen": ["a"] * 1000}))
    data[4:60] = bytes(56)
    with pytest.raises(BadInput, match="damaged after row 0"):
        read(bytes(data))


def test_parquet_keeps_messages_numbers_and_metadata():
    columns = {
        "prompt": pa.array([[{"role": "user", "content": "p"}]]),
        "responses": pa.array([[{"text": "a", "tier": 1, "score": 0.5}, {"text": "b", "tier": None, "score": None}]]),
        "made": pa.array([1_700_000_000], pa.timestamp("s")),
        "price": pa.array([b"1.50"]).cast(pa.string()).cast(pa.decimal128(5, 2)),
        "tags": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    }
    assert values(parquet(columns)) == [
        {
            "prompt": [{"role": "user", "content": "p"}],
            "responses": [{"text": "a", "tier": 1, "score": 0.5}, {"text": "b", "tier": None, "score": None}],
            "made": "2023-11-14T22:13:20",
            "price": "1.50",
            "tags": [["k", 1]],
        }
    ]


def test_a_row_that_is_not_utf8_leaves_the_others_alone():
    prompts = pa.array([b"p", b"caf\xe9", b"q"])
    told = read(parquet({"prompt": prompts, "chosen": ["a"] * 3, "rejected": ["b"] * 3}))
    assert [(one.line, one.problem) for one in told if one.problem] == [(2, "not UTF-8; store text as UTF-8")]
    assert [one.value["prompt"] for one in told if not one.problem] == ["p", "q"]


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b'{"a": "' + bytes(3 * MIB) + b'"}'),
        gzip.compress(gzip.compress(b"[" + b"7," * (2 * MIB))),
        ndjson(ROWS * 30_000),
        json.dumps(ROWS * 30_000).encode(),
        b"prompt,chosen,rejected\n" + b"p,a,%s\n" % (b"b" * 100) * 40_000,
        parquet({"prompt": ["x" * 100] * 30_000, "chosen": ["y"] * 30_000}, use_dictionary=False, compression="gzip"),
        parquet({"prompt": ["x" * 100] * 30_000, "chosen": ["y"] * 30_000}, compression="gzip"),
    ],
    ids=["gzip", "gzip twice", "ndjson", "array", "csv", "parquet", "parquet with a dictionary"],
)
def test_it_stops_where_a_file_unpacks_to_more_than_the_limit(data: bytes):
    with pytest.raises(TooLarge, match="more than 2 MiB, unpacked"):
        read(data, limit_bytes=2 * MIB)


def test_one_large_value_that_many_rows_name_is_never_held_for_all_of_them():
    packed = parquet({"prompt": ["x" * 200_000] * 50, "chosen": ["y"] * 50}, compression="gzip")
    found = records(io.BytesIO(packed), limit_bytes=MIB)
    assert len(packed) < 10_000
    assert [next(found).line for _ in range(5)] == [1, 2, 3, 4, 5]  # as many at once as the limit holds
    with pytest.raises(TooLarge):
        next(found)


@pytest.mark.parametrize("name", ["ndjson", "array", "csv", "parquet"])
def test_it_reads_in_constant_memory(name: str):
    number = 20_000
    data = {
        "ndjson": lambda: ndjson([{"prompt": "x" * 200, "chosen": "a", "rejected": str(n)} for n in range(number)]),
        "array": lambda: json.dumps([{"prompt": "x" * 200, "chosen": "a", "rejected": str(n)} for n in range(number)]),
        "csv": lambda: "prompt,chosen,rejected\n" + f"{'x' * 200},a,b\n" * number,
        "parquet": lambda: parquet({"prompt": [str(n) + "x" * 200 for n in range(number)], "chosen": ["a"] * number}),
    }[name]()
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    tracemalloc.start()
    try:
        count = sum(1 for _ in records(file, limit_bytes=64 * MIB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == number
    assert peak < 2 * MIB


_HEADS = some.sampled_from(
    [
        b"",
        b"{",
        b"[",
        b'{"prompt": "p", "responses": ["a", "b"]}\n',
        b"prompt,chosen,rejected\n",
        b"PAR1",
        b"\x1f\x8b\x08",
    ]
)


@settings(max_examples=500, database=None)
@given(
    _HEADS,
    some.binary(max_size=60) | some.text(alphabet='[]{}",:\\\n;a1', max_size=60).map(str.encode),
    some.booleans(),
)
def test_it_never_breaks(head: bytes, rest: bytes, packed: bool):
    data = head + rest
    with suppress(BadInput):
        assert all(one.line >= 1 for one in read(gzip.compress(data) if packed else data))


@settings(max_examples=200, database=None)
@given(some.sampled_from(sorted(FORMATS)), some.data())
def test_it_never_breaks_on_a_file_with_a_few_wrong_bytes(name: str, data: some.DataObject):
    packed = bytearray(FORMATS[name])
    for _ in range(data.draw(some.integers(1, 4))):
        packed[data.draw(some.integers(0, len(packed) - 1))] = data.draw(some.integers(0, 255))
    cut = data.draw(some.integers(0, len(packed)))
    with suppress(BadInput, TooLarge):
        read(bytes(packed[:cut]))
