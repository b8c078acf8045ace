"""What expression recognisers of PyPI say about the pictures of a data set: python_tools.py TOOL FOLDER CSV

TOOL is fer, facex or facial_emotion_recognition. Each gets whole pictures as faces that it has found, prepares them as it
does itself, and answers with what its network gives, before it is rounded.
"""

import os
import sys
from pathlib import Path

import cv2
import numpy as np

import pictures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
FER2013 = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def fer():
    """`FER()` as it is by default (the quantised network), with offsets of 0: nothing is added around a face."""
    from fer.fer import FER

    detector = FER(offsets=(0, 0))

    def predict(pixels):
        # As detect_emotions does, which would round to two digits.
        faces = np.stack([cv2.resize(face, (64, 64)) for face in pixels]).astype(np.float32) / 255.0
        return detector._classify_emotions((faces - 0.5) * 2.0)

    return FER2013, predict


def facex():
    import facex

    folder = Path(facex.__file__).parent / "assets"
    classifier = facex.EmotionClassifier(str(folder / "model_optimized.tflite"))
    same = {"anger": "angry", "sadness": "sad", "surprised": "surprise"}
    classes = [same.get(name, name) for name in classifier.category]
    return classes, lambda pixels: np.stack([list(classifier.detect_emotion(face).values()) for face in pixels])


def facial_emotion_recognition():
    """Its class also makes a detector whose package asks for an old PyTorch: so its network is taken alone."""
    import importlib.util

    import torch

    folder = Path(importlib.util.find_spec("facial_emotion_recognition").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("networks", folder / "networks.py")
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    network = networks.NetworkV2(in_c=1, nl=32, out_f=7)
    # A pickle of numbers and tensors.
    network.load_state_dict(torch.load(folder / "model" / "model.pkl", map_location="cpu", weights_only=False)["network"])
    network.eval()

    def predict(pixels):
        faces = torch.from_numpy(pixels)[:, None].float() / 255.0
        with torch.no_grad():
            # A sigmoid for each class, which its class only compares.
            scores = torch.cat([network((batch - 0.5) / 0.5) for batch in faces.split(64)]).numpy()
        return scores / scores.sum(1, keepdims=True)

    return FER2013, predict


tool, folder, path = sys.argv[1:]
classes, predict = {"fer": fer, "facex": facex, "facial_emotion_recognition": facial_emotion_recognition}[tool]()
names, labels, pixels = pictures.load(folder)
pictures.write(path, names, labels, classes, predict(pixels))
