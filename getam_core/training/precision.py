"""Which number format the forward passes of training compute in."""

import torch

from getam_core.errors import InputError


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether matrix products run in bfloat16; parameters, losses and maps stay float32.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        "auto" takes bfloat16 where the device multiplies it in hardware: CUDA from Ampere on, CPUs
        with AMX. Elsewhere it would be emulated, and slower than float32.

    Raises
    ------
    InputError
        "bfloat16" on a GPU that has none.
    """
    if precision == "float32":
        return False
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        if precision == "bfloat16" and not native:
            raise InputError(
                f"train.precision: bfloat16 is asked for, but {torch.cuda.get_device_name(device)}"
                " has none; use float32"
            )
        return native
    return precision == "bfloat16" or torch.cpu.get_capabilities().get("amx_bf16", False)
