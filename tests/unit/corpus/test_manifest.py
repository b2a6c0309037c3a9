"""The manifest of recordings: names, hashes, and a folder held against them."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import ManifestError, Recording

HEADER = "file,digit,speaker,take,sha256"
SHA256 = "0" * 64
RECORDINGS = st.lists(
    st.builds(
        lambda digit, speaker, take, content: manifest.parse_name(
            f"{digit}_{speaker}_{take}.wav", hashlib.sha256(content).hexdigest()
        ),
        st.integers(0, 9),
        st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8),
        st.integers(0, 10_000),
        st.binary(max_size=4),
    ),
    unique_by=lambda recording: recording.file,
    max_size=20,
)


def write_lines(folder: Path, *lines: str) -> Path:
    """Write a manifest by hand."""
    path = folder / "manifest.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@given(
    digit=st.integers(0, 9),
    speaker=st.from_regex("[A-Za-z0-9][A-Za-z0-9._-]*", fullmatch=True),
    take=st.integers(0, 10**9),
)
def test_a_name_says_digit_speaker_and_take(digit: int, speaker: str, take: int) -> None:
    """Every name of the form is read back into its parts."""
    file = f"{digit}_{speaker}_{take}.wav"
    assert manifest.parse_name(file, SHA256) == Recording(file, digit, speaker, take, SHA256)


@pytest.mark.parametrize(
    "file",
    [
        "10_theo_0.wav",
        "x_theo_0.wav",
        "7_thé_0.wav",
        "7__0.wav",
        "7_theo_.wav",
        "7_theo_-1.wav",
        "7_theo_0.WAV",
        "7_theo_0.wav\n",
        "a/7_theo_0.wav",
        "٣_theo_0.wav",
        "",
    ],
)
def test_another_name_is_refused(file: str) -> None:
    """The error has the name and the form that it should have."""
    with pytest.raises(ManifestError, match=r"is not named \{digit\}_\{speaker\}_\{take\}\.wav") as caught:
        manifest.parse_name(file, SHA256)
    assert repr(file) in str(caught.value)


def test_the_file_has_a_header_and_a_line_per_recording(tmp_path: Path) -> None:
    """The columns have a fixed order, lines end as on Unix, and the last one is closed."""
    manifest.write(tmp_path / "manifest.csv", [Recording("7_theo_12.wav", 7, "theo", 12, SHA256)])
    assert (tmp_path / "manifest.csv").read_bytes() == f"{HEADER}\n7_theo_12.wav,7,theo,12,{SHA256}\n".encode()


@given(rows=RECORDINGS)
def test_a_manifest_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Recording]
) -> None:
    """Any recordings, in their order."""
    path = tmp_path_factory.getbasetemp() / "manifest.csv"
    manifest.write(path, rows)
    assert manifest.read(path) == rows


@pytest.mark.parametrize(
    "row", [f"7_theo_12.wav,8,theo,12,{SHA256}", f"7_theo_12.wav,7,jo,12,{SHA256}", f"7_theo_12.wav,7,theo,2,{SHA256}"]
)
def test_a_row_that_contradicts_its_name_is_refused(tmp_path: Path, row: str) -> None:
    """The error names the manifest and the recording."""
    path = write_lines(tmp_path, HEADER, row)
    with pytest.raises(ManifestError, match=r"manifest\.csv is not a manifest: .*7_theo_12\.wav contradicts"):
        manifest.read(path)


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    """Also where the two rows are otherwise different."""
    rows = [f"7_theo_12.wav,7,theo,12,{digit * 64}" for digit in "01"]
    with pytest.raises(ManifestError, match="names a file twice"):
        manifest.read(write_lines(tmp_path, HEADER, *rows))


def test_another_table_is_refused(tmp_path: Path) -> None:
    """The error names the columns that a manifest has."""
    with pytest.raises(ManifestError, match="its columns are not file,digit,speaker,take,sha256"):
        manifest.read(write_lines(tmp_path, "file,digit", "7_theo_12.wav,7"))


@pytest.mark.parametrize(
    "row", ["7_theo_12.wav", "7_theo_12.wav,7,theo,12", "7_theo_12.wav,7,theo,12,zz", "7_theo_12.wav,7,theo,12,"]
)
def test_a_row_without_a_hash_is_refused(tmp_path: Path, row: str) -> None:
    """A recording that cannot be checked is no recording."""
    with pytest.raises(ManifestError, match="is not a manifest"):
        manifest.read(write_lines(tmp_path, HEADER, row))


def test_an_absent_manifest_is_refused(tmp_path: Path) -> None:
    """The error has the path."""
    with pytest.raises(ManifestError, match=r"nowhere\.csv cannot be read"):
        manifest.read(tmp_path / "nowhere.csv")


def test_a_folder_is_described_by_its_wav_files(recordings: Path) -> None:
    """Each has its row with its hash, ordered by name; other files are passed over."""
    (recordings / "README.md").touch()
    rows = manifest.describe_folder(recordings).recordings
    assert [row.file for row in rows] == sorted(path.name for path in recordings.glob("*.wav"))
    first = (recordings / rows[0].file).read_bytes()
    assert rows[0].sha256 == hashlib.sha256(first).hexdigest()


def test_a_folder_that_equals_its_manifest_is_accepted(recordings: Path) -> None:
    """The order of the rows does not matter."""
    manifest.verify(recordings, manifest.describe_folder(recordings).recordings[::-1], "here")


def test_what_is_missing_unexpected_and_altered_is_in_one_message(recordings: Path) -> None:
    """Each kind has its count and its names, the source comes first, and what is right is not named."""
    rows = manifest.describe_folder(recordings).recordings
    (recordings / "3_ada_0.wav").unlink()
    (recordings / "3_ada_1.wav").unlink()
    (recordings / "9_zoe_0.wav").touch()
    (recordings / "7_eve_1.wav").write_bytes(b"altered")
    with pytest.raises(ManifestError) as caught:
        manifest.verify(recordings, rows, "the archive")
    assert str(caught.value).splitlines() == [
        "the archive differs from the manifest:",
        "  2 missing: 3_ada_0.wav, 3_ada_1.wav",
        "  1 unexpected: 9_zoe_0.wav",
        "  1 altered: 7_eve_1.wav",
    ]


def test_a_single_changed_bit_is_an_alteration(recordings: Path) -> None:
    """The last bit of the last sample is enough."""
    rows = manifest.describe_folder(recordings).recordings
    content = bytearray((recordings / "3_bob_0.wav").read_bytes())
    content[-1] ^= 1
    (recordings / "3_bob_0.wav").write_bytes(content)
    with pytest.raises(ManifestError, match=r"1 altered: 3_bob_0\.wav$"):
        manifest.verify(recordings, rows, "the archive")


def test_every_missing_file_is_counted(recordings: Path) -> None:
    """Ten by name, the others by their number."""
    rows = manifest.describe_folder(recordings).recordings
    for path in recordings.iterdir():
        path.unlink()
    with pytest.raises(ManifestError, match=r"12 missing: (\w+\.wav, ){9}\w+\.wav and 2 more$"):
        manifest.verify(recordings, rows, "the archive")


def test_a_folder_without_recordings_has_no_manifest(tmp_path: Path) -> None:
    """One that lists nothing would take the place of a good one."""
    with pytest.raises(ManifestError, match=r"holds no \*\.wav of a digit"):
        manifest.describe_folder(tmp_path)


def write_files(folder: Path, *names: str) -> Path:
    """Write files, each with its own name as content."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.fsencode(name))
    return folder


