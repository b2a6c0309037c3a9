"""A trained model on disk: its weights as safetensors, and a description in JSON."""

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from audiomnist.models.common.ood import MahalanobisDistance, OodClassifier
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import BundleError, Training

WEIGHTS = "weights.safetensors"
_DISTANCE = "distance."


def save(folder: Path, judged: OodClassifier, description: Training) -> None:
    """Write weights and description into a folder that exists."""
    weights = {name: tensor.contiguous() for name, tensor in judged.state_dict().items()}
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(weights))
    bundle.write_description(folder, description)


def load(folder: Path) -> tuple[OodClassifier, Training]:
    """Return a trained model in evaluation mode, and its description.

    Raises:
        BundleError: the weights cannot be read, or are those of another network than the description names.
    """
    description = bundle.describe_training(folder)
    chosen = architecture(description.model)
    params = chosen.params.model_validate(description.parameters["model"])
    network = chosen.build(params, description.input.model_dump())
    try:
        weights = safetensors.torch.load_file(folder / WEIGHTS)
        parts = {name.removeprefix(_DISTANCE): weights[name] for name in weights if name.startswith(_DISTANCE)}
        judged = OodClassifier(network, MahalanobisDistance(**parts))
        judged.load_state_dict(weights)
    except (OSError, SafetensorError, TypeError, RuntimeError) as error:
        raise BundleError(f"{folder / WEIGHTS} are no weights of this {description.model}: {error}") from error
    return judged.eval(), description
