"""A network's first step: mel bands of MFCCs, freed from what a recording adds to them, and varied in training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from audiomnist.core import params
from audiomnist.features.front_end import FrontEndParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.features.params import FeatureParams
from audiomnist.models.common.params import LogMelInputParams
from audiomnist.models.common.recurrent import length_mask
from audiomnist.models.common.spectrogram import LogMelInput, vtlp_matrices

COMMITTED = Path(__file__).parents[3] / "params.yaml"
FRONT_END = params.section(COMMITTED, "features", FeatureParams).front_end
BANDS = FRONT_END.n_mels
FRAMES = torch.tensor([20, 9, 1, 14])
# Nothing is taken off, and nothing is varied.
PLAIN = LogMelInputParams(top_db=1e6, cmn_strength=0.0, time_mask_fraction=0.0, freq_mask_bands=0, vtlp_range=0.0)
WARP = 0.3
FACTORS = np.exp(np.linspace(-WARP, WARP, 21))


def levels(frames: Tensor = FRAMES, seed: int = 0) -> Tensor:
    """Return mel bands in dB, `(clips, bands, frames)`: no two means or deviations alike, zeros in the padding."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(frames), BANDS, int(frames.max()), generator=draw)
    bands = torch.linspace(-20, 10, BANDS).reshape(1, -1, 1) + noise * torch.linspace(2, 9, BANDS).reshape(1, -1, 1)
    return bands * length_mask(frames, bands.shape[2]).unsqueeze(1)


def mfccs(bands: Tensor) -> Tensor:
    """Return the MFCCs of mel bands, as the front end computes them."""
    return torch.matmul(FrontEnd(FRONT_END).dct, bands)


def made(how: LogMelInputParams, bands: Tensor, frames: Tensor = FRAMES) -> LogMelInput:
    """Return a first step that has learned from clips, to be asked."""
    spectrum = LogMelInput(how, FRONT_END).eval()
    spectrum.fit(mfccs(bands), frames)
    return spectrum


def unscaled(spectrum: LogMelInput, bands: Tensor, frames: Tensor = FRAMES) -> Tensor:
    """Return the levels in dB that a first step sees."""
    levelled: Tensor = spectrum(mfccs(bands), frames) * spectrum.std + spectrum.mean
    return levelled


def own_frames(spectra: Tensor, frames: Tensor = FRAMES) -> Tensor:
    """Return the frames of all clips, `(frames, bands)`."""
    return spectra.transpose(1, 2)[length_mask(frames, spectra.shape[2])]


