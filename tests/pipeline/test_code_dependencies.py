"""Each stage depends on the packages that it imports, and on no others."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import grimp
import pytest
from dvc.repo import Repo

ROOT = Path(__file__).parents[2]
SOURCE = "src/audiomnist"
GRAPH = grimp.build_graph("audiomnist", exclude_type_checking_imports=True, cache_dir=None)
STAGES = {stage.addressing: stage for stage in Repo(str(ROOT)).index.stages}
PROTOCOLS, PAGE = "stages/protocols/dvc.yaml:", "stages/page/dvc.yaml:"
MODELS = ("cnn", "rnn", "lstm", "whisper")
MEMBERS = ("cnn", "whisper")
ALL_MODELS = (*MODELS, "cascade")
# Files in the folders of a training that it does not import: a change of one of these trains the model in vain.
# All of `core` is listed everywhere: it is small and rarely changes.
NOT_IMPORTED = {
    "train@cnn": {
        "corpus/protocol_splits.py",
        "features/extract.py",
        "features/mfcc.py",
        "features/params.py",
        "serving/bundle/code_version.py",
        "serving/bundle/session.py",
    },
    "train@rnn": {
        "corpus/protocol_splits.py",
        "features/extract.py",
        "features/mfcc.py",
        "features/params.py",
        "serving/bundle/code_version.py",
        "serving/bundle/session.py",
    },
    "train@lstm": {
        "corpus/protocol_splits.py",
        "models/common/conv.py",
        "models/common/spectrogram.py",
        "serving/bundle/code_version.py",
        "serving/bundle/session.py",
    },
    "train@whisper": {
        "corpus/protocol_splits.py",
        "logprobs/params.py",
        "models/common/conv.py",
        "models/common/params.py",
        "models/common/recurrent.py",
        "models/common/spectrogram.py",
        "serving/bundle/code_version.py",
        "serving/bundle/session.py",
    },
}


def test_the_protocols_are_few_stages() -> None:
    """One per protocol and model, and a report each."""
    found = {name.removeprefix(PROTOCOLS) for name in STAGES if name.startswith(PROTOCOLS)}
    kinds = {model: "cross-validate-members" if model in MEMBERS else "cross-validate" for model in MODELS}
    networks = {f"{kinds[model]}@{name}-{model}" for name in ("random", "official", "unseen") for model in MODELS}
    cascades = {f"cascade@{name}" for name in ("random", "official", "unseen")}
    linear = {f"linear@{name}" for name in ("random", "official", "unseen")}
    robustness = {f"robustness@{model}" for model in ALL_MODELS}
    reports = {"random", "official", "unseen", "learning-curve"}
    assert found == networks | cascades | linear | robustness | reports | {"cross-validate@learning-curve-cnn"}


def test_dvc_yaml_has_the_stages_of_the_flow() -> None:
    """The parametrized tests below see every stage."""
    models = {f"{stage}@{model}" for stage in ("train", "export", "evaluate") for model in MODELS}
    gates = {f"validate@{kind}" for kind in ("recordings", "features", "transcripts", "logprobs")}
    single = {"check", "ingest", "split", "featurize", "transcribe", "logprobs", "compare", "select"}
    single |= {"cascade", "evaluate-cascade"}
    page = {f"{PAGE}page"}
    assert {name for name in STAGES if not name.startswith(PROTOCOLS)} == models | gates | single | page


@pytest.mark.parametrize("name", sorted(STAGES))
def test_every_imported_file_lies_under_a_declared_dependency(name: str) -> None:
    """A stage runs again after a change of any code that it runs.

    A cross-validation repeats train, export and evaluate on other splits: it runs again if their code or parameters
    change the predictions of the main pipeline.
    """
    declared = _declared(name)
    if model := re.search(r"cross-validate\S*@.*-(\w+)$", name):
        assert f"data/predictions/{model[1]}.parquet" in [dep.def_path for dep in STAGES[name].deps]
        declared += [path for stage in ("train", "export", "evaluate") for path in _declared(f"{stage}@{model[1]}")]
    missing = {file for file in _closure(name) if not _covered(file, declared)}
    assert missing == set()


@pytest.mark.parametrize("name", sorted(STAGES))
def test_every_declared_dependency_holds_an_imported_file(name: str) -> None:
    """A stage does not run again after a change of code in a package that it does not use."""
    imported = _closure(name)
    assert [path for path in _declared(name) if not any(_covered(file, [path]) for file in imported)] == []


@pytest.mark.parametrize("name", sorted(NOT_IMPORTED))
def test_what_trains_a_model_in_vain_is_known(name: str) -> None:
    """The files of a training's folders that it does not import are few, and listed here."""
    files = {file.relative_to(ROOT / SOURCE).as_posix() for file in (ROOT / SOURCE).rglob("*.py")}
    extra = {file for file in files if _covered(file, _declared(name))} - _closure(name)
    packages = {file for file in extra if file.startswith("core/") or file.endswith("__init__.py")}
    assert extra - packages == NOT_IMPORTED[name]


def test_packages_import_nothing_when_they_are_imported() -> None:
    """Every `__init__.py` is a docstring: so a stage may list one module of a package without it."""
    for file in (ROOT / SOURCE).rglob("__init__.py"):
        (docstring,) = ast.parse(file.read_text(encoding="utf-8")).body
        assert isinstance(docstring, ast.Expr), file


def test_only_the_table_of_models_imports_by_name() -> None:
    """The static closure is the whole closure, but for the model that is asked for by name."""
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py")]
    dynamic = [
        file.relative_to(ROOT).as_posix()
        for file in files
        if re.search(r"import_module|__import__|\bexec\(", file.read_text(encoding="utf-8"))
    ]
    assert dynamic == [f"{SOURCE}/models/common/registry.py"]


def test_stage_scripts_hold_no_logic() -> None:
    """A stage script has at most 40 lines, at most one function, and neither a branch nor a loop in it."""
    for script in ROOT.glob("stages/*.py"):
        text = script.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 40, script
        functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        assert len(functions) <= 1, script
        kinds = {type(node) for function in functions for node in ast.walk(function)}
        assert not kinds & {ast.If, ast.For, ast.While, ast.Try, ast.IfExp}, script


def _declared(name: str) -> list[str]:
    """Return the code among a stage's dependencies, relative to the package; "" is all of it."""
    paths = [dep.def_path for dep in STAGES[name].deps]
    return [path.removeprefix(SOURCE).removeprefix("/") for path in paths if path.startswith(SOURCE)]


def _covered(file: str, declared: Iterable[str]) -> bool:
    return any(path in ("", file) or file.startswith(f"{path}/") for path in declared)


def _closure(name: str) -> set[str]:
    """Return the files that a stage's script imports, directly or not, relative to the package."""
    match = re.search(r"python -P (stages/\w+\.py)(?:.*? --model (?:models/)?(\w+) )?", STAGES[name].cmd)
    assert match is not None
    waiting = _imported(ROOT / match[1])
    if match[2] and "audiomnist.models.common.registry" in _reachable(waiting):
        waiting |= {f"audiomnist.models.{match[2]}"}
    return {_file(module) for module in _reachable(waiting) if not (ROOT / _path(module)).is_dir()}


def _imported(script: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & GRAPH.modules


def _reachable(modules: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += GRAPH.find_modules_directly_imported_by(module)
    return found


def _path(module: str) -> Path:
    return Path("src", *module.split("."))


def _file(module: str) -> str:
    return f"{_path(module).relative_to(SOURCE).as_posix()}.py"
