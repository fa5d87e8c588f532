"""A fingerprint of how a processor rounds.

Libraries take other kernels on other processors, whose sums differ in the last bit. What a few lines compute still looks the
same; a thousand steps of training end in other numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache

from torchproof.problems import Problem

# What the tutorials are made of: products, sums, functions of one number, and steps of training with each kind of layer.
_PROBE = """
import hashlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
digest = hashlib.sha256()
a, b = torch.rand(64, 64) + 0.01, torch.randn(64, 64)
results = [a @ b, a @ b[0], torch.bmm(a.view(4, 16, 64), b.view(4, 64, 16)), b.sum(0), b.std(), b.softmax(1)]
results += [torch.linalg.solve(a, b), torch.linalg.eigvalsh(a @ a.T)]
results += [function(a) for function in (torch.sqrt, torch.exp, torch.log, torch.tanh, torch.sigmoid, torch.sin, F.gelu)]
results += [function(a.double()) for function in (torch.sqrt, torch.exp, torch.log)]
queries = b.view(2, 4, 8, 64)
results += [F.scaled_dot_product_attention(queries, queries, queries), nn.LSTM(8, 16)(b.view(8, 64, 8))[0]]
layers = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 2, 2, stride=2)]
net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 10))
optimizer = torch.optim.Adam(net.parameters())
for _ in range(3):
    optimizer.zero_grad()
    F.cross_entropy(net(b.view(64, 1, 8, 8)), torch.arange(64) % 10).backward()
    optimizer.step()
for tensor in (*results, *net.parameters()):
    digest.update(tensor.detach().contiguous().numpy().tobytes())
values = b.double().numpy()
for array in (values @ values, np.exp(values), np.log(np.abs(values)), np.linalg.solve(values, values[0])):
    digest.update(array.tobytes())
print(digest.hexdigest()[:12])
"""


@lru_cache
def arithmetic() -> str:
    """The fingerprint of this machine, with one thread on the CPU.

    Raises:
        Problem: torch or NumPy cannot be used here.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    asked = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, text=True)
    if asked.returncode:
        told = asked.stderr.strip().rpartition("\n")[2]
        raise Problem(f"cannot tell how this processor rounds ({told})", fix="pip install torch numpy")
    return asked.stdout.strip()
