"""Layer-wise learning rates: what lies lower in a pre-trained network is more general and should move less.

Source: Howard & Ruder 2018 (ULMFiT), section 3.2, discriminative fine-tuning: the rate of layer l - 1 is that of layer
l over 2.6, a decay of 0.385.
"""

from model.network import RecurrentClassifier, stored_name


def layer_rates(network: RecurrentClassifier, decay: float) -> list[float]:
    """The factor of each parameter's learning rate, in the order of `network.parameters()`.

    The head and what pools have 1, the recurrent layer below them `decay`, the one below that its square, and so on
    through the convolution, if there is one, to the embedding.
    """
    return [decay ** _depth(stored_name(name), network) for name, _ in network.named_parameters()]


def _depth(name: str, network: RecurrentClassifier) -> int:
    """Number of layers above the parameter of this name."""
    num_layers = network.architecture.num_layers
    part, *rest = name.split(".")
    if part == "layers":
        return num_layers - int(rest[0])
    if part == "convolution":
        return num_layers + 1
    if part == "embedding":
        return num_layers + (1 if network.encoder.convolution is None else 2)
    return 0
