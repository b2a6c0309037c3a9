"""Splits: properties that hold for every corpus and scheme."""

import random
import re
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.corpus import manifest, splits
from audiomnist.corpus.manifest import Recording
from audiomnist.corpus.splits import SUBSETS, Clip, SplitError, SplitParams
from audiomnist.reviewed import split as reviewed_split

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
    """Return what leaves no subset empty in these corpora."""
    return st.builds(
        SplitParams,
        scheme=st.sampled_from(schemes),
        seed=st.integers(0, 2**40),
        test_fraction=st.floats(0.2, 0.4),
        validation_fraction=st.floats(0.2, 0.5),
        test_speaker=st.sampled_from(SPEAKERS[:2]),
        max_train_speakers=st.none(),
    )


ANY_SCHEME = parameters("random", "official", "speaker")


@given(rows=DISTINCT, params=ANY_SCHEME)
def test_every_file_is_in_exactly_one_subset_and_none_is_empty(rows: list[Recording], params: SplitParams) -> None:
    """The subsets are train, validation and test, and together they are the corpus."""
    subsets = splits.assign(rows, params)
    assert subsets.keys() == {row.file for row in rows}
    assert set(subsets.values()) == set(SUBSETS)


@given(rows=CORPORA, params=ANY_SCHEME)
def test_no_content_is_in_two_subsets(rows: list[Recording], params: SplitParams) -> None:
    """Copies of a recording go where it goes; where a scheme tears them apart, there is no split."""
    try:
        subsets = splits.assign(rows, params)
    except SplitError as error:
        assert params.scheme != "random"
        assert "same content" in str(error)  # noqa: PT017 - an error is one of two right answers
    else:
        assert len({(row.sha256, subsets[row.file]) for row in rows}) == len({row.sha256 for row in rows})


@given(rows=DISTINCT, params=ANY_SCHEME, order=st.randoms(use_true_random=False))
def test_a_split_depends_on_nothing_but_corpus_and_parameters(
    rows: list[Recording], params: SplitParams, order: random.Random
) -> None:
    """The same call gives the same subsets, and so does another order of the rows."""
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
    subsets = splits.assign(rows, params)
    counts = Counter((row.digit, row.speaker, subsets[row.file]) for row in rows)
    for digit, speaker in {(row.digit, row.speaker) for row in rows}:
        train, validation, test = (counts[digit, speaker, subset] for subset in SUBSETS)
        assert abs(test - params.test_fraction * (train + validation + test)) <= 1 + 1e-9
        assert abs(validation - params.validation_fraction * (train + validation)) <= 1 + 1e-9


@given(takes=st.integers(1, 4), params=parameters("random"))
def test_few_takes_are_split_by_their_fractions_too(takes: int, params: SplitParams) -> None:
    """What is less than a recording in each stratum is one in some of them."""
    rows = recorded(4, 10, takes)
    counts = Counter(splits.assign(rows, params).values())
    assert abs(counts["test"] - params.test_fraction * len(rows)) <= 0.5 + 1e-9
    assert abs(counts["validation"] - params.validation_fraction * (len(rows) - counts["test"])) <= 0.5 + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_one_take_of_each_digit_is_not_split_by_speaker(seed: int) -> None:
    """A random test set has several speakers, and another seed has others."""
    params = SplitParams(
        scheme="random",
        seed=seed,
        test_fraction=0.25,
        validation_fraction=0.2,
        test_speaker="ada",
        max_train_speakers=None,
    )
    subsets = splits.assign(recorded(4, 10, 1), params)
    assert len({file.split("_")[1] for file, subset in subsets.items() if subset == "test"}) > 1


@given(rows=DISTINCT, params=parameters("speaker"))
def test_the_held_out_speaker_is_the_test_and_nothing_else(rows: list[Recording], params: SplitParams) -> None:
    """The test set has all of their recordings, and no others."""
    subsets = splits.assign(rows, params)
    assert {row.file for row in rows if row.speaker == params.test_speaker} == {
        file for file, subset in subsets.items() if subset == "test"
    }


