"""Which recordings train, choose and judge: what holds for every corpus and scheme."""

import random
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist import splits
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.splits import PARTS, SplitError, SplitParams

SPEAKERS = ("ada", "bob", "eve", "zoe")


def recorded(speakers: int, digits: int, takes: int) -> list[Recording]:
    """Return a corpus in which every speaker says every digit as often, each time differently."""
    names = [f"{digit}_{s}_{take}.wav" for digit, s, take in product(range(digits), SPEAKERS[:speakers], range(takes))]
    return [manifest.parse_name(name, f"{index:064x}") for index, name in enumerate(names)]


def with_copies(rows: list[Recording], copies: list[tuple[int, int]]) -> list[Recording]:
    """Return the corpus with the content of some recordings that of others."""
    rows = list(rows)
    for one, other in copies:
        rows[one % len(rows)] = replace(rows[one % len(rows)], sha256=rows[other % len(rows)].sha256)
    return rows


DISTINCT = st.builds(recorded, st.integers(2, 4), st.integers(1, 10), st.integers(8, 12))
CORPORA = st.builds(with_copies, DISTINCT, st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=8))


def parameters(*schemes: str) -> st.SearchStrategy[SplitParams]:
    """Return what leaves no part empty in these corpora."""
    return st.builds(
        SplitParams,
        scheme=st.sampled_from(schemes),
        seed=st.integers(0, 2**40),
        test_fraction=st.floats(0.2, 0.4),
        validation_fraction=st.floats(0.2, 0.5),
        held_out=st.sampled_from(SPEAKERS[:2]),
    )


ANY_SCHEME = parameters("random", "official", "speaker")


@given(rows=DISTINCT, params=ANY_SCHEME)
def test_every_file_stands_in_exactly_one_part_and_no_part_is_empty(rows: list[Recording], params: SplitParams) -> None:
    """The parts are train, validation and test, and together they are the corpus."""
    parts = splits.assign(rows, params)
    assert parts.keys() == {row.file for row in rows}
    assert set(parts.values()) == set(PARTS)


@given(rows=CORPORA, params=ANY_SCHEME)
def test_no_content_stands_on_both_sides(rows: list[Recording], params: SplitParams) -> None:
    """Copies of a recording go where it goes; where a scheme tears them apart, there is no split."""
    try:
        parts = splits.assign(rows, params)
    except SplitError as error:
        assert params.scheme != "random"
        assert "same content" in str(error)  # noqa: PT017 - an error is one of two right answers
    else:
        assert len({(row.sha256, parts[row.file]) for row in rows}) == len({row.sha256 for row in rows})


@given(rows=DISTINCT, params=ANY_SCHEME, order=st.randoms(use_true_random=False))
def test_a_split_depends_on_nothing_but_corpus_and_parameters(
    rows: list[Recording], params: SplitParams, order: random.Random
) -> None:
    """The same call gives the same parts, and so does another order of the rows."""
    shuffled = order.sample(rows, len(rows))
    assert splits.assign(rows, params) == splits.assign(rows, params) == splits.assign(shuffled, params)


@given(rows=CORPORA, params=parameters("random"), order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_where_contents_repeat(
    rows: list[Recording], params: SplitParams, order: random.Random
) -> None:
    """Which of two copies comes first alters nothing."""
    assert splits.assign(rows, params) == splits.assign(order.sample(rows, len(rows)), params)


@given(rows=DISTINCT, params=parameters("random"))
def test_each_digit_of_each_speaker_gives_its_share(rows: list[Recording], params: SplitParams) -> None:
    """Test and validation are within one recording of their fractions in every stratum."""
    parts = splits.assign(rows, params)
    counts = Counter((row.digit, row.speaker, parts[row.file]) for row in rows)
    for digit, speaker in {(row.digit, row.speaker) for row in rows}:
        train, validation, test = (counts[digit, speaker, part] for part in PARTS)
        assert abs(test - params.test_fraction * (train + validation + test)) < 1
        assert abs(validation - params.validation_fraction * (train + validation)) < 1


@given(rows=DISTINCT, params=parameters("speaker"))
def test_the_held_out_speaker_is_the_test_and_nothing_else(rows: list[Recording], params: SplitParams) -> None:
    """All of their recordings judge, and nobody else's do."""
    parts = splits.assign(rows, params)
    assert {row.file for row in rows if row.speaker == params.held_out} == {
        file for file, part in parts.items() if part == "test"
    }


@given(rows=DISTINCT, params=parameters("official"))
def test_the_official_test_is_takes_0_to_4(rows: list[Recording], params: SplitParams) -> None:
    """Upstream's own split, whatever the seed."""
    parts = splits.assign(rows, params)
    assert {row.file for row in rows if row.take <= 4} == {file for file, part in parts.items() if part == "test"}


@given(seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)).filter(lambda pair: pair[0] != pair[1]))
def test_another_seed_is_another_split(seeds: tuple[int, int]) -> None:
    """The choice is among many, so that two seeds do not meet; where the test is fixed, validation differs."""
    rows = recorded(4, 10, 12)
    for scheme in ("random", "official"):
        one, other = (_assigned(rows, seed=seed, scheme=scheme) for seed in seeds)
        assert one != other


def test_a_part_that_would_be_empty_is_an_error() -> None:
    """The message names each empty part."""
    with pytest.raises(SplitError, match=r"no recording for: validation$"):
        _assigned(recorded(2, 1, 8), validation_fraction=0.01)
    with pytest.raises(SplitError, match=r"no recording for: train, validation$"):
        _assigned(recorded(1, 1, 8), scheme="speaker")
    with pytest.raises(SplitError, match=r"no recording for: test, train, validation$"):
        _assigned([])


def test_an_unknown_speaker_cannot_be_held_out() -> None:
    """The message names them, and those that there are."""
    with pytest.raises(SplitError, match=r"split\.held_out is 'nobody'; the corpus has ada, bob$"):
        _assigned(recorded(2, 1, 8), scheme="speaker", held_out="nobody")


@pytest.mark.parametrize("scheme", ["official", "speaker"])
def test_a_copy_across_a_fixed_border_is_an_error_that_names_the_file(scheme: str) -> None:
    """Take 7 of bob is take 0 of ada: these schemes would judge by what was learned."""
    rows = with_copies(recorded(2, 1, 8), [(15, 0)])
    with pytest.raises(SplitError, match=r"^0_bob_7\.wav has the same content"):
        _assigned(rows, scheme=scheme)


def test_the_file_has_a_row_per_recording_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    """What is read back is the manifest with its parts."""
    rows = recorded(2, 3, 8)[::-1]
    params = _params()
    manifest.write(tmp_path / "manifest.csv", rows)
    splits.split(tmp_path / "manifest.csv", params, tmp_path / "split.csv")
    parts = splits.assign(rows, params)
    assert splits.read(tmp_path / "split.csv") == [
        splits.Clip(row.file, row.digit, row.speaker, parts[row.file]) for row in rows
    ]
    assert (tmp_path / "split.csv").read_text(encoding="utf-8").startswith("file,digit,speaker,part\n2_bob_7.wav,2,bob")


def _params(**changes: object) -> SplitParams:
    values = {"scheme": "random", "seed": 0, "test_fraction": 0.25, "validation_fraction": 0.2, "held_out": "ada"}
    return SplitParams.model_validate(values | changes)


def _assigned(rows: list[Recording], **changes: object) -> dict[str, str]:
    return splits.assign(rows, _params(**changes))
