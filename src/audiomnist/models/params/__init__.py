"""The sections `models.*` of params.yaml, one module per model. They import no PyTorch."""