@given(
    rows=DISTINCT,
    params=parameters("speaker"),
    max_train_speakers=st.integers(1, 5),
    order=st.randoms(use_true_random=False),
)
def test_the_training_speakers_follow_the_test_speaker_in_the_cyclic_order_of_names(
    rows: list[Recording], params: SplitParams, max_train_speakers: int, order: random.Random
) -> None:
    """As many as requested, or all, with all their recordings; the others are in no subset."""
    few = params.model_copy(update={"max_train_speakers": max_train_speakers})
    subsets = splits.assign(order.sample(rows, len(rows)), few)
    speakers = sorted({row.speaker for row in rows})
    after = [*speakers[speakers.index(params.test_speaker) + 1 :], *speakers[: speakers.index(params.test_speaker)]]
    used = set(after[:max_train_speakers])
    assert subsets.keys() == {row.file for row in rows if row.speaker in used | {params.test_speaker}}
    assert {row.speaker for row in rows if subsets.get(row.file) in {"train", "validation"}} == used
    assert {row.file for row in rows if row.speaker == params.test_speaker} == {
        file for file, subset in subsets.items() if subset == "test"
    }
    assert set(subsets.values()) == set(SUBSETS)


@given(rows=DISTINCT, params=parameters("speaker"), more=st.integers(0, 3))
def test_as_many_training_speakers_as_there_are_is_the_split_of_all(
    rows: list[Recording], params: SplitParams, more: int
) -> None:
    """And so is a number that is higher, or none."""
    others = len({row.speaker for row in rows}) - 1
    every = params.model_copy(update={"max_train_speakers": others + more})
    assert splits.assign(rows, every) == splits.assign(rows, params)


@given(rows=DISTINCT, params=parameters("speaker"), data=st.data())
def test_one_more_speaker_changes_no_subset_of_the_others(
    rows: list[Recording], params: SplitParams, data: st.DataObject
) -> None:
    """Every speaker is in the training set already if fewer are used: a learning curve only adds speakers."""
    others = len({row.speaker for row in rows}) - 1
    few = data.draw(st.integers(1, others))
    speakers = [
        {row.speaker for row in rows if subsets.get(row.file) == "train"}
        for subsets in (
            splits.assign(rows, params.model_copy(update={"max_train_speakers": count})) for count in (few, few + 1)
        )
    ]
    assert speakers[0] <= speakers[1]
    assert len(speakers[0]) == few


@given(rows=DISTINCT, params=parameters("random", "official"), max_train_speakers=st.integers(1, 5))
def test_other_schemes_do_not_look_at_the_number_of_training_speakers(
    rows: list[Recording], params: SplitParams, max_train_speakers: int
) -> None:
    """All speakers are used."""
    few = params.model_copy(update={"max_train_speakers": max_train_speakers})
    assert splits.assign(rows, few) == splits.assign(rows, params)


@given(rows=DISTINCT, params=parameters("official"))
def test_the_official_test_is_takes_0_to_4(rows: list[Recording], params: SplitParams) -> None:
    """Upstream's own split, whatever the seed."""
    subsets = splits.assign(rows, params)
    assert {row.file for row in rows if row.take <= 4} == {file for file, subset in subsets.items() if subset == "test"}


@given(seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)).filter(lambda pair: pair[0] != pair[1]))
def test_another_seed_is_another_split(seeds: tuple[int, int]) -> None:
    """The choice is among many, so that two seeds do not meet; where the test is fixed, validation differs."""
    rows = recorded(4, 10, 12)
    for scheme in ("random", "official"):
        one, other = (_assigned(rows, seed=seed, scheme=scheme) for seed in seeds)
        assert one != other


def test_a_part_that_would_be_empty_is_an_error() -> None:
    """The message names each empty subset."""
    with pytest.raises(SplitError, match=r"no recording for: validation$"):
        _assigned(recorded(2, 1, 8), validation_fraction=0.01)
    with pytest.raises(SplitError, match=r"no recording for: train, validation$"):
        _assigned(recorded(1, 1, 8), scheme="speaker")
    with pytest.raises(SplitError, match=r"no recording for: test, train, validation$"):
        _assigned([])


def test_an_unknown_speaker_cannot_be_held_out() -> None:
    """The message names them, and those that there are."""
    with pytest.raises(SplitError, match=r"split\.test_speaker is 'nobody'; the corpus has ada, bob$"):
        _assigned(recorded(2, 1, 8), scheme="speaker", test_speaker="nobody")


