"""Under which conditions a model is judged: every disturbance at several strengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from audiomnist.audio.waveform import Waveform
from audiomnist.core.params import Section
from audiomnist.robustness import corruptions
from audiomnist.robustness.corruptions import TELEPHONE_RATE_HZ, Disturb


def _each_once(strengths: tuple[float, ...]) -> tuple[float, ...]:
    if len({f"{strength:g}" for strength in strengths}) < len(strengths):
        raise ValueError("each strength stands here once, to six digits")
    return strengths


def _ordered(band_hz: tuple[float, float]) -> tuple[float, float]:
    if band_hz[0] >= band_hz[1]:
        raise ValueError("the lower bound stands first")
    return band_hz


_EACH_ONCE = AfterValidator(_each_once)
_Decibels = Annotated[float, Field(ge=-60, le=60)]
_Factor = Annotated[float, Field(ge=0.25, le=4)]
_Rate = Annotated[int, Field(ge=4000, le=192_000)]
_Seconds = Annotated[float, Field(gt=0, le=10)]
_Percent = Annotated[float, Field(gt=0, lt=100)]
_TelephoneHz = Annotated[float, Field(gt=0, lt=TELEPHONE_RATE_HZ / 2)]


class RobustnessParams(Section):
    """Section `robustness`; each list of strengths may be empty, which leaves the disturbance out.

    Attributes:
        clips: test clips that are disturbed, at most, evenly spaced in the order of the split.
        seed: of all draws (>= 0).
        snr_db: level of the speech above white noise, pink noise and babble.
        babble_voices: other clips that make up the babble behind one.
        gain_db: change of level.
        speed_factor: change of tempo and pitch together.
        telephone_band_hz: lower and upper edge of what a telephone lets through.
        source_rate_hz: sample rates of other recorders.
        leading_silence_s: silence before the speech.
        leading_silence_dbfs: root mean square of that silence, in dB below full scale.
        clipped_percent: share of the samples that lie at full scale, at least, in percent.
    """

    clips: int = Field(ge=1)
    seed: int = Field(ge=0)
    snr_db: Annotated[tuple[_Decibels, ...], _EACH_ONCE]
    babble_voices: int = Field(ge=1, le=100)
    gain_db: Annotated[tuple[_Decibels, ...], _EACH_ONCE]
    speed_factor: Annotated[tuple[_Factor, ...], _EACH_ONCE]
    telephone_band_hz: Annotated[tuple[_TelephoneHz, _TelephoneHz], AfterValidator(_ordered)]
    source_rate_hz: Annotated[tuple[_Rate, ...], _EACH_ONCE]
    leading_silence_s: Annotated[tuple[_Seconds, ...], _EACH_ONCE]
    leading_silence_dbfs: float = Field(ge=-120, le=0)
    clipped_percent: Annotated[tuple[_Percent, ...], _EACH_ONCE]


@dataclass(frozen=True)
class Condition:
    """One disturbance at one strength.

    Attributes:
        kinds: which disturbance, from the general to the special: `("noise", "white")`; none for the clean clip.
        strength: for people: `SNR 20 dB`.
        disturb: the disturbance.
    """

    kinds: tuple[str, ...]
    strength: str
    disturb: Disturb

    @property
    def path(self) -> tuple[str, ...]:
        """Kinds and strength as keys without dots: `("noise", "white", "snr_20_db")`."""
        return (*self.kinds, _key(self.strength))


def conditions(how: RobustnessParams, others: Sequence[Waveform]) -> list[Condition]:
    """Return the clean clip and all that happens to it, in a fixed order; `others` babble behind it."""
    babble = partial(corruptions.add_babble, others=others, voices=how.babble_voices)
    silence = partial(corruptions.precede_with_silence, level_dbfs=how.leading_silence_dbfs)
    families: list[tuple[tuple[str, ...], str, Callable[..., Waveform], Sequence[Any]]] = [
        (("noise", "white"), "SNR {:g} dB", corruptions.add_white_noise, how.snr_db),
        (("noise", "pink"), "SNR {:g} dB", corruptions.add_pink_noise, how.snr_db),
        (("noise", "babble"), "SNR {:g} dB", babble, how.snr_db),
        (("level",), "{:+g} dB", corruptions.change_level, how.gain_db),
        (("speed",), "{:g}", corruptions.change_speed, how.speed_factor),
        (("telephone",), "{0[0]:g} to {0[1]:g} Hz", corruptions.pass_telephone, [how.telephone_band_hz]),
        (("source",), "{} Hz", corruptions.change_rate, how.source_rate_hz),
        (("silence",), "{:g} s", silence, how.leading_silence_s),
        (("clipping",), "{:g} %", corruptions.overdrive, how.clipped_percent),
    ]
    return [Condition((), "clean", corruptions.leave)] + [
        Condition(kinds, told.format(strength), partial(disturb, strength))
        for kinds, told, disturb, strengths in families
        for strength in strengths
    ]


def _key(told: str) -> str:
    """Return what is told as a key: DVC parts keys at dots.

    >>> _key("SNR 20 dB"), _key("-30 dB"), _key("+6 dB"), _key("0.8"), _key("5 %")
    ('snr_20_db', 'minus_30_db', 'plus_6_db', '0_8', '5_percent')
    """
    words = told.lower().replace("-", "minus ").replace("+", "plus ").replace("%", "percent")
    return words.replace(" ", "_").replace(".", "_")
