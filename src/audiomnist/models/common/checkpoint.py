"""Trained models on disk: weights as safetensors, and their description in bundle.json."""

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from audiomnist.models.common.ood import MahalanobisDistance, OodClassifier
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle.description import BundleError, Training, describe_training, write_description

WEIGHTS = "weights.safetensors"
_DISTANCE = "distance."


def save(folder: Path, classifier: OodClassifier, description: Training) -> None:
    """Write weights and description into an existing folder."""
    weights = {name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(weights))
    write_description(folder, description)


def load(folder: Path) -> tuple[OodClassifier, Training]:
    """Return a trained model in evaluation mode, and its description.

    Raises:
        BundleError: the weights cannot be read or do not fit the network that the description names.
    """
    description = describe_training(folder)
    arch = architecture(description.model)
    params = arch.params.model_validate(description.parameters["model"])
    network = arch.build(params, description.input.model_dump())
    try:
        weights = safetensors.torch.load_file(folder / WEIGHTS)
        buffers = {name.removeprefix(_DISTANCE): weights[name] for name in weights if name.startswith(_DISTANCE)}
        classifier = OodClassifier(network, MahalanobisDistance(**buffers) if buffers else None)
        classifier.load_state_dict(weights)
    except (OSError, SafetensorError, TypeError, RuntimeError) as error:
        raise BundleError(f"{folder / WEIGHTS} are no weights of this {description.model}: {error}") from error
    return classifier.eval(), description
