"""The reports of the longer protocols: by hand, and what they refuse to compare."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audiomnist.core import params
from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.params import ParamsError
from audiomnist.corpus.protocol_splits import BootstrapParams
from audiomnist.evaluation import metrics
from audiomnist.protocols import summarize
from audiomnist.protocols.predictions import ProtocolError

PNG = b"\x89PNG\r\n\x1a\n"
MODELS = ("rnn", "cnn")
SPEAKERS = ("ada", "bob", "eve")
HOW = BootstrapParams(seed=0, resamples=500)


def put(folder: Path, split: str, model: str, wrong: int, speakers: Sequence[str] = SPEAKERS, start: int = 0) -> Path:
    """Write predictions of ten clips of each speaker, of which some are `wrong` from the digit `start` on."""
    rows = [(f"{digit}_{speaker}_0.wav", speaker, digit) for speaker in speakers for digit in range(10)]
    table = pd.DataFrame(rows, columns=["file", "speaker", "digit"])
    missed = table["digit"].between(start, start + wrong - 1)
    table["predicted"] = (table["digit"] + missed) % 10
    probabilities = np.full((len(table), 10), 0.02)
    probabilities[np.arange(len(table)), table["predicted"]] = 0.82
    table[PROBABILITIES] = probabilities.astype(np.float32)
    path = folder / split / f"{model}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.sample(frac=1, random_state=wrong).to_parquet(path, index=False)
    return path


def put_unseen(folder: Path) -> list[Path]:
    """Write predictions of two models, of which one errs more with each speaker, and the other always twice."""
    return [
        *(put(folder, f"unseen_{speaker}", "rnn", place, [speaker]) for place, speaker in enumerate(SPEAKERS)),
        *(put(folder, f"unseen_{speaker}", "cnn", 2, [speaker], start=5) for speaker in SPEAKERS),
    ]


def put_heard(folder: Path) -> list[Path]:
    """Write predictions of a model that errs less, the more speakers it heard."""
    heard = [put(folder, f"heard_1_{speaker}", "cnn", 4 + place, [speaker]) for place, speaker in enumerate(SPEAKERS)]
    return [
        *heard,
        *(put(folder, f"unseen_{speaker}", "cnn", place, [speaker]) for place, speaker in enumerate(SPEAKERS)),
    ]


def report_unseen(predictions: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the report on unseen speakers; return its JSON."""
    summarize.unseen(predictions, HOW, out / "unseen.json", out / "unseen.png", out / "unseen.csv")
    return read_json(out / "unseen.json")


