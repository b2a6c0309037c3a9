"""The reports of the longer protocols: by hand, and what they refuse to compare."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audiomnist.core.digits import PROBABILITIES
from audiomnist.corpus.protocol_splits import BootstrapParams, ProtocolSplit
from audiomnist.corpus.splits import SplitParams
from audiomnist.evaluation import metrics
from audiomnist.protocols import summarize
from audiomnist.protocols.predictions import ProtocolError, read, with_split

ROOT = Path(__file__).parents[3]
PNG = b"\x89PNG\r\n\x1a\n"
MODELS = ("rnn", "cnn")
EVERY = ("cnn", "rnn", "lstm", "whisper", "cascade", "linear")
SPEAKERS = ("ada", "bob", "eve")
BOOTSTRAP = BootstrapParams(seed=0, resamples=500)


def predictions(
    model: str, wrong: int, speakers: Sequence[str] = SPEAKERS, start: int = 0, **split: Any
) -> pd.DataFrame:
    """Return predictions of ten clips of each speaker, of which some are `wrong` from the digit `start` on."""
    clips = [(f"{digit}_{speaker}_0.wav", speaker, digit) for speaker in speakers for digit in range(10)]
    table = pd.DataFrame(clips, columns=["file", "speaker", "digit"])
    missed = table["digit"].between(start, start + wrong - 1)
    table["predicted"] = (table["digit"] + missed) % 10
    probabilities = np.full((len(table), 10), 0.02)
    probabilities[np.arange(len(table)), table["predicted"]] = 0.82
    table[PROBABILITIES] = probabilities.astype(np.float32)
    described = {"split": "official", "seed": 0, "max_train_speakers": None, "model": model} | split
    rows = pd.DataFrame([described] * len(table)).astype({"max_train_speakers": "Int64"})
    return pd.concat([table, rows], axis=1).sample(frac=1, random_state=wrong)


def put(folder: Path, *tables: pd.DataFrame) -> Path:
    """Write predictions, a file per model; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for model, table in pd.concat(tables).groupby("model"):
        table.drop(columns="model").to_parquet(folder / f"{model}.parquet", index=False)
    return folder


def unseen_tables() -> list[pd.DataFrame]:
    """Return predictions of two models, of which one errs more with each speaker, and the other always twice."""
    return [
        *(predictions("rnn", place, [speaker], split=speaker) for place, speaker in enumerate(SPEAKERS)),
        *(predictions("cnn", 2, [speaker], start=5, split=speaker) for speaker in SPEAKERS),
    ]


def curve_tables() -> list[pd.DataFrame]:
    """Return predictions of a model that errs less, the more speakers train it."""
    return [
        *(predictions("cnn", 4 + place, [name], max_train_speakers=1) for place, name in enumerate(SPEAKERS)),
        *(predictions("cnn", place, [name]) for place, name in enumerate(SPEAKERS)),
    ]


def clips_of(tables: Sequence[pd.DataFrame], folder: Path, models: Sequence[str] = MODELS) -> pd.DataFrame:
    """Write predictions and read them again."""
    return read([put(folder / "predictions", *tables)], models)


def report_unseen(tables: Sequence[pd.DataFrame], out: Path, models: Sequence[str] = MODELS) -> dict[str, Any]:
    """Return the report on unseen speakers."""
    report, _ = summarize.unseen(clips_of(tables, out, models), BOOTSTRAP)
    return rounded(report)


def report_random(tables: Sequence[pd.DataFrame], out: Path, models: Sequence[str] = MODELS) -> dict[str, Any]:
    """Return the report on random splits."""
    report, _ = summarize.random(clips_of(tables, out, models))
    return rounded(report)


def report_official(tables: Sequence[pd.DataFrame], out: Path, models: Sequence[str] = MODELS) -> dict[str, Any]:
    """Return the report on the official split."""
    return rounded(summarize.official(clips_of(tables, out, models)))


def report_curve(tables: Sequence[pd.DataFrame], out: Path, models: Sequence[str] = ("cnn",)) -> dict[str, Any]:
    """Return the learning curve."""
    report, _ = summarize.learning_curve(clips_of(tables, out, models))
    return rounded(report)


