"""Layouts of paths: what they state, and which patterns there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.corpus import layouts
from audiomnist.corpus.layouts import Labels, LayoutError

SPEAKERS = st.from_regex("[A-Za-z0-9]{1,8}", fullmatch=True)
TAKES = st.integers(0, 10_000)


@given(digit=st.integers(0, 9), speaker=SPEAKERS, take=TAKES, folder=st.sampled_from(["", "a/", "a/b c/"]))
def test_names_of_this_corpus_in_any_folder(digit: int, speaker: str, take: int, folder: str) -> None:
    """Every part is read back."""
    assert layouts.labels(f"{folder}{digit}_{speaker}_{take}.wav") == Labels(DIGIT_WORDS[digit], speaker, take)


@given(digit=st.integers(0, 9), speaker=SPEAKERS, take=TAKES)
def test_paths_of_speech_commands(digit: int, speaker: str, take: int) -> None:
    """The folder is the word."""
    assert layouts.labels(f"{DIGIT_WORDS[digit]}/{speaker}_nohash_{take}.wav") == Labels(
        DIGIT_WORDS[digit], speaker, take
    )


def test_another_word_is_no_digit() -> None:
    """Its speaker and take are stated all the same."""
    found = layouts.labels("bed/0a2b_nohash_0.wav")
    assert found == Labels("bed", "0a2b", 0)
    assert found.digit is None


@pytest.mark.parametrize("path", ["seven.wav", "7_theo.wav", "7_theo_1.flac", "7_theo_1.wav/notes.txt", "7 theo 1.wav"])
def test_other_paths_state_nothing(path: str) -> None:
    """Nothing is guessed."""
    assert layouts.labels(path) is None


@pytest.mark.parametrize(
    ("layout", "path", "expected"),
    [
        ("{speaker}/{digit}.wav", "all/ann/7.wav", Labels("seven", "ann", None)),
        ("{speaker}/*/{word}-{take}.wav", "ann/monday/Seven-03.WAV", Labels("seven", "ann", 3)),
        ("{word}({take})+{speaker}.wav", "one(2)+b.c.wav", Labels("one", "b.c", 2)),
        ("{speaker}/{digit}.wav", "ann/12.wav", None),
        ("{speaker}/*_{word}.wav", "ann/very_loud_two.wav", Labels("two", "ann", None)),
        ("{speaker}/{digit}_{speaker}.wav", "lab/7_ann.wav", Labels("seven", "lab_ann", None)),
    ],
)
def test_patterns_of_a_user(layout: str, path: str, expected: Labels | None) -> None:
    """A star matches anything within a name, other characters match themselves; case does not matter."""
    assert layouts.labels(path, (layout,)) == expected


@pytest.mark.parametrize("layout", ["{digit}/{speaker}{take}.wav", "{speaker}*/{digit}.wav", "*{speaker}/{word}.wav"])
def test_a_pattern_whose_fields_touch_is_an_error(layout: str) -> None:
    """Where one ends and the other begins would be a guess."""
    with pytest.raises(LayoutError, match="is ambiguous: put a character between two fields"):
        layouts.labels("7/theo12.wav", (layout,))


@pytest.mark.parametrize(
    "layout",
    ["", "{digit}.wav", "{speaker}.wav", "{digit}_{word}_{speaker}.wav", "{digit}_{digit}_{speaker}", "{digit}_{who}"],
)
def test_a_pattern_without_its_fields_is_an_error(layout: str) -> None:
    """It says which ones there are."""
    with pytest.raises(LayoutError, match=r"is no pattern of paths: it has \{speaker\}, one \{digit\} or \{word\}"):
        layouts.labels("7_theo_0.wav", (layout,))
