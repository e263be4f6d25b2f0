from pathlib import Path

import pyarrow.parquet as pq

from tests.training.cli.commands import call


def test_vectors_of_an_encoder_and_of_a_checkpoint(tiny_encoder: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,review\n1,a good film\n2,\n", encoding="utf-8")
    common = (tmp_path / "in.csv", "--text-column", "review", "--keep", "id", "--device", "cpu", "--output")
    for folder, options, width, name in (
        (tiny_encoder, (), 4, "tiny+both"),
        (tiny_encoder, ("--vectors", "all"), 9, "tiny+english+both"),
        (tiny_checkpoint, (), 36, "tiny"),
    ):
        output = tmp_path / f"{name}.parquet"
        result = call("embed", folder, *common, output, *options)
        assert result.exit_code == 0, result.output
        assert f"wrote the vectors of 2 rows, {width} numbers each, to" in result.output
        assert "in.csv: row 2 (line 3) has no text, and a vector of zeros" in result.output
        schema = pq.read_schema(output)
        assert schema.names == ["review", "id", "vector"]
        assert schema.field("vector").type.list_size == width
        assert schema.metadata[b"encoder"] == name.encode()


def test_a_wrong_call(tiny_encoder: Path, tmp_path: Path) -> None:
    result = call("embed", tiny_encoder, tmp_path / "no.csv", "--vectors", "x", "--output", tmp_path / "o.parquet")
    assert (result.exit_code, "the folder has english, both, all" in result.output) == (2, True)
    result = call("embed", tiny_encoder, tmp_path / "no.csv", "--output", tmp_path / "o.parquet")
    assert (result.exit_code, "does not exist" in result.output) == (2, True)
    result = call("embed", tmp_path, tmp_path / "no.csv", "--output", tmp_path / "o.parquet")
    assert (result.exit_code, "SHA256SUMS" in result.output) == (2, True), result.output
