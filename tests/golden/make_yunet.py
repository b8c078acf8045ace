"""Golden faces: what OpenCV's FaceDetectorYN finds in a photo, in parts and copies of it that take no resampling.

Run: python make_yunet.py yunet_n_dynamic.onnx (needs opencv-python-headless, numpy). weights/README.md says where the
network is from.
"""
import json
import sys

import cv2
import numpy as np

# Each a part of the photo (x, y, width, height), of which every so manieth pixel is taken, and that so many times.
PICTURES = [
    ([0, 0, 512, 512], 1, 1),
    ([0, 0, 512, 512], 2, 1),
    ([0, 0, 512, 512], 4, 1),
    ([0, 0, 512, 512], 1, 2),
    ([110, 0, 333, 291], 1, 1),
    ([160, 20, 130, 161], 1, 3),
]


def picture(photo, crop, step, times):
    x, y, width, height = crop
    part = photo[y : y + height : step, x : x + width : step]
    return np.ascontiguousarray(part.repeat(times, 0).repeat(times, 1))


def faces(network, image):
    height, width = image.shape[:2]
    found = cv2.FaceDetectorYN.create(network, "", (width, height), 0.8, 0.3, 5000).detect(image)[1]
    rounded = lambda values: [round(float(value), 3) for value in values]
    for x, y, wide, high, *landmarks, score in [] if found is None else found:
        points = [rounded(landmarks[i : i + 2]) for i in range(0, 10, 2)]
        yield {"box": rounded([x, y, x + wide, y + high]), "score": round(float(score), 5), "landmarks": points}


photo = cv2.imread("../photos/astronaut.png")
cases = []
for crop, step, times in PICTURES:
    found = list(faces(sys.argv[1], picture(photo, crop, step, times)))
    cases.append({"crop": crop, "step": step, "times": times, "faces": found})
with open("yunet.json", "w") as file:
    json.dump({"opencv": cv2.__version__, "pictures": cases}, file, indent=1)
    file.write("\n")
