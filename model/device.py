"""Choice of the device to compute on, and of its fastest number format."""

import torch

from model.errors import ConfigError


def resolve_device(name: str = "auto") -> torch.device:
    """Finds the device of this name; `auto` is CUDA when there is a usable one, else the CPU.

    Raises:
        ConfigError: the device is unknown, CUDA was asked for and there is none, or there is none of that number.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device {name!r} is not one of auto, cpu, cuda, cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r} is not one of auto, cpu, cuda, cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} was asked for, but this machine has no usable CUDA device")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise ConfigError(f"device {name!r} was asked for, but the last CUDA device of this machine is cuda:{last}")
    return device


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the matrix unit takes it (CUDA from Ampere on, AMX, AVX512-BF16), else float32.

    On an older processor bfloat16 is emulated and three times slower than float32.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32
