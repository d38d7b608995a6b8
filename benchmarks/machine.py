"""What a benchmark ran on, and the table that says so."""

import csv
import os
import platform
import time
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


def machine(about: str) -> str:
    return f"{processor()}; {about}; {platform.system()}; {time.strftime('%Y-%m-%d')}"


def write_table(path: Path, header: str, rows: list[dict], fields: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        file.write(f"# {header}\n")
        table = csv.DictWriter(file, fieldnames=fields)
        table.writeheader()
        table.writerows(rows)
