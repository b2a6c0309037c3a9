"""The report that a pull request gets, written by the script of the workflow for a merge of two branches."""

import json
import shutil
from pathlib import Path

import committed
import pytest
from checkout import ROOT, Checkout, alter
from ruamel.yaml import YAML

pytestmark = pytest.mark.long

JOB = YAML(typ="safe", pure=True).load((ROOT / ".github" / "workflows" / "compare.yml").read_text())["jobs"]["report"]
(SCRIPT,) = (step["run"] for step in JOB["steps"] if step.get("name") == "write the report")
GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "digits/digits",
    "GITHUB_RUN_ID": "7",
    "GITHUB_STEP_SUMMARY": "summary.md",
}
CONFUSION = "reports/plots/cnn/confusion.png"


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """What is in git here, as branch `main` of another repository."""
    checkout = Checkout(Path(shutil.copytree(committed.ROOT, tmp_path_factory.mktemp("compare") / "repository")))
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.run("git", "config", "user.name", "test")
    checkout.run("git", "config", "user.email", "test@example.org")
    checkout.commit("main")
    checkout.run("git", "checkout", "-q", "-b", "change")
    return checkout


def report(checkout: Checkout) -> str:
    """Merge the branch as GitHub does, run the script as it does; return the report."""
    checkout.run("git", "checkout", "-q", "--detach", "main")
    checkout.run("git", "merge", "-q", "--no-ff", "-m", "merge", "change")
    variables = [f"{name}={value}" for name, value in GITHUB.items()]
    checkout.run("env", *variables, "bash", "-e", "-c", SCRIPT)
    text = (checkout.folder / "comparison" / "report.md").read_text(encoding="utf-8")
    assert (checkout.folder / "summary.md").read_text(encoding="utf-8") == text
    return text


def test_it_has_what_changed(main: Checkout) -> None:
    """Metrics, parameters, every model on unseen speakers, and the plots that differ; nothing is pulled."""
    metrics = main.folder / "reports/metrics/cnn.json"
    metrics.write_text(json.dumps({"cnn": json.loads(metrics.read_text())["cnn"] | {"accuracy": 0.5}}))
    alter(main.folder / "params.yaml", {"models": {"cnn": {"dropout": 0.3}}})
    shutil.copyfile(main.folder / "reports/plots/rnn/confusion.png", main.folder / CONFUSION)
    main.commit("dropout")
    text = report(main)
    rows = {
        cells[2]: cells for line in text.splitlines() if len(cells := [cell.strip() for cell in line.split("|")]) > 3
    }
    assert float(rows["cnn.accuracy"][4]) == 0.5
    assert float(rows["models.cnn.dropout"][4]) == 0.3
    assert rows["3,000"][-2] == "1"  # no prediction differs
    for commit in ("before", "after"):
        sha = main.run("git", "rev-parse", commit).strip()
        assert f'src="https://github.example/digits/digits/raw/{sha}/{CONFUSION}"' in text
    assert text.count("<img") == 2
    page = (main.folder / "comparison" / "plots" / "index.html").read_text(encoding="utf-8")
    assert "confusion (cnn)" in page