@pytest.mark.parametrize("scheme", ["official", "speaker"])
def test_a_copy_across_a_fixed_border_is_an_error_that_names_the_file(scheme: str) -> None:
    """Take 7 of bob is take 0 of ada: these schemes would leak."""
    rows = with_copies(recorded(2, 1, 8), [(15, 0)])
    with pytest.raises(SplitError, match=r"^0_bob_7\.wav has the same content"):
        _assigned(rows, scheme=scheme)


def test_the_file_has_a_row_per_recording_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    """What is read back is the manifest with its subsets."""
    rows = recorded(2, 3, 8)[::-1]
    params = _params()
    manifest.write(tmp_path / "manifest.csv", rows)
    splits.split(tmp_path / "manifest.csv", params, tmp_path / "split.csv")
    subsets = splits.assign(rows, params)
    assert splits.read(tmp_path / "split.csv") == [
        splits.Clip(row.file, row.digit, row.speaker, subsets[row.file]) for row in rows
    ]
    assert (
        (tmp_path / "split.csv").read_text(encoding="utf-8").startswith("file,digit,speaker,subset\n2_bob_7.wav,2,bob")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory): dvc checkout or dvc repro brings it"),
        (
            "file,digit,speaker\n2_bob_7.wav,2,bob\n",
            "is no split, which has file, digit, speaker and subset of each clip ('subset'): dvc repro makes one",
        ),
        ("file,digit,speaker,subset\n2_bob_7.wav,two,bob,train\n", "is no split"),
        ("file,digit,speaker,subset\n2_bob_7.wav,12,bob,train\n", "is no split"),
        ("file,digit,speaker,subset\n2_bob_7.wav,2,bob\n", "is no split"),
        ("file,digit,speaker,subset\n2_bob_7.wav,2,bob,tarin\n", "is no split"),
        (f"file,digit,speaker,subset\n{'x' * 200_000},2,bob,train\n", "is no split"),
        ("file,digit,speaker,subset\n\xff\xfe", "is no split"),
    ],
)
def test_a_file_that_is_no_split_is_named(content: str | None, message: str, tmp_path: Path) -> None:
    """With the reason, and where there is one the remedy."""
    path = tmp_path / "split.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SplitError, match=re.escape(f"{path} {message}")):
        splits.read(path)


def test_a_copy_by_an_unused_speaker_is_no_leak() -> None:
    """Take 7 of zoe is take 0 of ada, who is held out: where zoe is in no subset there is nothing that leaks."""
    rows = with_copies(recorded(4, 1, 8), [(31, 0)])
    assert rows[31].speaker == "zoe"
    with pytest.raises(SplitError, match="same content"):
        _assigned(rows, scheme="speaker")
    assert _assigned(rows, scheme="speaker", max_train_speakers=1).keys() == {row.file for row in rows[:16]}


def test_the_file_has_no_row_for_a_recording_that_is_in_no_subset(tmp_path: Path) -> None:
    """Those that are left keep the order of the manifest."""
    rows = recorded(4, 2, 8)[::-1]
    manifest.write(tmp_path / "manifest.csv", rows)
    params = _params(scheme="speaker", test_speaker="eve", max_train_speakers=2)
    splits.split(tmp_path / "manifest.csv", params, tmp_path / "split.csv")
    found = splits.read(tmp_path / "split.csv")
    assert [clip.file for clip in found] == [row.file for row in rows if row.speaker != "bob"]
    assert {clip.speaker for clip in found if clip.subset == "test"} == {"eve"}
    assert {clip.speaker for clip in found if clip.subset != "test"} == {"zoe", "ada"}


NAMES = st.text("abé_ ,;'\"", max_size=12)
CLIPS = st.lists(st.builds(Clip, NAMES, st.integers(0, 9), NAMES, st.sampled_from(SUBSETS)), max_size=12)


