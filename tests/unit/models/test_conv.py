"""ConvStack over spectra taken as images: what comes out, of which size, and from which frames."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from audiomnist.models.common.conv import ConvStack
from audiomnist.models.common.params import ConvStackParams
from audiomnist.models.common.recurrent import mean_max_pool

CHANNELS = ((), (4,), (4, 6), (4, 6, 5))
HALVES = ("stride", "max_pool")


def convolutions(
    channels: tuple[int, ...], kernel: int = 3, downsampling: str = "stride", blocks: int = 0
) -> ConvStack:
    """Return convolutions with random weights, with so many blocks after each, to be asked."""
    torch.manual_seed(0)
    params = ConvStackParams(channels=channels, kernel_size=kernel, residual_blocks=(blocks,) * len(channels))
    return ConvStack(params, downsampling).eval()


def halved(size: int, times: int) -> int:
    """Return what is left of a size that is halved so often; of an odd one the larger half stays."""
    for _ in range(times):
        size = (size + 1) // 2
    return size


def spectra(clips: int, bands: int, frames: int) -> Tensor:
    """Return random spectra `(clips, bands, frames)`."""
    return torch.randn(clips, bands, frames, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("downsampling", HALVES)
@given(
    bands=st.integers(1, 41),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    kernel=st.integers(1, 9),
    blocks=st.integers(0, 2),
)
def test_each_layer_halves_bands_and_frames(
    channels: tuple[int, ...], downsampling: str, bands: int, lengths: list[int], kernel: int, blocks: int
) -> None:
    """With any kernel, size and number of blocks; `features` foretells how many numbers a step has."""
    layers = convolutions(channels, kernel, downsampling, blocks)
    with torch.inference_mode():
        steps, own = layers(spectra(len(lengths), bands, max(lengths)), torch.tensor(lengths))
    rows = halved(bands, len(channels))
    assert steps.shape == (len(lengths), halved(max(lengths), len(channels)), layers.features(bands))
    assert layers.features(bands) == rows * (channels[-1] if channels else 1)
    assert own.tolist() == [halved(length, len(channels)) for length in lengths]
    assert own.dtype == torch.int64
    assert steps.isfinite().all()


def test_without_channels_the_spectra_pass_through() -> None:
    """Frame by frame, each band a feature; there is nothing to train."""
    clips, lengths = spectra(3, 7, 11), torch.tensor([11, 4, 1])
    layers = convolutions((), blocks=3)
    steps, own = layers(clips, lengths)
    assert torch.equal(steps, clips.transpose(1, 2))
    assert torch.equal(own, lengths)
    assert not list(layers.parameters())


@pytest.mark.parametrize(("kernel", "downsampling"), list(product((1, 2, 3, 4), HALVES)))
def test_a_layer_is_a_convolution_a_normalisation_and_a_rectifier(kernel: int, downsampling: str) -> None:
    """Of a clip that fills the batch it is what PyTorch's own layers make, with zeros around the image."""
    layers = convolutions((5,), kernel, downsampling)
    (layer,) = layers.layers
    clips, lengths = spectra(2, 12, 16), torch.tensor([16, 16])
    before = (kernel - 1) // 2
    bare = nn.functional.pad(clips.unsqueeze(1), [before, kernel - 1 - before] * 2)
    with torch.inference_mode():
        weight = layer.get_parameter("conv.weight")
        activated = layer.get_submodule("norm")(nn.functional.conv2d(bare, weight)).relu()
        image = activated[:, :, ::2, ::2] if downsampling == "stride" else nn.functional.max_pool2d(activated, 2)
        expected = image.permute(0, 3, 1, 2).flatten(2)  # (clips, steps, channels * rows)
        steps, _ = layers(clips, lengths)
    torch.testing.assert_close(steps, expected, rtol=0, atol=1e-5)


def test_a_residual_block_adds_to_what_it_is_given() -> None:
    """Two convolutions of it, each channel weighted by what all of them hold in the mean; then a rectifier.

    With a last normalization of zeros the block hands on what it was given.
    """
    layers, bare = convolutions((6,), blocks=1), convolutions((6,))
    bare.load_state_dict(layers.state_dict(), strict=False)
    clips, lengths = spectra(2, 12, 16), torch.tensor([16, 16])
    block = layers.blocks[0].get_submodule("0")
    with torch.inference_mode():
        given_steps, _ = bare(clips, lengths)
        image = given_steps.unflatten(2, (6, 6)).permute(0, 2, 3, 1)  # (clips, channels, rows, steps)
        once = block.get_submodule("norm1")(
            nn.functional.conv2d(image, block.get_parameter("conv1.weight"), padding=1)
        ).relu()
        changed = block.get_submodule("norm2")(
            nn.functional.conv2d(once, block.get_parameter("conv2.weight"), padding=1)
        )
        weights = block.get_submodule("excite")(changed.mean(dim=(2, 3), keepdim=True))
        expected = (image + changed * weights).relu().permute(0, 3, 1, 2).flatten(2)
        made, _ = layers(clips, lengths)
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
        assert not torch.allclose(made, given_steps, atol=1e-2)
        for weight in block.get_submodule("norm2").parameters():
            weight.zero_()
        torch.testing.assert_close(layers(clips, lengths)[0], given_steps, rtol=0, atol=0)


@pytest.mark.parametrize("channels", CHANNELS[1:])
@pytest.mark.parametrize("downsampling", HALVES)
@pytest.mark.parametrize("blocks", [0, 2])
def test_what_follows_a_clips_end_changes_none_of_its_steps(
    channels: tuple[int, ...], downsampling: str, blocks: int
) -> None:
    """Zeros, rubbish or nothing at all, where the normalization makes something of zeros."""
    layers = convolutions(channels, 4, downsampling, blocks)
    for module in layers.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias)
    lengths = torch.tensor([13, 6, 1])
    clips = spectra(3, 9, 13)
    rubbish = clips.clone()
    rubbish[1, :, 6:], rubbish[2, :, 1:] = 1e3, -1e3
    with torch.inference_mode():
        made, own = layers(rubbish, lengths)
        for clip, length, steps, count in zip(clips, lengths.tolist(), made, own.tolist(), strict=True):
            alone, _ = layers(clip[None, :, :length], torch.tensor([length]))
            torch.testing.assert_close(steps[:count], alone[0], rtol=0, atol=1e-5)
        pooled = mean_max_pool(made, own)
        torch.testing.assert_close(pooled, mean_max_pool(*layers(clips, lengths)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("blocks", [0, 2])
def test_every_layer_learns(blocks: int) -> None:
    """A gradient reaches each weight, in training too."""
    layers = convolutions((16, 24), blocks=blocks).train()
    steps, own = layers(spectra(5, 9, 13), torch.tensor([13, 12, 5, 2, 7]))
    mean_max_pool(steps, own).square().sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in layers.parameters())