def described(folder: Path, layout: str | None = None) -> dict[str, str]:
    """Return the name of each recording in the corpus by its path."""
    return {row.source or row.file: row.file for row in manifest.describe_folder(folder, layout).recordings}


def test_the_layouts_of_public_corpora_are_known(tmp_path: Path) -> None:
    """This corpus's, flat or in folders, AudioMNIST's with a folder per speaker, and that of Speech Commands."""
    write_files(tmp_path, "7_theo_0.wav", "01/7_01_12.wav", "two/0a2b_nohash_1.wav", "recordings/3_George_4.WAV")
    assert described(tmp_path) == {
        "7_theo_0.wav": "7_theo_0.wav",
        "01/7_01_12.wav": "7_01_12.wav",
        "two/0a2b_nohash_1.wav": "2_0a2b_1.wav",
        "recordings/3_George_4.WAV": "3_George_4.wav",
    }


def test_equal_names_in_two_folders_are_numbered_anew(tmp_path: Path) -> None:
    """In the order of their paths, for this digit of this speaker alone."""
    write_files(tmp_path, "b/7_theo_5.wav", "a/7_theo_5.wav", "a/7_theo_6.wav", "a/8_theo_5.wav")
    assert described(tmp_path) == {
        "a/7_theo_5.wav": "7_theo_0.wav",
        "a/7_theo_6.wav": "7_theo_1.wav",
        "b/7_theo_5.wav": "7_theo_2.wav",
        "a/8_theo_5.wav": "8_theo_5.wav",
    }
    assert manifest.describe_folder(tmp_path).renumbered == 3


def test_speakers_of_one_name_in_two_folders_are_two_with_a_pattern(tmp_path: Path) -> None:
    """Both parts of the path are the speaker's name."""
    write_files(tmp_path, "a/7_theo_5.wav", "b/7_theo_5.wav")
    assert described(tmp_path, "{speaker}/{digit}_{speaker}_{take}.wav") == {
        "a/7_theo_5.wav": "7_a_theo_5.wav",
        "b/7_theo_5.wav": "7_b_theo_5.wav",
    }


