"""Lists of names in messages."""

from audiomnist.core.text import listed


def test_ten_names_are_shown_and_the_others_counted() -> None:
    """A message stays readable where others can be looked up."""
    assert listed([str(number) for number in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
