"""The peer of `train_step.py`: COLA's training step of an EfficientNet, as one writes it in PyTorch's own modules."""

import math

import torch
from torch import nn
from torch.nn import functional

PROJECTION = 512


def training_step(spectrograms, sizes: dict, batch: int, channels_last: bool, bfloat16: bool, threads: int):
    """(a function that takes one step and gives its loss, the number of parameters)."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    encoder = efficientnet(**sizes).to(memory_format=layout).train()
    width = int(1280 * sizes.get("width", 1))
    head = nn.Sequential(nn.Linear(width, PROJECTION), nn.LayerNorm(PROJECTION, eps=1e-3), nn.Tanh())
    bilinear = nn.Parameter(0.05 * torch.randn(PROJECTION, PROJECTION))
    weights = [*encoder.parameters(), *head.parameters(), bilinear]
    optimiser = torch.optim.Adam(weights, 1e-3, eps=1e-7)
    images = torch.from_numpy(spectrograms)[:, None]
    right = torch.arange(batch)

    def step() -> float:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            anchors, positives = head(encoder(images).amax((2, 3))).chunk(2)
            loss = functional.cross_entropy((anchors @ bilinear @ positives.T).float(), right)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step, sum(weight.numel() for weight in weights)


def efficientnet(width: float = 1.0, depth: float = 1.0):
    """EfficientNet in PyTorch's modules, from the paper's table 1."""

    def scaled(filters: int) -> int:
        return max(8, int(filters * width + 4) // 8 * 8)  # exact for the widths above

    def normalised(channels: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)]

    def swished(channels: int) -> list[nn.Module]:
        return [*normalised(channels), nn.SiLU(inplace=True)]

    class Gate(nn.Module):
        def __init__(self, channels: int, reduced: int) -> None:
            super().__init__()
            layers = nn.Conv2d(channels, reduced, 1), nn.SiLU(), nn.Conv2d(reduced, channels, 1), nn.Sigmoid()
            self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), *layers)

        def forward(self, x):
            return x * self.gate(x)

    class Block(nn.Module):
        def __init__(self, channels, filters, kernel, stride, expansion, drop) -> None:
            super().__init__()
            wide = channels * expansion
            layers = [nn.Conv2d(channels, wide, 1, bias=False), *swished(wide)] if expansion > 1 else []
            layers += [nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False), *swished(wide)]
            layers += [Gate(wide, max(1, channels // 4)), nn.Conv2d(wide, filters, 1, bias=False)]
            self.branch = nn.Sequential(*layers, *normalised(filters))
            self.residual, self.drop = stride == 1 and channels == filters, drop

        def forward(self, x):
            y = self.branch(x)
            if self.residual and self.drop:
                kept = torch.rand(len(x), 1, 1, 1) >= self.drop
                y = y * (kept / (1 - self.drop)).to(y.dtype)
            return x + y if self.residual else y

    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)]
    stages += [(6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
    total = sum(math.ceil(repeats * depth) for _, _, repeats, _, _ in stages)
    channels, blocks = scaled(32), []
    for expansion, filters, repeats, stride, kernel in stages:
        for repeat in range(math.ceil(repeats * depth)):
            drop, first = 0.2 * len(blocks) / total, repeat == 0
            blocks.append(Block(channels, scaled(filters), kernel, stride if first else 1, expansion, drop))
            channels = scaled(filters)
    stem = [nn.Conv2d(1, scaled(32), 3, 2, 1, bias=False), *swished(scaled(32))]
    return nn.Sequential(*stem, *blocks, nn.Conv2d(channels, scaled(1280), 1, bias=False), *swished(scaled(1280)))
