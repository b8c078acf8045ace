"""The pictures of a data set as every tool gets them, and what a tool says about them as a file.

    python pictures.py FOLDER OUT     # writes OUT.gray (pixels, one byte each) and OUT.json (names and classes)
"""

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np

SIDE = 48
# What CK+ calls the classes of FER2013.
SAME = {"anger": "angry", "sadness": "sad"}


def load(folder):
    """The names of all pictures as CLASS/FILE, their classes under FER2013's names, and their gray pixels [N, 48, 48]."""
    files = sorted(path for path in Path(folder).glob("*/*") if path.suffix in (".jpg", ".png"))
    if not files:
        sys.exit(f"{folder} has no folders with .jpg or .png files")
    pixels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files])
    if pixels.shape[1:] != (SIDE, SIDE):
        sys.exit(f"the pictures in {folder} are {pixels.shape[1:]} and not {SIDE}×{SIDE}")
    names = [path.relative_to(folder).as_posix() for path in files]
    return names, [SAME.get(path.parent.name, path.parent.name) for path in files], pixels


def write(path, names, labels, classes, probabilities):
    """The columns that `vultus eval --csv` writes: name, true, predicted, and a probability for each class."""
    with open(path, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", "true", "predicted", *classes])
        for name, label, row in zip(names, labels, probabilities, strict=True):
            rows.writerow([name, label, classes[int(np.argmax(row))], *(float(value) for value in row)])


if __name__ == "__main__":
    names, labels, pixels = load(sys.argv[1])
    Path(sys.argv[2] + ".gray").write_bytes(pixels.tobytes())
    Path(sys.argv[2] + ".json").write_text(json.dumps({"side": SIDE, "names": names, "labels": labels}))