def rounded(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report as its JSON has it."""
    values: dict[str, Any] = json.loads(json.dumps(metrics.rounded(report)))
    return values


def test_unseen_speakers_by_hand(tmp_path: Path) -> None:
    """Of ten clips each, the rnn misses none, one and two of the three speakers, and the cnn two of each."""
    found = report_unseen(unseen_tables(), tmp_path)
    assert list(found) == ["rnn", "cnn", "difference"]
    rnn, cnn = found["rnn"], found["cnn"]
    assert rnn["speaker"] == {"ada": 1.0, "bob": 0.9, "eve": 0.8}
    assert (rnn["mean"], rnn["worst"]) == (0.9, 0.8)
    assert rnn["mean_low"] < 0.9 < rnn["mean_high"] <= 1
    assert rnn["ece"] == pytest.approx(0.9 - 0.82, abs=1e-6)
    assert 0 < rnn["macro_f1"] < 1
    assert cnn["speaker"] == dict.fromkeys(SPEAKERS, 0.8)


def test_the_difference_of_two_models_is_that_on_the_same_clips(tmp_path: Path) -> None:
    """First less second: the rnn alone misses three clips, the cnn alone six."""
    found = report_unseen(unseen_tables(), tmp_path)
    (pair,) = found["difference"]
    difference = found["difference"][pair]
    assert pair == "rnn_cnn"
    assert difference["mean"] == pytest.approx(0.1)
    assert difference["low"] < 0.1 < difference["high"]
    assert difference["mcnemar_p"] == pytest.approx(
        metrics.mcnemar_p([True] * 6 + [False] * 3, [False] * 6 + [True] * 3)
    )


def test_a_model_differs_from_its_twin_by_nothing(tmp_path: Path) -> None:
    """The same clips are drawn for both, so that the interval is a point."""
    twins = [predictions(model, 3, [speaker], split=speaker) for model in MODELS for speaker in SPEAKERS]
    found = report_unseen(twins, tmp_path)
    assert found["difference"]["rnn_cnn"] == {"mean": 0, "low": 0, "high": 0, "mcnemar_p": 1}
    assert found["rnn"] == found["cnn"]


def test_the_table_of_unseen_speakers_has_a_row_per_model_and_speaker(tmp_path: Path) -> None:
    """With Wilson's interval of the speaker's clips."""
    _, table = summarize.unseen(clips_of(unseen_tables(), tmp_path), BOOTSTRAP)
    assert list(table) == ["model", "speaker", "accuracy", "accuracy_low", "accuracy_high", "clips"]
    assert table[["model", "speaker"]].to_numpy().tolist() == [[m, s] for m in MODELS for s in SPEAKERS]
    low, high = metrics.wilson_interval(9, 10)
    of_bob = table[(table["model"] == "rnn") & (table["speaker"] == "bob")].iloc[0]
    assert of_bob.tolist()[2:] == pytest.approx([0.9, low, high, 10], abs=1e-6)


def test_random_splits_by_hand(tmp_path: Path) -> None:
    """Seeds are in the order of their numbers; means are over the splits."""
    tables = [predictions("cnn", wrong, seed=seed) for seed, wrong in ((10, 1), (2, 3))]
    tables += [predictions("linear", 4, start=6, seed=seed) for seed in (2, 10)]
    found = report_random(tables, tmp_path, ["cnn", "linear"])
    assert list(found) == ["cnn", "linear", "difference"]
    assert list(found["cnn"]["seed"].items()) == [("2", 0.7), ("10", 0.9)]
    assert (found["cnn"]["mean"], found["cnn"]["lowest"], found["cnn"]["highest"]) == (0.8, 0.7, 0.9)
    assert found["cnn"]["ece"] == pytest.approx((0.12 + 0.08) / 2, abs=1e-6)
    assert list(found["difference"]) == ["cnn_linear"]
    assert found["difference"]["cnn_linear"]["mean"] == pytest.approx(0.2)
    p_values = found["difference"]["cnn_linear"]["mcnemar_p"]
    for seed, missed in (("seed_2", 9), ("seed_10", 3)):
        alone = [True] * 12 + [False] * missed
        assert p_values[seed] == pytest.approx(metrics.mcnemar_p(alone, [not right for right in alone]), abs=1e-6)
    _, table = summarize.random(clips_of(tables, tmp_path, ["cnn", "linear"]))
    assert list(table) == ["model", "seed", "accuracy", "accuracy_low", "accuracy_high", "clips"]
    assert table["seed"].tolist() == [2, 10, 2, 10]
    assert table["clips"].tolist() == [30] * 4


def test_the_official_split_has_the_scores_of_each_model(tmp_path: Path) -> None:
    """Those of `metrics.scores`, and how two models differ."""
    tables = [predictions("cnn", 1), predictions("rnn", 2, start=4)]
    found = report_official(tables, tmp_path, ["cnn", "rnn"])
    for table, model in zip(tables, ("cnn", "rnn"), strict=True):
        assert found[model] == metrics.rounded(metrics.scores(table))
    alone = [True] * 6 + [False] * 3
    p_value = metrics.mcnemar_p(alone, [not right for right in alone])
    assert found["difference"] == {"cnn_rnn": {"accuracy": 0.1, "mcnemar_p": pytest.approx(p_value, abs=1e-6)}}


def test_the_learning_curve_by_hand(tmp_path: Path) -> None:
    """Where all others trained the model, these are as many as there are speakers, less one."""
    found = report_curve(curve_tables(), tmp_path)
    assert found == {
        "cnn": {
            "speakers_1": {"mean": 0.5, "worst": 0.4, "speaker": {"ada": 0.6, "bob": 0.5, "eve": 0.4}},
            "speakers_2": {"mean": 0.9, "worst": 0.8, "speaker": {"ada": 1.0, "bob": 0.9, "eve": 0.8}},
        }
    }
    _, table = summarize.learning_curve(clips_of(curve_tables(), tmp_path, ["cnn"]))
    assert list(table) == ["max_train_speakers", "speaker", "accuracy"]
    assert table["max_train_speakers"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["accuracy"].tolist() == [0.6, 0.5, 0.4, 1.0, 0.9, 0.8]


def test_reports_are_the_same_bytes_twice(tmp_path: Path) -> None:
    """JSON, tables and pictures."""
    tables = [predictions(model, wrong) for wrong, model in enumerate(EVERY)]
    folders = {
        "unseen": [put(tmp_path / "unseen", *tables)],
        "learning-curve": [put(tmp_path / "learning-curve", *curve_tables())],
    }
    for run in ("one", "two"):
        for protocol, paths in folders.items():
            out, table, plot = (tmp_path / run / f"{protocol}.{suffix}" for suffix in ("json", "csv", "png"))
            summarize.summarize(protocol, paths, ROOT / "params.yaml", out, table, plot)
    written = sorted(path.name for path in (tmp_path / "one").iterdir() if path.is_file())
    assert written == [f"{name}.{suffix}" for name in ("learning-curve", "unseen") for suffix in ("csv", "json", "png")]
    for name in written:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert name.endswith(".png") == (tmp_path / "one" / name).read_bytes().startswith(PNG)


def test_of_a_cascade_the_reports_say_how_often_it_asks(tmp_path: Path) -> None:
    """The share of all clips; of other models nothing."""
    asked = predictions("cascade", 1).assign(asked=lambda rows: rows["digit"] < 2)
    clips = clips_of([predictions("cnn", 2), asked.assign(split="ada", seed=0)], tmp_path, ("cnn", "cascade"))
    for report in (summarize.unseen(clips, BOOTSTRAP)[0], summarize.random(clips)[0], summarize.official(clips)):
        assert report["cascade"]["asked"] == 0.2
        assert "asked" not in report["cnn"]


def test_the_headline_has_mean_and_worst_of_each_network(tmp_path: Path) -> None:
    """As in the report, without the linear baseline."""
    tables = [predictions(model, wrong) for wrong, model in enumerate(EVERY)]
    folder, out, headline = put(tmp_path / "unseen", *tables), tmp_path / "report.json", tmp_path / "headline.json"
    summarize.summarize("unseen", [folder], ROOT / "params.yaml", out, headline=headline)
    report = json.loads(out.read_text(encoding="utf-8"))
    compared = {
        name: {key: report[name][key] for key in ("mean", "worst")}
        for name in ("cnn", "rnn", "lstm", "whisper", "cascade")
    }
    assert json.loads(headline.read_text(encoding="utf-8")) == {"unseen": compared}
    assert compared["rnn"] == {"mean": 0.9, "worst": 0.9}


def test_the_order_of_the_models_changes_nothing_else(tmp_path: Path) -> None:
    """And with it the sign of their difference; intervals stay, for they depend on no other model."""
    forth = report_unseen(unseen_tables(), tmp_path / "forth")
    back = report_unseen(unseen_tables(), tmp_path / "back", MODELS[::-1])
    assert forth["rnn"] == back["rnn"]
    assert forth["cnn"] == back["cnn"]
    assert forth["difference"]["rnn_cnn"]["mcnemar_p"] == back["difference"]["cnn_rnn"]["mcnemar_p"]
    there, here = forth["difference"]["rnn_cnn"], back["difference"]["cnn_rnn"]
    assert (there["mean"], there["low"], there["high"]) == pytest.approx((-here["mean"], -here["high"], -here["low"]))


def test_models_with_different_clips_are_not_compared(tmp_path: Path) -> None:
    """The error names the model, how many clips it lacks and one of them."""
    tables = [predictions("rnn", 0), predictions("cnn", 0).query("file != '4_bob_0.wav'")]
    with pytest.raises(ProtocolError, match=r"no prediction of cnn for 1 clips .*4_bob_0\.wav"):
        report_official(tables, tmp_path)


def test_models_with_different_digits_for_a_clip_are_not_compared(tmp_path: Path) -> None:
    """The same file with another digit is another clip."""
    rnn = predictions("rnn", 0)
    tables = [rnn.assign(digit=(rnn["digit"] + 1) % 10), predictions("cnn", 0)]
    with pytest.raises(ProtocolError, match=r"no prediction of rnn for 30 clips .*compared on the same clips"):
        report_official(tables, tmp_path)


@pytest.mark.parametrize("left_out", range(6))
def test_a_model_that_lacks_one_speaker_is_named(left_out: int, tmp_path: Path) -> None:
    """Whichever it is."""
    tables = unseen_tables()
    missing = tables.pop(left_out)
    model, speaker = missing.iloc[0][["model", "speaker"]]
    with pytest.raises(ProtocolError, match=rf"no prediction of {model} for 10 clips .*{speaker}"):
        report_unseen(tables, tmp_path)


@pytest.mark.parametrize("left_out", range(6))
def test_a_speaker_that_the_learning_curve_lacks_is_named(left_out: int, tmp_path: Path) -> None:
    """With the number of training speakers for which it is missing."""
    tables = curve_tables()
    speaker = tables.pop(left_out)["speaker"].iloc[0]
    count = 1 + left_out // 3
    with pytest.raises(ProtocolError, match=rf"no predictions for {speaker} where max_train_speakers is {count}: dvc"):
        report_curve(tables, tmp_path)


def test_a_speaker_that_a_random_split_lacks_is_named(tmp_path: Path) -> None:
    """With the seed."""
    tables = [predictions("cnn", 0, seed=0), predictions("cnn", 0, ["ada", "eve"], seed=1)]
    with pytest.raises(ProtocolError, match=r"no predictions for bob where seed is 1: dvc repro"):
        report_random(tables, tmp_path, ["cnn"])


def test_a_clip_that_a_model_predicts_twice_is_refused(tmp_path: Path) -> None:
    """It would count double."""
    with pytest.raises(ProtocolError, match=r"two predictions for .*cnn.*each model predicts each clip once"):
        report_official([predictions("cnn", 0), predictions("cnn", 0)], tmp_path, ["cnn"])


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_predictions_that_cannot_be_read_are_named(content: bytes | None, tmp_path: Path) -> None:
    """Absent, empty or no Parquet."""
    path = put(tmp_path, predictions("cnn", 0)) / "cnn.parquet"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProtocolError, match=r"no predictions can be read from .*cnn\.parquet .*dvc repro"):
        read([tmp_path], ["cnn"])


def test_predictions_without_probabilities_are_refused(tmp_path: Path) -> None:
    """Calibration cannot be computed without them."""
    folder = put(tmp_path, predictions("cnn", 0).drop(columns="p7"))
    with pytest.raises(ProtocolError, match=r"no predictions can be read from .*p7"):
        read([folder], ["cnn"])


def test_rows_name_their_split() -> None:
    """Its name, its seed, and how many speakers train, null for all."""
    base = SplitParams(
        scheme="speaker",
        seed=4,
        test_fraction=0.2,
        validation_fraction=0.1,
        test_speaker="ada",
        max_train_speakers=None,
    )
    for count in (None, 2):
        split = ProtocolSplit("ada", base.model_copy(update={"max_train_speakers": count}))
        table = with_split(pd.DataFrame({"file": ["a", "b"]}, index=[5, 9]), split)
        assert list(table) == ["split", "seed", "max_train_speakers", "file"]
        assert table[["split", "seed", "file"]].to_numpy().tolist() == [["ada", 4, "a"], ["ada", 4, "b"]]
        assert table["max_train_speakers"].isna().all() if count is None else (table["max_train_speakers"] == 2).all()