@given(clips=CLIPS)
def test_what_is_written_is_read_back(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> None:
    """In its order, with commas and quotes in names."""
    path = tmp_path_factory.getbasetemp() / "written.csv"
    splits.write(path, iter(clips))
    assert splits.read(path) == clips


def _params(**changes: object) -> SplitParams:
    values = {"scheme": "random", "seed": 0, "test_fraction": 0.25, "validation_fraction": 0.2, "test_speaker": "ada"}
    values["max_train_speakers"] = None
    return SplitParams.model_validate(values | changes)


def _assigned(rows: list[Recording], **changes: object) -> dict[str, str]:
    return splits.assign(rows, _params(**changes))


NEW = "yan"
REVIEWED = st.lists(
    st.builds(
        lambda digit, speaker, take: manifest.parse_name(f"{digit}_{speaker}_{100 + take}.wav", f"{take + 1000:064x}"),
        st.integers(0, 9),
        st.sampled_from([NEW, *SPEAKERS]),
        st.integers(0, 9),
    ),
    unique_by=lambda row: row.file,
    max_size=8,
)


def written(rows: list[Recording], reviewed: list[Recording], params: SplitParams) -> tuple[bytes, list[Clip]]:
    """Return the split of manifests, as a file and as rows."""
    with tempfile.TemporaryDirectory() as folder:
        recordings, listing, out = (Path(folder) / name for name in ("recordings.csv", "reviewed.csv", "split.csv"))
        manifest.write(recordings, rows)
        manifest.write(listing, reviewed)
        reviewed_split.split(recordings, listing, params, out)
        return out.read_bytes(), splits.read(out)


def alone(rows: list[Recording], params: SplitParams) -> bytes | None:
    """Return the split of a corpus without reviewed recordings, as a file; None if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        manifest.write(Path(folder) / "recordings.csv", rows)
        try:
            splits.split(Path(folder) / "recordings.csv", params, Path(folder) / "split.csv")
        except SplitError:
            return None
        return (Path(folder) / "split.csv").read_bytes()


@given(rows=CORPORA, params=ANY_SCHEME)
def test_without_reviewed_recordings_it_is_the_split_of_the_corpus(rows: list[Recording], params: SplitParams) -> None:
    """To the byte."""
    expected = alone(rows, params)
    if expected is None:
        with pytest.raises(SplitError):
            written(rows, [], params)
    else:
        assert written(rows, [], params)[0] == expected


@given(rows=CORPORA, reviewed=REVIEWED, params=ANY_SCHEME, order=st.randoms(use_true_random=False))
def test_reviewed_recordings_are_training_data_and_no_other_row_changes(
    rows: list[Recording], reviewed: list[Recording], params: SplitParams, order: random.Random
) -> None:
    """Wherever they are listed among the others; a test speaker's are in no subset, for this speaker is held out."""
    expected = alone(rows, params)
    if expected is None:
        return
    places = sorted(order.sample(range(len(rows) + len(reviewed)), len(reviewed)))
    every = list(rows)
    for place, row in zip(places, reviewed, strict=True):
        every.insert(place, row)
    _, clips = written(every, reviewed, params)
    names = {row.file for row in reviewed}
    with tempfile.TemporaryDirectory() as folder:
        splits.write(Path(folder) / "others.csv", [clip for clip in clips if clip.file not in names])
        assert (Path(folder) / "others.csv").read_bytes() == expected
    held_out = params.test_speaker if params.scheme == "speaker" else None
    trained = [row.file for row in every if row in reviewed and row.speaker != held_out]
    assert [(clip.file, clip.subset) for clip in clips if clip.file in names] == [(name, "train") for name in trained]


@given(rows=CORPORA, params=ANY_SCHEME, which=st.integers(0, 999))
def test_a_reviewed_recording_with_the_content_of_a_test_recording_is_an_error(
    rows: list[Recording], params: SplitParams, which: int
) -> None:
    """It is named, and the file that lists it; the content of a training recording is none."""
    if alone(rows, params) is None:
        return
    copied = rows[which % len(rows)]
    reviewed = manifest.parse_name(f"{copied.digit}_{NEW}_0.wav", copied.sha256)
    if splits.assign(rows, params)[copied.file] == "train":
        assert len(written([*rows, reviewed], [reviewed], params)[1]) == len(rows) + 1
    else:
        with pytest.raises(SplitError, match=rf"{reviewed.file}\. Delete their rows in .*reviewed\.csv"):
            written([*rows, reviewed], [reviewed], params)
