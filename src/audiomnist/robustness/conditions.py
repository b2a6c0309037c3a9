"""The conditions of the robustness evaluation: every corruption at several strengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from audiomnist.audio.waveform import Waveform
from audiomnist.core.params import Section
from audiomnist.core.ranges import Range
from audiomnist.robustness import corruptions
from audiomnist.robustness.corruptions import TELEPHONE_RATE_HZ, Corruption


def _distinct(values: tuple[float, ...]) -> tuple[float, ...]:
    if len({f"{value:g}" for value in values}) < len(values):
        raise ValueError("two values are the same, to six digits")
    return values


_DISTINCT = AfterValidator(_distinct)
_Decibels = Annotated[float, Field(ge=-60, le=60)]
_Factor = Annotated[float, Field(ge=0.25, le=4)]
_Rate = Annotated[int, Field(ge=4000, le=192_000)]
_Seconds = Annotated[float, Field(gt=0, le=10)]
_Percent = Annotated[float, Field(gt=0, lt=100)]
_Offset = Annotated[float, Field(gt=-1, lt=1)]
_HeaderBytes = Annotated[int, Field(ge=2, le=44, multiple_of=2)]
_TelephoneHz = Annotated[float, Field(gt=0, lt=TELEPHONE_RATE_HZ / 2)]


class RobustnessParams(Section):
    """Section `robustness`; an empty list of strengths leaves that corruption out.

    Attributes:
        clips: maximum of test clips, evenly spaced in the order of the split.
        seed: seed of all draws (>= 0).
        snr_db: level of the speech above white noise, pink noise and babble.
        babble_voices: number of other clips that are mixed to babble.
        gain_db: change of level.
        speed_factor: change of tempo and pitch together.
        telephone_band_hz: lower and upper edge of the telephone band.
        source_rate_hz: sample rates of other recorders.
        leading_silence_s: silence before the speech.
        leading_silence_dbfs: root mean square of that silence, in dB below full scale.
        clipped_percent: minimum of the samples at full scale, in percent.
        surrounding_s: silence on both sides of the speech, for the five conditions that follow.
        offset: constant that is added to all samples; full scale is 1.
        hum_snr_db: level of the speech above mains hum.
        room_snr_db: level of the speech above the noise of a room.
        click_before_s: time between a click and the speech, below `surrounding_s`.
        header_bytes: bytes of a WAV header that was read as samples.
    """

    clips: int = Field(ge=1)
    seed: int = Field(ge=0)
    snr_db: Annotated[tuple[_Decibels, ...], _DISTINCT]
    babble_voices: int = Field(ge=1, le=100)
    gain_db: Annotated[tuple[_Decibels, ...], _DISTINCT]
    speed_factor: Annotated[tuple[_Factor, ...], _DISTINCT]
    telephone_band_hz: Annotated[Range[_TelephoneHz], _DISTINCT]
    source_rate_hz: Annotated[tuple[_Rate, ...], _DISTINCT]
    leading_silence_s: Annotated[tuple[_Seconds, ...], _DISTINCT]
    leading_silence_dbfs: float = Field(ge=-120, le=0)
    clipped_percent: Annotated[tuple[_Percent, ...], _DISTINCT]
    surrounding_s: _Seconds
    offset: Annotated[tuple[_Offset, ...], _DISTINCT]
    hum_snr_db: Annotated[tuple[_Decibels, ...], _DISTINCT]
    room_snr_db: Annotated[tuple[_Decibels, ...], _DISTINCT]
    click_before_s: Annotated[tuple[_Seconds, ...], _DISTINCT]
    header_bytes: Annotated[tuple[_HeaderBytes, ...], _DISTINCT]

    @model_validator(mode="after")
    def _click_is_in_the_silence(self) -> Self:
        if max(self.click_before_s, default=0) >= self.surrounding_s:
            raise ValueError("click_before_s must be below surrounding_s")
        return self


@dataclass(frozen=True)
class Condition:
    """One corruption at one strength.

    Attributes:
        kinds: name of the corruption, from general to specific: `("noise", "white")`; empty for the clean clip.
        strength: label in the plot: `SNR 20 dB`.
        corrupt: returns the corrupted waveform.
    """

    kinds: tuple[str, ...]
    strength: str
    corrupt: Corruption

    @property
    def path(self) -> tuple[str, ...]:
        """Kinds and strength as keys without dots: `("noise", "white", "snr_20_db")`."""
        return (*self.kinds, _key(self.strength))


def conditions(params: RobustnessParams, others: Sequence[Waveform]) -> list[Condition]:
    """Return the clean condition and all others, in a fixed order; babble is made of `others`."""
    babble = partial(corruptions.add_babble, others=others, voices=params.babble_voices)
    silence = partial(corruptions.prepend_silence, level_dbfs=params.leading_silence_dbfs)
    surrounded = partial(partial, surrounding_s=params.surrounding_s)
    families: list[tuple[tuple[str, ...], str, Callable[..., Waveform], Sequence[Any]]] = [
        (("noise", "white"), "SNR {:g} dB", corruptions.add_white_noise, params.snr_db),
        (("noise", "pink"), "SNR {:g} dB", corruptions.add_pink_noise, params.snr_db),
        (("noise", "babble"), "SNR {:g} dB", babble, params.snr_db),
        (("level",), "{:+g} dB", corruptions.change_level, params.gain_db),
        (("speed",), "{:g}", corruptions.change_speed, params.speed_factor),
        (("telephone",), "{0[0]:g} to {0[1]:g} Hz", corruptions.pass_telephone, [params.telephone_band_hz]),
        (("source",), "{} Hz", corruptions.change_rate, params.source_rate_hz),
        (("silence",), "{:g} s", silence, params.leading_silence_s),
        (("clipping",), "{:g} %", corruptions.clip_peaks, params.clipped_percent),
        (("offset",), "{:g}", surrounded(corruptions.add_offset), params.offset),
        (("hum",), "SNR {:g} dB", surrounded(corruptions.add_hum), params.hum_snr_db),
        (("room",), "SNR {:g} dB", surrounded(corruptions.add_room_noise), params.room_snr_db),
        (("click",), "{:g} s", surrounded(corruptions.add_click), params.click_before_s),
        (("header",), "{} bytes", surrounded(corruptions.prepend_header), params.header_bytes),
    ]
    return [Condition((), "clean", corruptions.identity)] + [
        Condition(kinds, label.format(strength), partial(corrupt, strength))
        for kinds, label, corrupt, strengths in families
        for strength in strengths
    ]


def _key(label: str) -> str:
    """Return a label as a key without dots, at which DVC splits keys.

    >>> _key("SNR 20 dB"), _key("-30 dB"), _key("+6 dB"), _key("0.8"), _key("5 %")
    ('snr_20_db', 'minus_30_db', 'plus_6_db', '0_8', '5_percent')
    """
    words = label.lower().replace("-", "minus ").replace("+", "plus ").replace("%", "percent")
    return words.replace(" ", "_").replace(".", "_")
