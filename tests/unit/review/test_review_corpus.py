"""Which reviewed clips become recordings, under which names, and as which files."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import inbox_files
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from reviewed_clips import judged

from audiomnist.audio import wav, waveform
from audiomnist.core.errors import FaultError
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.review import corpus
from audiomnist.review.corpus import Added, Clip, Decided
from audiomnist.review.judgements import NO_DIGIT, Judgement
from audiomnist.reviewed.files import ReviewedError
from audiomnist.scoring.decoding.decoder import decode_flac
from audiomnist.synthesis.corpus import VOICES


def sha(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


class TestDeciding:
    """Judgements become labels."""

    def test_each_content_has_one_label_in_the_order_in_which_they_were_judged(self) -> None:
        """Whatever paths it has; those that are no digit are counted."""
        made = [
            judged("b.wav", b"b", "3", minute=0),
            judged("a.wav", b"a", "9", minute=1),
            judged("copy of b.wav", b"b", "3", minute=2),
            judged("noise.wav", b"noise", NO_DIGIT, minute=3),
        ]
        clips = [Clip(sha(b"b"), 3, ("b.wav", "copy of b.wav")), Clip(sha(b"a"), 9, ("a.wav",))]
        assert corpus.decide(made) == Decided(clips, 1, [])

    def test_the_last_judgement_of_a_person_counts_whatever_row_it_is_of(self) -> None:
        """Also that of another model's row; one that was taken back does not."""
        first = judged("a.wav", b"a", "3", minute=0)
        of_other_model = replace(judged("a.wav", b"a", "8", minute=1), model_version="other")
        assert [clip.digit for clip in corpus.decide([first, of_other_model]).clips] == [8]
        taken_back = replace(judged("a.wav", b"a", None, minute=2), model_version="other")
        assert [clip.digit for clip in corpus.decide([first, of_other_model, taken_back]).clips] == [3]

    @pytest.mark.parametrize("other", ["8", NO_DIGIT])
    def test_a_clip_on_which_people_disagree_is_left_out_unless_one_of_them_decides(self, other: str) -> None:
        """It is named with what each heard; a person who did not hear it decides nothing."""
        made: list[Judgement] = [judged("a.wav", b"a", "3"), judged("a.wav", b"a", other, by="bob", minute=1)]
        disputed = Decided([], 0, [f"a.wav (ada: 3, bob: {other})"])
        assert corpus.decide(made) == corpus.decide(made, by="eve") == disputed
        assert [clip.digit for clip in corpus.decide(made, by="ada").clips] == [3]
        assert corpus.decide(made, by="bob").no_digit == (other == NO_DIGIT)


MONO = np.linspace(-0.5, 0.5, 2400)
STEREO = np.stack([MONO, np.roll(MONO, 7)], axis=1)


class TestStoring:
    """A clip becomes a file that the corpus reads."""

    @pytest.mark.parametrize("subtype", inbox_files.WAV_SUBTYPES)
    def test_a_mono_wav_file_stays_as_it_is(self, subtype: str) -> None:
        """So that its SHA-256 is that of the judgement."""
        content = inbox_files.encoded(MONO, 16_000, subtype)
        assert corpus.as_recording(content) == content

    @pytest.mark.parametrize(
        ("content", "decode", "subtype"),
        [
            (inbox_files.encoded(MONO, 16_000, "PCM_16", "FLAC"), decode_flac, "PCM_16"),
            (inbox_files.encoded(MONO, 16_000, "PCM_24", "FLAC"), decode_flac, "FLOAT"),
            (inbox_files.encoded(STEREO, 44_100, "PCM_16"), wav.parse, "FLOAT"),
            (inbox_files.encoded(3 * STEREO, 8000, "FLOAT"), wav.parse, "FLOAT"),
        ],
        ids=["FLAC of 16 bits", "FLAC of 24 bits", "stereo", "stereo beyond full scale"],
    )
    def test_others_become_a_wav_file_of_what_the_scorer_heard(
        self, content: bytes, decode: Callable[[bytes, float], wav.PcmAudio], subtype: str
    ) -> None:
        """Sample by sample, the same bytes each time."""
        stored = corpus.as_recording(content)
        expected, found = waveform.mixed(decode(content, 10)), wav.parse(stored)
        np.testing.assert_array_equal(found.samples[:, 0], expected.samples)
        assert found.sample_rate_hz == expected.sample_rate_hz
        assert soundfile.info(BytesIO(stored)).subtype == subtype
        assert corpus.as_recording(content) == stored
        assert corpus.as_recording(stored) == stored

    def test_what_cannot_be_decoded_is_refused(self) -> None:
        """With the reason."""
        with pytest.raises(FaultError, match="neither WAV nor FLAC"):
            corpus.as_recording(b"OggS" + bytes(100))

    @given(steps=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=50), rate_hz=st.integers(4000, 192000))
    def test_16_bits_are_kept(self, steps: list[int], rate_hz: int) -> None:
        """All of their values."""
        samples = (np.array(steps) / 2**15).astype(np.float32)
        stored = corpus._encoded(waveform.Waveform(samples, rate_hz))  # noqa: SLF001
        np.testing.assert_array_equal(wav.parse(stored).samples[:, 0], samples)
        assert soundfile.info(BytesIO(stored)).subtype == "PCM_16"