def report_seeds(predictions: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the report on random splits; return its JSON."""
    summarize.seeds(predictions, out / "random.json", out / "random.csv")
    return read_json(out / "random.json")


def report_official(predictions: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the report on the official split; return its JSON."""
    summarize.official(predictions, out / "official.json")
    return read_json(out / "official.json")


def report_curve(predictions: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the learning curve; return its JSON."""
    summarize.learning_curve(predictions, out / "curve.json", out / "curve.csv", out / "curve.png")
    return read_json(out / "curve.json")


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_unseen_speakers_by_hand(tmp_path: Path) -> None:
    """Of ten clips each, the rnn misses none, one and two of the three speakers, and the cnn two of each."""
    found = report_unseen(put_unseen(tmp_path), tmp_path)
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
    found = report_unseen(put_unseen(tmp_path), tmp_path)
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
    twins = [put(tmp_path, f"unseen_{speaker}", model, 3, [speaker]) for model in MODELS for speaker in SPEAKERS]
    found = report_unseen(twins, tmp_path)
    assert found["difference"]["rnn_cnn"] == {"mean": 0, "low": 0, "high": 0, "mcnemar_p": 1}
    assert found["rnn"] == found["cnn"]


def test_the_table_of_unseen_speakers_has_a_row_per_model_and_speaker(tmp_path: Path) -> None:
    """With Wilson's interval of the speaker's clips."""
    report_unseen(put_unseen(tmp_path), tmp_path)
    table = pd.read_csv(tmp_path / "unseen.csv")
    assert list(table) == ["model", "speaker", "accuracy", "accuracy_low", "accuracy_high", "clips"]
    assert table[["model", "speaker"]].to_numpy().tolist() == [[m, s] for m in MODELS for s in SPEAKERS]
    low, high = metrics.wilson_interval(9, 10)
    of_bob = table[(table["model"] == "rnn") & (table["speaker"] == "bob")].iloc[0]
    assert of_bob.tolist()[2:] == pytest.approx([0.9, low, high, 10], abs=1e-6)


def test_random_splits_by_hand(tmp_path: Path) -> None:
    """Seeds stand in the order of their numbers; means are over the splits."""
    paths = [put(tmp_path, f"random_{seed}", "cnn", wrong) for seed, wrong in ((10, 1), (2, 3))]
    paths += [put(tmp_path, f"random_{seed}", "linear", 4, start=6) for seed in (2, 10)]
    found = report_seeds(paths, tmp_path)
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
    table = pd.read_csv(tmp_path / "random.csv")
    assert list(table) == ["model", "seed", "accuracy", "accuracy_low", "accuracy_high", "clips"]
    assert table["seed"].tolist() == [2, 10, 2, 10]
    assert table["clips"].tolist() == [30] * 4


def test_the_official_split_has_the_scores_of_each_model(tmp_path: Path) -> None:
    """Those of `evaluation.scores`, and what tells two models apart."""
    paths = [put(tmp_path, "official", "cnn", 1), put(tmp_path, "official", "rnn", 2, start=4)]
    found = report_official(paths, tmp_path)
    for path, model in zip(paths, ("cnn", "rnn"), strict=True):
        scored = metrics.scores(pd.read_parquet(path))
        assert found[model] == metrics.rounded(scored | {"accuracy_as_trained": scored["accuracy"]})
    alone = [True] * 6 + [False] * 3
    p_value = metrics.mcnemar_p(alone, [not right for right in alone])
    assert found["difference"] == {"cnn_rnn": {"accuracy": 0.1, "mcnemar_p": pytest.approx(p_value, abs=1e-6)}}


@pytest.mark.parametrize(
    ("report", "splits", "key"),
    [
        (report_unseen, ["unseen_ada", "unseen_bob", "unseen_eve"], "mean_as_trained"),
        (report_seeds, ["random_0", "random_1"], "mean_as_trained"),
        (report_official, ["official"], "accuracy_as_trained"),
    ],
)
def test_what_the_graphs_said_before_they_were_compiled_is_told_beside(
    tmp_path: Path, report: Any, splits: list[str], key: str
) -> None:
    """Where they said something else; a model without a graph is the same before and after."""
    speakers = {f"unseen_{speaker}": [speaker] for speaker in SPEAKERS}
    paths = [
        put(tmp_path, split, model, 1, speakers.get(split, SPEAKERS)) for split in splits for model in ("cnn", "linear")
    ]
    before = report(paths, tmp_path)
    for path in paths[::2]:
        table = pd.read_parquet(path)
        table["predicted_as_trained"] = (table["digit"] + (table.index < 3)) % 10
        table.to_parquet(path, index=False)
    after = report(paths, tmp_path)
    share = 1 - 3 / len(table)
    assert after["cnn"] == before["cnn"] | {key: pytest.approx(share, abs=1e-6)}
    assert after["linear"] == before["linear"]
    assert after["linear"][key] == after["linear"][key.removesuffix("_as_trained")]


def test_the_learning_curve_by_hand(tmp_path: Path) -> None:
    """Where all others trained the model, these are as many as there are speakers, less one."""
    found = report_curve(put_heard(tmp_path), tmp_path)
    assert found == {
        "cnn": {
            "speakers_1": {"mean": 0.5, "worst": 0.4, "speaker": {"ada": 0.6, "bob": 0.5, "eve": 0.4}},
            "speakers_2": {"mean": 0.9, "worst": 0.8, "speaker": {"ada": 1.0, "bob": 0.9, "eve": 0.8}},
        }
    }
    table = pd.read_csv(tmp_path / "curve.csv")
    assert list(table) == ["training_speakers", "speaker", "accuracy"]
    assert table["training_speakers"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["accuracy"].tolist() == [0.6, 0.5, 0.4, 1.0, 0.9, 0.8]


def test_reports_are_the_same_bytes_twice(tmp_path: Path) -> None:
    """JSON, tables and pictures; the novelty of sounds, which the linear baseline does not tell, is not asked for."""
    unseen, heard = put_unseen(tmp_path / "a"), put_heard(tmp_path / "b")
    for run in ("one", "two"):
        report_unseen(unseen, tmp_path / run)
        report_curve(heard, tmp_path / run)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert written == ["curve.csv", "curve.json", "curve.png", "unseen.csv", "unseen.json", "unseen.png"]
    for name in written:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert name.endswith(".png") == (tmp_path / "one" / name).read_bytes().startswith(PNG)


def test_the_order_of_the_files_changes_the_order_of_the_models_alone(tmp_path: Path) -> None:
    """And with it the sign of their difference; intervals stay, for they depend on no other model."""
    paths = put_unseen(tmp_path)
    forth, back = report_unseen(paths, tmp_path / "forth"), report_unseen(paths[::-1], tmp_path / "back")
    assert forth["rnn"] == back["rnn"]
    assert forth["cnn"] == back["cnn"]
    assert forth["difference"]["rnn_cnn"]["mcnemar_p"] == back["difference"]["cnn_rnn"]["mcnemar_p"]
    there, here = forth["difference"]["rnn_cnn"], back["difference"]["cnn_rnn"]
    assert (there["mean"], there["low"], there["high"]) == pytest.approx((-here["mean"], -here["high"], -here["low"]))


@pytest.mark.parametrize(
    ("report", "split"),
    [
        (report_unseen, "random_0"),
        (report_unseen, "unseen_"),
        (report_seeds, "random_x"),
        (report_seeds, "unseen_ada"),
        (report_official, "officially"),
        (report_curve, "heard_0_ada"),
        (report_curve, "heard_ada"),
        (report_curve, "official"),
    ],
)
def test_a_name_that_is_that_of_no_split_is_told(report: Any, split: str, tmp_path: Path) -> None:
    """With the names that the report knows."""
    path = put(tmp_path, split, "cnn", 0, ["ada"])
    with pytest.raises(
        ProtocolError, match=rf"{split}/cnn\.parquet is in a folder named like no split of this report: \w+"
    ):
        report([path], tmp_path)


def test_models_that_were_judged_on_different_clips_are_not_compared(tmp_path: Path) -> None:
    """The model, how many clips it lacks and one of them are told."""
    paths = [put(tmp_path, "official", model, 0) for model in MODELS]
    pd.read_parquet(paths[1]).query("file != '4_bob_0.wav'").to_parquet(paths[1], index=False)
    with pytest.raises(ProtocolError, match=r"no prediction of cnn for 1 clips .*4_bob_0\.wav"):
        report_official(paths, tmp_path)
    assert not (tmp_path / "official.json").exists()


def test_models_that_take_different_truths_for_granted_are_not_compared(tmp_path: Path) -> None:
    """The same file with another digit is another clip."""
    paths = [put(tmp_path, "official", model, 0) for model in MODELS]
    table = pd.read_parquet(paths[0])
    table.assign(digit=(table["digit"] + 1) % 10).to_parquet(paths[0], index=False)
    with pytest.raises(ProtocolError, match=r"no prediction of rnn for 30 clips .*judged on the same clips"):
        report_official(paths, tmp_path)


@pytest.mark.parametrize("left_out", range(6))
def test_a_model_that_is_missing_for_one_speaker_is_told(left_out: int, tmp_path: Path) -> None:
    """Whichever it is."""
    paths = put_unseen(tmp_path)
    missing = paths.pop(left_out)
    speaker = missing.parent.name.removeprefix("unseen_")
    with pytest.raises(ProtocolError, match=rf"no prediction of {missing.stem} for 10 clips .*{speaker}"):
        report_unseen(paths, tmp_path)


@pytest.mark.parametrize("left_out", range(6))
def test_a_speaker_that_is_missing_from_the_learning_curve_is_told(left_out: int, tmp_path: Path) -> None:
    """With the number of training speakers for which it is missing."""
    paths = put_heard(tmp_path)
    missing = paths.pop(left_out)
    count, speaker = 1 + left_out // 3, missing.parent.name.rpartition("_")[2]
    with pytest.raises(ProtocolError, match=rf"no predictions for {speaker} where training_speakers is {count}: dvc"):
        report_curve(paths, tmp_path)


def test_a_speaker_that_is_missing_from_a_random_split_is_told(tmp_path: Path) -> None:
    """With the seed."""
    paths = [put(tmp_path, "random_0", "cnn", 0), put(tmp_path, "random_1", "cnn", 0, ["ada", "eve"])]
    with pytest.raises(ProtocolError, match=r"no predictions for bob where seed is 1: dvc repro"):
        report_seeds(paths, tmp_path)


def test_a_learning_curve_of_two_models_is_refused(tmp_path: Path) -> None:
    """Its table has no column for them."""
    with pytest.raises(ProtocolError, match="of one model, and there are predictions of rnn, cnn"):
        report_curve(put_unseen(tmp_path), tmp_path)


def test_clips_of_another_speaker_than_the_name_says_are_told(tmp_path: Path) -> None:
    """Else one speaker's clips could be taken for unseen that were heard."""
    path = put(tmp_path, "unseen_ada", "cnn", 0, ["ada", "bob"])
    with pytest.raises(ProtocolError, match=r"unseen_ada/cnn\.parquet has clips of bob"):
        report_unseen([path], tmp_path)


def test_a_file_named_twice_is_told(tmp_path: Path) -> None:
    """Its clips would count double."""
    path = put(tmp_path, "official", "cnn", 0)
    with pytest.raises(ProtocolError, match=r"two predictions for .*cnn.*each clip is to be predicted once"):
        report_official([path, path], tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_predictions_that_cannot_be_read_are_told(content: bytes | None, tmp_path: Path) -> None:
    """Absent, empty or no Parquet."""
    path = put(tmp_path, "official", "cnn", 0)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProtocolError, match=r"no predictions can be read from .*cnn\.parquet .*dvc repro"):
        report_official([path], tmp_path)


def test_predictions_without_probabilities_are_told(tmp_path: Path) -> None:
    """They cannot be held against how sure a model was."""
    path = put(tmp_path, "official", "cnn", 0)
    pd.read_parquet(path).drop(columns="p7").to_parquet(path, index=False)
    with pytest.raises(ProtocolError, match=r"no predictions can be read from .*p7"):
        report_official([path], tmp_path)


@pytest.mark.parametrize("report", [report_unseen, report_seeds, report_official, report_curve])
def test_there_is_no_report_on_nothing(report: Any, tmp_path: Path) -> None:
    """The option that is missing is told."""
    with pytest.raises(ProtocolError, match="--predictions names each file"):
        report([], tmp_path)


@pytest.mark.parametrize("mistake", ["{seed: -1, resamples: 1000}", "{seed: 0, resamples: 10}", "{seed: 0}"])
def test_a_bootstrap_that_cannot_be_is_a_mistake(mistake: str, tmp_path: Path) -> None:
    """Too few resamples have no tails."""
    (tmp_path / "params.yaml").write_text(f"protocols:\n  bootstrap: {mistake}\n", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"protocols\.bootstrap\.\w+: "):
        params.section(tmp_path / "params.yaml", "protocols.bootstrap", BootstrapParams)
