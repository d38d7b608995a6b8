"""What a benchmark ran on."""

import os
import platform
from pathlib import Path


def processor() -> str:
    """The processor's name, whether it computes in bfloat16, and the number of cores."""
    model, flags = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        flags = cpuinfo.read_text()
        names = [line.partition(":")[2].strip() for line in flags.splitlines() if "model name" in line]
        model = names[0] if names else model
    bf16 = "bf16 in hardware" if "avx512_bf16" in flags or "amx_bf16" in flags else "no bf16 in hardware"
    return f"{model}, {bf16}; {os.cpu_count()} cores"
