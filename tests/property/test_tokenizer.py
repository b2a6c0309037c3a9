"""Transcripts as token ids: what holds for every text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.transcripts import tokenizer

HYPOTHESES = st.lists(st.text(max_size=80), max_size=6)
LETTERS = st.text(tokenizer.ALPHABET, max_size=40)
BLANKS = st.text(" \t\n\r\u00a0\u2003", min_size=1, max_size=5)
ROWS = st.lists(st.lists(st.integers(1, tokenizer.VOCAB_SIZE - 1), min_size=1, max_size=20), min_size=1, max_size=8)


@given(hypotheses=HYPOTHESES)
def test_tokens_are_within_range_and_never_too_many(hypotheses: list[str]) -> None:
    """Whatever Unicode a recognizer writes, a network can look each token up; none of them is padding."""
    tokens = tokenizer.encode(hypotheses)
    assert 1 <= len(tokens) <= tokenizer.MAX_TOKENS
    assert all(tokenizer.PAD < token < tokenizer.VOCAB_SIZE for token in tokens)


@given(length=st.integers(0, 3 * tokenizer.MAX_TOKENS))
def test_a_long_text_keeps_its_beginning(length: int) -> None:
    """What is cut is the end."""
    whole = [*tokenizer.encode(["a"])[:1] * length, tokenizer.EOS] if length else [tokenizer.NO_SPEECH]
    assert tokenizer.encode(["a" * length]) == whole[: tokenizer.MAX_TOKENS]


@given(blanks=st.lists(st.just("") | BLANKS, max_size=5))
def test_no_speech_has_its_own_token(blanks: list[str]) -> None:
    """No hypotheses, empty ones and white space are the same, and no other text gives that token."""
    assert tokenizer.encode(blanks) == [tokenizer.NO_SPEECH]


@given(hypotheses=HYPOTHESES)
def test_the_token_for_nothing_stands_alone_or_not_at_all(hypotheses: list[str]) -> None:
    """A clip in which something was recognized has none of it."""
    tokens = tokenizer.encode(hypotheses)
    assert tokens == [tokenizer.NO_SPEECH] or tokenizer.NO_SPEECH not in tokens


@given(letters=LETTERS, other=st.text(max_size=40))
def test_case_does_not_matter(letters: str, other: str) -> None:
    """Letters in capitals are the same letters, and any text is the same in small ones."""
    assert tokenizer.encode([letters.upper()]) == tokenizer.encode([letters])
    assert tokenizer.encode([other.lower()]) == tokenizer.encode([other])


@given(words=st.lists(st.text("abc123'", min_size=1, max_size=5), min_size=1, max_size=8), data=st.data())
def test_white_space_does_not_matter(words: list[str], data: st.DataObject) -> None:
    """Between words any amount is one space, at the ends it is none."""
    spaced = "".join(data.draw(BLANKS) + word for word in words) + data.draw(BLANKS)
    assert tokenizer.encode([spaced]) == tokenizer.encode([" ".join(words)])


@given(letters=LETTERS)
def test_known_letters_have_different_tokens(letters: str) -> None:
    """Of a text in the alphabet every letter can be read back from its token."""
    *tokens, end = tokenizer.encode([letters, "."])
    read = "".join(tokenizer.ALPHABET[token - 4] if token != tokenizer.EOS else "|" for token in tokens)
    kept = " ".join(letters.split())
    assert (read, end) == (f"{kept}|." if kept else ".", tokenizer.EOS)


@given(hypotheses=st.lists(LETTERS.filter(str.strip), min_size=1, max_size=3))
def test_each_hypothesis_is_closed_in_its_order(hypotheses: list[str]) -> None:
    """The tokens of several are those of each, one after the other."""
    expected = [token for hypothesis in hypotheses for token in tokenizer.encode([hypothesis])]
    assert tokenizer.encode(hypotheses) == expected[: tokenizer.MAX_TOKENS]
    assert tokenizer.encode(hypotheses)[: tokenizer.MAX_TOKENS].count(tokenizer.EOS) == len(hypotheses)


@given(strange=st.text(st.characters(min_codepoint=0x370, categories=["Lo"]), min_size=1, max_size=40))
def test_letters_of_other_alphabets_are_unknown_not_dropped(strange: str) -> None:
    """Arabic letters are a text, of unknown tokens."""
    assert tokenizer.encode([strange]) == [tokenizer.UNK] * len(strange) + [tokenizer.EOS]


@given(rows=ROWS)
def test_padding_can_be_taken_off_again(rows: list[list[int]]) -> None:
    """The batch is as wide as its longest row, and the lengths give every row back."""
    batch, lengths = tokenizer.pad_tokens(rows)
    assert batch.dtype == lengths.dtype == np.int64
    assert batch.shape == (len(rows), max(map(len, rows)))
    assert [row[:length].tolist() for row, length in zip(batch, lengths, strict=True)] == rows
    assert int((batch != tokenizer.PAD).sum()) == sum(map(len, rows))
