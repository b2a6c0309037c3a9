"""What pyproject.toml asks for is what is imported: in the base install and in each extra."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")

SCORER = ("audiomnist.cli.score", "audiomnist.cli.table")
RECOGNIZERS = "audiomnist.asr"
# What the scorer imports for `--engine ray`, `--rev`, `table report`, `table verify`, for models behind a recognizer,
# and for object stores.
OPTIONAL = (
    ("audiomnist.scoring.cluster.engine", "audiomnist.scoring.cluster.ray_pool"),
    ("audiomnist.scoring.command", "audiomnist.serving.revision"),
    ("audiomnist.cli.table", "audiomnist.night.page"),
    ("audiomnist.cli.table", "audiomnist.cli.verify_table"),
    ("audiomnist.serving.predictor", "audiomnist.asr.registry"),
    ("audiomnist.serving.predictor", "audiomnist.asr.params"),
    ("audiomnist.serving.predictor", "audiomnist.asr.first_token"),
    ("audiomnist.scoring.inbox.bucket", "obstore"),
    ("audiomnist.scoring.table.storage", "obstore"),
    ("audiomnist.storage.download", "obstore"),
    ("audiomnist.storage.store", "obstore"),
)
# Imported when a sound is put into a room, which no recognizer does.
AUGMENTATION = ("audiomnist.audio.augment", "scipy")
BROUGHT_BY_OTHERS = {"dvc-data", "huggingface-hub", "markupsafe", "scmrepo", "urllib3"}
NOT_IMPORTED = {
    "ruamel-yaml-clib",  # makes DVC faster
}


@pytest.fixture
def graph() -> grimp.ImportGraph:
    """Return what imports what, type checking apart."""
    return grimp.build_graph(
        "audiomnist", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def test_the_base_install_is_what_the_scorer_imports(graph: grimp.ImportGraph) -> None:
    """With a model over waveforms; no package is missing, and none is there for nothing."""
    for importer, imported in OPTIONAL:
        graph.remove_import(importer=importer, imported=imported)
    assert required() == imported_by(graph, SCORER)


def test_the_extra_asr_is_what_recognizers_import(graph: grimp.ImportGraph) -> None:
    """Beside the base install."""
    graph.remove_import(importer=AUGMENTATION[0], imported=AUGMENTATION[1])
    recognizers = imported_by(graph, [RECOGNIZERS, *graph.find_descendants(RECOGNIZERS)])
    assert required("asr") == recognizers - required()


def test_the_extra_review_is_what_the_review_imports(graph: grimp.ImportGraph) -> None:
    """Beside the base install."""
    for importer, imported in OPTIONAL:
        graph.remove_import(importer=importer, imported=imported)
    assert required("review") == imported_by(graph, ["audiomnist.cli.review"]) - required()


def test_the_extra_cluster_is_what_its_workers_import(graph: grimp.ImportGraph) -> None:
    """Beside the base install."""
    for importer, imported in OPTIONAL[1:]:
        graph.remove_import(importer=importer, imported=imported)
    assert required("cluster") == imported_by(graph, SCORER) - required()


def test_the_extra_pipeline_has_the_rest(graph: grimp.ImportGraph) -> None:
    """All that is imported anywhere else, and one package that is not."""
    everything = imported_by(graph, ["audiomnist", *graph.find_descendants("audiomnist")])
    only_for_review = required("review") - required("pipeline")
    extras = ("asr", "cloud", "cluster", "microphone")
    others = required().union(only_for_review, *map(required, extras))
    assert required("pipeline") == everything - others | NOT_IMPORTED


def test_the_extra_microphone_is_what_that_package_imports_itself(graph: grimp.ImportGraph) -> None:
    """Beside the base install; models behind a recognizer need the extra asr, too."""
    modules = graph.find_descendants("audiomnist.microphone")
    imported = set[str]().union(*map(graph.find_modules_directly_imported_by, modules))
    assert required("microphone") == packages(imported) - required()


def test_the_extra_cloud_is_what_object_stores_need(graph: grimp.ImportGraph) -> None:
    """The client alone: the modules that import it are there without it."""
    clients = {imported for _, imported in OPTIONAL if not imported.startswith("audiomnist.")}
    assert required("cloud") == packages(clients)
    assert graph.find_modules_that_directly_import("obstore") == {
        importer for importer, imported in OPTIONAL if imported == "obstore"
    }


def test_recognizers_are_imported_without_what_only_augmentation_needs() -> None:
    """The extra asr has no SciPy: the parameters of copies are read, and no copy is made."""
    program = "import sys; sys.modules['scipy'] = None; import audiomnist.cli.main, audiomnist.asr.registry"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("extra", ["Base", *PROJECT["optional-dependencies"]])
def test_every_dependency_is_explained(extra: str) -> None:
    """The page has a section for the base install and for each extra, with a row for each package and no others."""
    section = PAGE.partition(f"\n## {extra}\n")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)[2:]
    assert sorted(canonical(name) for cell in first_cells for name in cell.split(", ")) == sorted(
        required("" if extra == "Base" else extra)
    )


def required(extra: str = "") -> set[str]:
    """Return the packages that an extra adds, by default those of the base install; other extras in it apart."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {canonical(line) for line in lines if not line.startswith("audiomnist[")}


def imported_by(graph: grimp.ImportGraph, seeds: Iterable[str]) -> set[str]:
    """Return the packages that modules import, and the modules that they import, and so on."""
    return packages(set(seeds).union(*map(graph.find_upstream_modules, seeds)))


def packages(modules: Iterable[str]) -> set[str]:
    """Return the packages that some of the modules are of."""
    # The first is a name space of several; the second may not be installed.
    distributions = {**packages_distributions(), "ruamel": ["ruamel.yaml"], "pyaudio": ["pyaudio"]}
    found = {canonical(distributions[name][0]) for name in modules if name in distributions and name != "audiomnist"}
    return found - BROUGHT_BY_OTHERS


def canonical(requirement: str) -> str:
    """Return the name of a package as indexes write it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=[]", requirement)[0]).lower()
