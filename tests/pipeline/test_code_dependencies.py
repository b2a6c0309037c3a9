"""Each stage of both pipelines depends on exactly the code that it imports."""

import ast
import re
from pathlib import Path

import grimp
import pytest
from dvc.repo import Repo

ROOT = Path(__file__).parents[2]
GRAPH = grimp.build_graph("audiomnist", exclude_type_checking_imports=True, cache_dir=None)
STAGES = {stage.addressing: stage for stage in Repo(str(ROOT)).index.stages}
PROTOCOLS = "stages/protocols/dvc.yaml:"
MODELS = ("cnn", "rnn", "lstm")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def test_dvc_yaml_has_the_stages_of_the_design() -> None:
    """The parametrised tests below see every stage."""
    models = {f"{stage}@{model}" for stage in ("train", "compile", "evaluate") for model in MODELS}
    gates = {f"validate@{kind}" for kind in ("recordings", "features", "transcripts")}
    single = {"check", "ingest", "split", "featurize", "transcribe", "compare", "select"}
    assert {name for name in STAGES if not name.startswith(PROTOCOLS)} == models | gates | single


def test_the_protocols_are_those_of_the_design() -> None:
    """Random splits, upstream's own and each speaker unseen, by every model; robustness; the cnn's learning curve."""
    splits = {*(f"random_{seed}" for seed in range(5)), "official", *(f"unseen_{name}" for name in SPEAKERS)}
    stages = {"split", "linear", *(f"{verb}-{model}" for verb in ("train", "evaluate") for model in MODELS)}
    each = {f"{stage}@{split}" for stage in stages for split in splits}
    robust = {f"robustness@{model}" for model in MODELS}
    heard = {
        f"{verb}-heard@heard_{count}_{name}"
        for verb in ("train", "evaluate")
        for count in range(1, 5)
        for name in SPEAKERS
    }
    reports = {"random", "official", "unseen", "learning-curve"}
    found = {name.removeprefix(PROTOCOLS) for name in STAGES if name.startswith(PROTOCOLS)}
    assert found == each | robust | heard | reports


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_stage_depends_on_the_files_it_imports_and_on_no_other_code(name: str) -> None:
    """The code among the deps is the script and its import closure."""
    stage = STAGES[name]
    commands = [stage.cmd] if isinstance(stage.cmd, str) else stage.cmd
    matches = [re.search(r"python -P (stages/\w+\.py)(?: --model (\w+) )?", command) for command in commands]
    seeds: set[str] = set()
    for match in matches:
        assert match is not None
        seeds |= _imported(ROOT / match[1])
        if match[1] == "stages/train.py":
            seeds.add(f"audiomnist.models.{match[2]}")
    declared = {dep.def_path for dep in stage.deps if dep.def_path.endswith(".py")}
    assert declared == {*(match[1] for match in matches if match), *map(_file, _closure(seeds))}


def test_only_the_table_of_models_imports_by_name() -> None:
    """The static closure is the whole closure, but for the model that is asked for by name."""
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("stages/*.py")]
    dynamic = [
        file.relative_to(ROOT).as_posix()
        for file in files
        if re.search(r"import_module|__import__|\bexec\(", file.read_text())
    ]
    assert dynamic == ["src/audiomnist/models/__init__.py"]


def test_stage_scripts_hold_no_logic() -> None:
    """A stage script has at most 40 lines, one function, and neither a branch nor a loop."""
    for script in ROOT.glob("stages/*.py"):
        text = script.read_text()
        assert len(text.splitlines()) <= 40, script
        tree = ast.parse(text)
        (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        kinds = {type(node) for node in ast.walk(function)}
        assert not kinds & {ast.If, ast.For, ast.While, ast.Try, ast.IfExp}, script


def _imported(script: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & GRAPH.modules


def _closure(seeds: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(seeds)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting += GRAPH.find_modules_directly_imported_by(module)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
    return found


def _file(module: str) -> str:
    path = Path("src", *module.split("."))
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"
