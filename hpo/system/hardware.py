"""What this machine has: cores, memory, accelerator, and whether it computes in bf16."""

import os
import platform
from typing import Any

import psutil
import torch

from hpo.errors import ConfigError


def resolve_device(wanted: str) -> str:
    """The device to train on.

    Raises:
        ConfigError: CUDA is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda: torch finds no CUDA device here; valid: auto, cpu")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def precision_of(device: str) -> str:
    """bf16 where the processor multiplies in it, fp32 elsewhere: emulated bf16 is slower."""
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def n_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """The machine, for a study's manifest."""
    cuda = torch.cuda.is_available()
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": n_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
    }