def test_files_without_a_take_are_numbered(tmp_path: Path) -> None:
    """In the order of their paths."""
    write_files(tmp_path, "ann/x-seven.wav", "ann/y-seven.wav", "bob/x-seven.wav")
    assert described(tmp_path, "{speaker}/*-{word}.wav") == {
        "ann/x-seven.wav": "7_ann_0.wav",
        "ann/y-seven.wav": "7_ann_1.wav",
        "bob/x-seven.wav": "7_bob_0.wav",
    }


def test_other_words_noise_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    """As in a copy of Speech Commands that was on a Mac."""
    write_files(
        tmp_path,
        "bed/0a2b_nohash_0.wav",
        "_background_noise_/running_tap.wav",
        "one/._0a2b_nohash_0.wav",
        ".trash/one/0a2b_nohash_3.wav",
        "one/0a2b_nohash_0.wav",
    )
    found = manifest.describe_folder(tmp_path)
    assert [row.file for row in found.recordings] == ["1_0a2b_0.wav"]
    assert found.left_out == {"_background_noise_": 1, "bed": 1}


def test_a_folder_without_digits_names_its_words(tmp_path: Path) -> None:
    """Fields of a pattern in the wrong order are noticed so."""
    with pytest.raises(ManifestError, match=r"holds no \*\.wav of a digit, but of other words: jack, theo\."):
        manifest.describe_folder(write_files(tmp_path, "jack/one.wav", "theo/two.wav"), "{word}/{speaker}.wav")


def test_a_link_to_a_folder_is_an_error(tmp_path: Path) -> None:
    """Nothing in it is left out in silence."""
    write_files(tmp_path, "a/7_theo_0.wav")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ManifestError, match="b is a link to a folder, which is not followed"):
        manifest.describe_folder(tmp_path)


@pytest.mark.parametrize("name", ["7_theo\r_0.wav", os.fsdecode(b"7_th\xe9o_0.wav")])
def test_a_name_that_no_manifest_can_have_is_an_error(tmp_path: Path, name: str) -> None:
    """Characters that cannot be printed, and bytes that are no text."""
    write_files(tmp_path, "7_theo_0.wav", name)
    with pytest.raises(ManifestError, match="has characters in its name that cannot be printed: rename it"):
        manifest.describe_folder(tmp_path)


def test_a_pipe_is_an_error(tmp_path: Path) -> None:
    """Reading it would not end."""
    os.mkfifo(tmp_path / "7_theo_0.wav")
    with pytest.raises(ManifestError, match=r"7_theo_0\.wav is not a regular file"):
        manifest.describe_folder(tmp_path)


def test_a_manifest_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """In a sentence with its path."""
    with pytest.raises(ManifestError, match=rf"{tmp_path} cannot be written: "):
        manifest.write(tmp_path, [])


def test_a_name_without_a_layout_is_an_error(tmp_path: Path) -> None:
    """It names the files, the layouts and the option; nothing is left out in silence."""
    write_files(tmp_path, "7_theo_0.wav", "ann/seven.wav")
    with pytest.raises(ManifestError, match=r"WAV files are not named .*: ann/seven\.wav\. Name .* --pattern"):
        manifest.describe_folder(tmp_path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """In a sentence with its path."""
    (write_files(tmp_path, "7_theo_0.wav") / "8_theo_0.wav").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match=r"8_theo_0\.wav cannot be read: No such file"):
        manifest.describe_folder(tmp_path)


def test_a_manifest_with_sources_is_read_back(tmp_path: Path) -> None:
    """The column `source` is there if any recording has one."""
    rows = manifest.describe_folder(write_files(tmp_path / "own", "a/7_theo_0.wav", "8_theo_0.wav")).recordings
    manifest.write(tmp_path / "manifest.csv", rows)
    assert manifest.read(tmp_path / "manifest.csv") == rows
    assert (tmp_path / "manifest.csv").read_text(encoding="utf-8").startswith(f"{HEADER},source\n")


@pytest.mark.parametrize("source", ["/etc/passwd", "../7_theo_0.wav", "a/../../b.wav"])
def test_a_source_that_leads_out_of_its_folder_is_refused(tmp_path: Path, source: str) -> None:
    """A manifest of somebody else copies no file of its choice."""
    path = write_lines(tmp_path, f"{HEADER},source", f"7_theo_0.wav,7,theo,0,{SHA256},{source}")
    with pytest.raises(ManifestError, match="leads out of its folder"):
        manifest.read(path)
