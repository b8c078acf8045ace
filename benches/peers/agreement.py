"""How far apart two files of tensors are: agreement.py FOUND WANTED

Prints JSON with error: the largest difference of any tensor, relative to its largest magnitude.
"""

import json
import sys

import numpy as np
from safetensors.numpy import load_file


def error(found, wanted):
    worst = 0.0
    for name, values in wanted.items():
        if found[name].size != values.size:
            raise ValueError(f"{name} has the shape {found[name].shape} where {values.shape} is wanted")
        difference = np.abs(found[name].reshape(values.shape).astype(np.float64) - values).max()
        relative = difference / max(np.abs(values).max(), 1e-30)
        worst = max(worst, relative) if np.isfinite(relative) else np.inf
    return float(worst)


if __name__ == "__main__":
    print(json.dumps({"error": error(*map(load_file, sys.argv[1:]))}))