@dataclass
class Checkout:
    """The folder `data` of a checkout, an inbox beside it, and what was put under version control."""

    data: Path
    inbox: Path
    versions: list[set[str]] = field(default_factory=list)

    def put(self, name: str, digit: int, content: bytes | None = None) -> Clip:
        """Write a file into the inbox, by default a sound that is like no other; return the clip."""
        if content is None:
            content = inbox_files.encoded(inbox_files.tone(digit, seed=len([*self.inbox.glob("*")])))
        inbox_files.put(self.inbox, name, content)
        return Clip(sha(content), digit, (name,))

    def add(self, *clips: Clip, speaker: str = "yan", refused: dict[str, str] | None = None) -> Added:
        """Add clips; those with a word in their file's name are refused."""

        def refuse(rows: Sequence[Recording], folder: Path) -> dict[str, str]:
            manifest.verify(folder, rows, "the files to be added")
            return {row.file: why for row in rows for word, why in (refused or {}).items() if word in row.file}

        def version(folder: Path) -> None:
            self.versions.append({path.name for path in folder.iterdir()})

        return corpus.add(self.data, clips, self.inbox, speaker, refuse, version)

    def listed(self) -> list[str]:
        """Return the names in the manifest, having checked that the folder holds these files."""
        rows = manifest.read(self.data / "reviewed.csv")
        if rows:
            manifest.verify(self.data / "reviewed", rows, "the folder")
        return [row.file for row in rows]


@pytest.fixture
def checkout(tmp_path: Path, recordings: Path) -> Checkout:
    """A checkout whose manifest has the speakers ada, bob and eve, with takes 0 and 1 of the digits 3 and 7."""
    data = tmp_path / "data"
    manifest.write(data / "manifest.csv", manifest.describe_folder(recordings).recordings)
    manifest.write(data / "reviewed.csv", [])
    return Checkout(data, tmp_path / "inbox")


