"""How far apart two files of tensors are: agreement.py FOUND WANTED largest|norm

Prints JSON with error, the worst of all tensors: its largest difference, relative to its largest magnitude; or the norm of
the difference, relative to the tensor's.
"""

import json
import sys

import numpy as np
from safetensors.numpy import load_file


def error(found, wanted, measure):
    size = {"largest": lambda values: np.abs(values).max(), "norm": np.linalg.norm}[measure]
    worst = 0.0
    for name, values in wanted.items():
        if found[name].size != values.size:
            raise ValueError(f"{name} has the shape {found[name].shape} where {values.shape} is wanted")
        difference = size(found[name].reshape(values.shape).astype(np.float64) - values)
        relative = difference / max(size(values), 1e-30)
        worst = max(worst, relative) if np.isfinite(relative) else np.inf
    return float(worst)


if __name__ == "__main__":
    print(json.dumps({"error": error(load_file(sys.argv[1]), load_file(sys.argv[2]), sys.argv[3])}))
