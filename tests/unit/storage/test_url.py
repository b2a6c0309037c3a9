"""Places that paths and URLs name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.storage.url import SCHEMES, Url, UrlError, place_of

PARTS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\%?#@[]"), min_size=1, max_size=8
).filter(lambda part: part not in {".", ".."})
URLS = st.builds(
    Url,
    st.sampled_from(SCHEMES),
    st.from_regex(r"[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]", fullmatch=True),
    st.lists(PARTS, max_size=4).map("/".join),
)


@pytest.mark.property
@given(URLS, st.sampled_from(["", "/", "//"]))
def test_a_url_is_that_of_its_text(url: Url, end: str) -> None:
    """Slashes at its end do not matter."""
    assert place_of(f"{url}{end}") == url


@pytest.mark.property
@given(URLS, PARTS)
def test_a_folder_contains_itself_and_what_is_in_it(url: Url, part: str) -> None:
    """But not its neighbour whose name begins with its own."""
    inside = place_of(f"{url}/{part}")
    assert isinstance(inside, Url)
    assert url.contains(url)
    assert url.contains(inside)
    assert not inside.contains(url)
    if url.key:
        assert not url.contains(Url(url.scheme, url.bucket, url.key + part))


@pytest.mark.property
@given(st.text(max_size=30))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    """Without another error; what is accepted can be written again."""
    try:
        place = place_of(text)
    except UrlError:
        return
    if isinstance(place, Url):
        assert place_of(str(place)) == place


@pytest.mark.property
@given(st.sampled_from(SCHEMES), st.text(max_size=30))
def test_any_text_after_a_scheme_is_a_place_or_refused(scheme: str, text: str) -> None:
    """Without another error; what is accepted can be written again."""
    try:
        place = place_of(f"{scheme}://{text}")
    except UrlError:
        return
    assert isinstance(place, Url)
    assert place_of(str(place)) == place
    assert place.bucket


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a/b", "a/b"),
        ("file:///a/b%20c", "/a/b c"),
        ("file://localhost/a", "/a"),
        ("FILE:///a", "/a"),
        ("s3:/a", "s3:/a"),
        ("s3", "s3"),
    ],
)
def test_paths(text: str, path: str) -> None:
    """Of this machine."""
    assert place_of(text) == Path(path)


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///key",
        "s3://b/a//c",
        "s3://b/../c",
        "s3://b/./c",
        "s3://b/a%20c",
        "s3://b/a\\c",
        "s3://b/a\nc",
        "s3://u:p@b/c",
        "s3://b/c?d",
        "s3://b/c#d",
        "s3://[b/c",
        "s3://b c/d",
        "s3://b:99x/d",
        "s3://b\t/d",
        "file:///a\nb",
        "file://host/a",
        "https://b/c",
    ],
)
def test_urls_that_are_refused(text: str) -> None:
    """With a message that has no password."""
    with pytest.raises(UrlError) as raised:
        place_of(text)
    assert "u:p" not in str(raised.value)