class TestAdding:
    """Clips become files and rows."""

    def test_takes_are_numbered_by_digit_and_speaker_and_go_on(self, checkout: Checkout) -> None:
        """After those of the manifest too, for a speaker who is in it."""
        checkout.add(checkout.put("a", 7), checkout.put("b", 3), checkout.put("c", 7))
        assert checkout.listed() == ["7_yan_0.wav", "3_yan_0.wav", "7_yan_1.wav"]
        added = checkout.add(checkout.put("d", 7), checkout.put("e", 1))
        assert [row.file for row in added.recordings] == ["7_yan_2.wav", "1_yan_0.wav"]
        checkout.add(checkout.put("f", 3), speaker="ada")
        assert checkout.listed()[-3:] == ["7_yan_2.wav", "1_yan_0.wav", "3_ada_2.wav"]
        assert checkout.versions[-1] == set(checkout.listed())

    def test_a_file_is_that_of_the_inbox(self, checkout: Checkout) -> None:
        """And its SHA-256 that of the judgement."""
        clip = checkout.put("a", 7)
        (row,) = checkout.add(clip).recordings
        assert row.sha256 == clip.sha256
        assert (checkout.data / "reviewed" / row.file).read_bytes() == (checkout.inbox / "a").read_bytes()

    def test_content_of_the_corpus_is_not_added_again(self, checkout: Checkout, recordings: Path) -> None:
        """Not that of the manifest, not what was added before; its file need not be there any more."""
        in_manifest = checkout.put("a", 3, (recordings / "3_ada_0.wav").read_bytes())
        mine = checkout.put("b", 7)
        flac = checkout.put("c", 5, inbox_files.encoded(MONO, 8000, "PCM_16", "FLAC"))
        assert checkout.add(in_manifest, mine, flac).present == 1
        (checkout.inbox / "b").unlink()
        again = checkout.add(in_manifest, mine, flac)
        assert again == Added([], 3, [], {})
        assert len(checkout.versions) == 1
        assert checkout.listed() == ["7_yan_0.wav", "5_yan_0.wav"]

    def test_a_recording_that_was_judged_to_be_another_digit_is_named(
        self, checkout: Checkout, recordings: Path
    ) -> None:
        """Its label stays."""
        clip = checkout.put("a", 8, (recordings / "3_ada_0.wav").read_bytes())
        assert checkout.add(clip) == Added([], 1, ["3_ada_0.wav (judged 8)"], {})

    def test_a_synthetic_corpus_counts_too(self, checkout: Checkout, recordings: Path) -> None:
        """It is in the output of ingest only."""
        content = (recordings / "3_ada_0.wav").read_bytes()
        spoken = manifest.parse_name(f"3_{VOICES[0].speaker}_4.wav", sha(content))
        manifest.write(checkout.data / "recordings.csv", [spoken])
        (checkout.data / "manifest.csv").write_text((checkout.data / "reviewed.csv").read_text())
        assert checkout.add(checkout.put("a", 3, content)).present == 1
        checkout.add(checkout.put("b", 3), speaker=spoken.speaker)
        assert checkout.listed() == [f"3_{spoken.speaker}_5.wav"]

    def test_a_recording_whose_row_is_deleted_gets_its_present_label(self, checkout: Checkout) -> None:
        """Also while the output of ingest still lists it; the file under its former name is removed."""
        clip, other = checkout.put("a", 3), checkout.put("b", 7)
        former = checkout.add(clip, other).recordings
        manifest.write(checkout.data / "recordings.csv", former)
        manifest.write(checkout.data / "reviewed.csv", former[1:])
        checkout.add(replace(clip, digit=8))
        assert checkout.listed() == ["7_yan_0.wav", "8_yan_0.wav"]

    def test_a_folder_that_cannot_be_written_is_an_error(self, checkout: Checkout) -> None:
        """It is named, and nothing is listed."""
        (checkout.data / "reviewed").touch()
        with pytest.raises(ReviewedError, match=r"data/reviewed cannot be written: .*\. Nothing was added"):
            checkout.add(checkout.put("a", 3))
        assert manifest.read(checkout.data / "reviewed.csv") == []

    def test_what_cannot_be_added_is_named_and_the_rest_is_added(self, checkout: Checkout) -> None:
        """Altered, gone, a link, no sound, refused by the gate: each with its reason."""
        good, changed, gone, link, noise, long = (
            checkout.put(name, digit)
            for name, digit in {"good": 1, "changed": 2, "gone": 3, "link": 4, "noise": 5, "long": 6}.items()
        )
        inbox_files.put(checkout.inbox, "changed", b"other")
        (checkout.inbox / "gone").unlink()
        (checkout.inbox / "link").rename(checkout.inbox / "target")
        (checkout.inbox / "link").symlink_to("target")
        noise = checkout.put("noise", 5, b"noise")
        added = checkout.add(changed, gone, link, good, noise, long, refused={"6_": "is too long"})
        assert checkout.listed() == ["1_yan_0.wav"]
        assert added.refused == {
            "changed": "has changed since it was scored",
            "gone": "is no longer there",
            "link": "cannot be read: Too many levels of symbolic links",
            "noise": "is neither WAV nor FLAC, nor of any other format known here",
            "long": "is too long",
        }

    def test_a_copy_stands_in_for_a_file_that_has_changed(self, checkout: Checkout) -> None:
        """Of several paths with the judged content, one is enough."""
        clip = checkout.put("a", 7)
        (checkout.inbox / "a").rename(checkout.inbox / "b")
        assert checkout.add(replace(clip, paths=("a", "b", "c"))).refused == {}
        assert checkout.listed() == ["7_yan_0.wav"]

    def test_without_the_files_of_earlier_ones_nothing_is_added(self, checkout: Checkout) -> None:
        """As in a clone without the data, whose version would lack them."""
        checkout.add(checkout.put("a", 7))
        (checkout.data / "reviewed" / "7_yan_0.wav").unlink()
        with pytest.raises(ReviewedError, match=r"lacks 1 of the 1 .*`dvc checkout"):
            checkout.add(checkout.put("b", 7))
        assert len(manifest.read(checkout.data / "reviewed.csv")) == 1

    def test_a_failure_of_version_control_lists_nothing(self, checkout: Checkout) -> None:
        """The next call adds the clips under the same names, and removes what is not listed."""

        def failing(_: Path) -> None:
            raise ReviewedError("no disk")

        clips = [checkout.put("a", 7), checkout.put("b", 3)]
        with pytest.raises(ReviewedError, match="no disk"):
            corpus.add(checkout.data, clips, checkout.inbox, "yan", lambda *_: {}, failing)
        assert manifest.read(checkout.data / "reviewed.csv") == []
        checkout.add(clips[1])
        assert checkout.listed() == ["3_yan_0.wav"]