def tone(frequency_hz: float) -> Tensor:
    """Return the mel bands of a tone, in dB, `(bands,)`."""
    time_s = torch.arange(FRONT_END.sample_rate_hz // 4) / FRONT_END.sample_rate_hz
    sound = torch.sin(2 * torch.pi * frequency_hz * time_s).unsqueeze(0)
    mfcc, _ = FrontEnd(FRONT_END)(sound, torch.tensor([sound.shape[1]]))
    return torch.matmul(FrontEnd(FRONT_END).dct.T, mfcc[0, :, 10])


def middles_hz() -> NDArray[np.float64]:
    """Return the middle frequency of each band, `(bands,)`: HTK's mel, in equal steps between the edges."""
    low, high = (2595 * np.log10(1 + edge_hz / 700) for edge_hz in (FRONT_END.f_min, FRONT_END.f_max))
    middles = np.linspace(low, high, BANDS + 2)[1:-1]
    return np.asarray(700 * (10 ** (middles / 2595) - 1))


def test_bands_are_those_that_the_mfccs_were_made_of() -> None:
    """The transform is orthonormal: as many coefficients as bands lose nothing but float32's last digits."""
    bands = levels()
    np.testing.assert_allclose(own_frames(unscaled(made(PLAIN, bands), bands)), own_frames(bands), atol=1e-3)


def test_fewer_coefficients_give_as_many_bands_smoothed() -> None:
    """What the cut coefficients held is missing, and no more."""
    few = FRONT_END.model_copy(update={"n_mfcc": 13})
    bands = levels()
    mfcc = mfccs(bands)[:, :13]
    spectrum = LogMelInput(PLAIN, few).eval()
    spectrum.fit(mfcc, FRAMES)
    found = spectrum(mfcc, FRAMES) * spectrum.std + spectrum.mean
    assert spectrum.bands == found.shape[1] == BANDS
    torch.testing.assert_close(torch.matmul(FrontEnd(few).dct, found), mfcc, rtol=0, atol=1e-3)


def test_each_band_has_mean_0_and_deviation_1_over_the_clips_that_were_learned_from() -> None:
    """Over their own frames: the padding, which weighs as much here as the clips, counts for nothing."""
    bands = levels()
    found = own_frames(made(PLAIN, bands)(mfccs(bands), FRAMES))
    np.testing.assert_allclose(found.mean(dim=0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(dim=0), 1, atol=1e-4)


def test_statistics_are_the_same_with_more_padding_and_with_other_numbers_in_it() -> None:
    """Only frames of the clips teach, whatever is taken off them."""
    bands = levels()
    how = PLAIN.model_copy(update={"top_db": 25.0, "cmn_strength": 0.6})
    longer = torch.nn.functional.pad(bands, (0, 7))
    rubbish = torch.where(length_mask(FRAMES, longer.shape[2]).unsqueeze(1), longer, 77.0)
    expected = made(how, bands)
    for other in (longer, rubbish):
        found = made(how, other)
        torch.testing.assert_close(found.mean, expected.mean, rtol=0, atol=1e-4)
        torch.testing.assert_close(found.std, expected.std, rtol=0, atol=1e-4)


def test_a_band_that_never_changes_is_no_division_by_nothing() -> None:
    """It is 0, as the silence below the front end's floor does."""
    bands = levels() * (torch.arange(BANDS) != 5).reshape(1, -1, 1)
    found = made(PLAIN, bands)(mfccs(bands), FRAMES)
    assert found.isfinite().all()
    assert own_frames(found)[:, 5].abs().max() < 1


@pytest.mark.parametrize("top_db", [5.0, 20.0, 60.0])
def test_what_lies_further_below_a_clips_loudest_value_is_raised_to_there(top_db: float) -> None:
    """Clip by clip; what lies above the floor stays."""
    bands = levels()
    found = unscaled(made(PLAIN.model_copy(update={"top_db": top_db}), bands), bands)
    for clip, own, frames in zip(bands, found, FRAMES.tolist(), strict=True):
        floor = clip[:, :frames].max() - top_db
        np.testing.assert_allclose(own[:, :frames], clip[:, :frames].clamp(min=float(floor)), atol=1e-3)


def test_a_louder_neighbour_raises_no_floor() -> None:
    """Each clip has its own."""
    bands = levels()
    spectrum = made(PLAIN.model_copy(update={"top_db": 20.0}), bands)
    louder = bands.clone()
    louder[1:] += 50
    torch.testing.assert_close(spectrum(mfccs(bands), FRAMES)[0], spectrum(mfccs(louder), FRAMES)[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_each_bands_mean_is_taken_off_each_clip(share: float) -> None:
    """All of it leaves a mean of zero; none of it leaves the clip unchanged."""
    bands = levels()
    found = unscaled(made(PLAIN.model_copy(update={"cmn_strength": share}), bands), bands)
    for clip, own, frames in zip(bands, found, FRAMES.tolist(), strict=True):
        mean = clip[:, :frames].mean(dim=1, keepdim=True)
        np.testing.assert_allclose(own[:, :frames], clip[:, :frames] - share * mean, atol=1e-3)


@given(seed=st.integers(0, 2**31), loudness_db=st.floats(0, 30))
def test_where_the_whole_mean_is_taken_off_a_microphone_changes_nothing(seed: int, loudness_db: float) -> None:
    """A gain of each band, the same in all frames of a clip, is all that it is; where half is, half of it stays."""
    bands = levels()
    gains_db = loudness_db * torch.randn(len(FRAMES), BANDS, 1, generator=torch.Generator().manual_seed(seed))
    recorded = bands + gains_db
    for share in (1.0, 0.5):
        spectrum = made(PLAIN.model_copy(update={"cmn_strength": share}), bands)
        difference = own_frames(unscaled(spectrum, recorded) - unscaled(spectrum, bands))
        expected = own_frames((1 - share) * gains_db.expand_as(bands))
        np.testing.assert_allclose(difference, expected, atol=1e-2)


def test_in_training_two_stretches_and_two_ranges_of_bands_stand_at_the_mean() -> None:
    """None longer or wider than asked for; nothing else is altered."""
    how = PLAIN.model_copy(update={"time_mask_fraction": 0.3, "freq_mask_bands": 6})
    frames = torch.full((200,), 20)
    bands = levels(frames)
    spectrum = made(how, bands, frames)
    whole = spectrum(mfccs(bands), frames)
    torch.manual_seed(0)
    hidden = (seen := spectrum.train()(mfccs(bands), frames)) == 0
    assert torch.equal(seen[~hidden], whole[~hidden])
    steps, ranges = hidden.all(dim=1), hidden.all(dim=2)
    assert torch.equal(hidden, steps.unsqueeze(1) | ranges.unsqueeze(2))
    for masked, longest in ((steps, 0.3 * 20), (ranges, 6)):
        counts = masked.sum(dim=1)
        edges = (masked[:, 1:] & ~masked[:, :-1]).sum(dim=1) + masked[:, 0]
        assert (edges <= 2).all()
        assert counts.max() <= 2 * (longest + 1)
        assert counts.float().mean() == pytest.approx(longest, rel=0.2)
        assert masked.any(dim=0).all()


def test_a_stretch_that_is_hidden_is_a_share_of_the_clips_own_frames() -> None:
    """Of a short clip little is hidden, however long its neighbour is."""
    frames = torch.cat([torch.full((100,), 10), torch.full((1,), 1000)])
    bands = levels(frames)
    spectrum = made(PLAIN.model_copy(update={"time_mask_fraction": 0.2}), bands, frames)
    torch.manual_seed(0)
    hidden = (spectrum.train()(mfccs(bands), frames) == 0).all(dim=1)
    assert hidden[:100, :10].sum(dim=1).max() <= 2 * 3
    assert not hidden[:100, 10:].any()
    assert hidden[:100, :10].any()


def test_bands_can_be_hidden_no_wider_than_there_are() -> None:
    """A mask of all bands and more is one of all."""
    bands = levels()
    spectrum = made(PLAIN.model_copy(update={"freq_mask_bands": 10 * BANDS}), bands).train()
    assert spectrum(mfccs(bands), FRAMES).isfinite().all()


def test_in_training_each_clip_is_warped_for_itself() -> None:
    """By one of the factors each, all of which turn up."""
    frames = torch.full((300,), 3)
    clip = levels(torch.tensor([3]), seed=5)
    bands = clip.expand(300, -1, -1)
    spectrum = made(PLAIN.model_copy(update={"vtlp_range": WARP}), clip, torch.tensor([3]))
    torch.manual_seed(0)
    found = unscaled(spectrum.train(), bands, frames)
    options = torch.matmul(vtlp_matrices(FRONT_END, WARP), clip[0])
    distances = (found.unsqueeze(1) - options.unsqueeze(0)).abs().amax(dim=(2, 3))  # (clips, factors)
    assert distances.amin(dim=1).max() < 1e-2
    assert set(distances.argmin(dim=1).tolist()) == set(range(21))


@pytest.mark.parametrize(
    "how",
    [
        PLAIN.model_copy(update={"time_mask_fraction": 0.5}),
        PLAIN.model_copy(update={"freq_mask_bands": 20}),
        PLAIN.model_copy(update={"vtlp_range": WARP}),
    ],
)
def test_in_service_nothing_is_hidden_or_warped(how: LogMelInputParams) -> None:
    """Each of the three alone changes what training sees, and nothing of what is served."""
    bands = levels()
    expected = made(PLAIN, bands)(mfccs(bands), FRAMES)
    spectrum = made(how, bands)
    assert torch.equal(spectrum(mfccs(bands), FRAMES), expected)
    torch.manual_seed(0)
    assert not torch.equal(spectrum.train()(mfccs(bands), FRAMES), expected)


def test_without_augmentation_nothing_is_warped() -> None:
    """Masks go on."""
    bands = levels()
    spectrum = made(PLAIN.model_copy(update={"vtlp_range": WARP}), bands)
    served = spectrum(mfccs(bands), FRAMES)
    spectrum.augments = False
    assert torch.equal(spectrum.train()(mfccs(bands), FRAMES), served)
    masked = made(PLAIN.model_copy(update={"freq_mask_bands": 20}), bands).train()
    masked.augments = False
    assert not torch.equal(masked(mfccs(bands), FRAMES), served)


def test_without_variation_training_sees_what_is_served() -> None:
    """Masks of no length and a warp of nothing are none."""
    bands = levels()
    spectrum = made(PLAIN, bands)
    served = spectrum(mfccs(bands), FRAMES)
    assert torch.equal(spectrum.train()(mfccs(bands), FRAMES), served)


def test_what_follows_from_the_parameters_is_no_part_of_the_weights() -> None:
    """Neither the transform to bands nor the warpings."""
    state = made(PLAIN.model_copy(update={"vtlp_range": WARP}), levels()).state_dict()
    assert set(state) == {"mean", "std"}


@given(warp=st.floats(0, 0.5))
def test_every_warping_is_a_weighted_mean_of_neighbouring_bands(warp: float) -> None:
    """Weights are at least 0 and sum to 1, so that a flat spectrum stays flat."""
    matrices = vtlp_matrices(FRONT_END, warp)
    assert matrices.shape == (21, BANDS, BANDS)
    assert matrices.dtype == torch.float32
    assert (matrices >= 0).all()
    np.testing.assert_allclose(matrices.sum(dim=2), 1, atol=1e-5)
    assert ((matrices > 1e-5).sum(dim=2) <= 2).all()


@given(warp=st.floats(0, 0.5))
def test_the_middle_factor_is_1_and_leaves_every_band(warp: float) -> None:
    """And without a warp all of them do."""
    np.testing.assert_allclose(vtlp_matrices(FRONT_END, warp)[10], np.eye(BANDS), atol=1e-5)
    for matrix in vtlp_matrices(FRONT_END, 0.0):
        np.testing.assert_allclose(matrix, np.eye(BANDS), atol=1e-5)


@pytest.mark.parametrize("frequency_hz", [600.0, 1000.0, 1500.0])
def test_a_factor_below_1_moves_a_tone_up_and_one_above_1_moves_it_down(frequency_hz: float) -> None:
    """A band is given what stood at a multiple of its frequency: to that of the tone divided by the factor."""
    spectrum, middles = tone(frequency_hz), middles_hz()
    spacing_hz = np.diff(middles)
    places = []
    for factor, matrix in zip(FACTORS, vtlp_matrices(FRONT_END, WARP), strict=True):
        band = int(torch.matmul(matrix, spectrum).argmax())
        assert middles[band] == pytest.approx(frequency_hz / factor, abs=1.5 * float(spacing_hz[band]))
        places.append(band)
    assert places[0] > places[10] > places[20]
    assert places == sorted(places, reverse=True)


def test_beyond_the_outer_bands_the_level_is_theirs() -> None:
    """Where a factor asks for what lies above the last band or below the first."""
    spectrum = torch.linspace(-5, 3, BANDS)
    lowest, highest = vtlp_matrices(FRONT_END, 0.5)[[0, 20]]
    assert torch.matmul(highest, spectrum)[-1] == pytest.approx(3, abs=1e-4)
    assert torch.matmul(lowest, spectrum)[0] == pytest.approx(-5, abs=1e-4)


@pytest.mark.parametrize("front_end", [{"f_min": 300.0}, {"f_max": 3000.0}, {"n_mels": 20, "n_mfcc": 20}])
def test_warpings_follow_the_front_ends_filters(front_end: dict[str, float]) -> None:
    """Other edges or another number of bands give other matrices, of the same kind."""
    other = FrontEndParams.model_validate(FRONT_END.model_dump() | front_end)
    matrices = vtlp_matrices(other, WARP)
    assert matrices.shape == (21, other.n_mels, other.n_mels)
    np.testing.assert_allclose(matrices.sum(dim=2), 1, atol=1e-5)
    assert matrices.shape[1] != BANDS or not torch.equal(matrices, vtlp_matrices(FRONT_END, WARP))
