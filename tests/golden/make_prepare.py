"""Makes prepare.png: what OpenCV and SciPy make of a small face, below each other.

    pip install opencv-python-headless==5.0.0.93 scipy==1.17.1 && python tests/golden/make_prepare.py

tests/prepare.rs names the blocks in the same order. Gray results are stored in three channels.
"""

from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

HERE = Path(__file__).parent
# No tile of CLAHE comes out even, and width and height differ.
WIDTH, HEIGHT = 53, 44
# Noise makes the filters show their weights.
NOISE = 6.0


def face():
    image = cv2.cvtColor(cv2.imread(str(HERE.parent / "photos/astronaut_face_224.png")), cv2.COLOR_BGR2RGB)
    small = cv2.resize(image, (56, 56), interpolation=cv2.INTER_AREA)[5 : 5 + HEIGHT, 2 : 2 + WIDTH]
    noise = np.random.default_rng(1).normal(0, NOISE, small.shape)
    return np.clip(np.rint(small + noise), 0, 255).astype(np.uint8)


def padded(image, by):
    return cv2.copyMakeBorder(image, by, by, by, by, cv2.BORDER_REPLICATE)


def non_local_means(image, patch, window, strength):
    by = patch // 2 + window // 2
    result = cv2.fastNlMeansDenoising(padded(image, by), None, strength, patch, window)
    return result[by:-by, by:-by]


def of_luma(image, change):
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    # Its luma is rounded in another way than that of gray pictures, which equalisation would enlarge.
    ycc[:, :, 0] = change(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    return cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB)


def aligned(image, left_eye, right_eye, side, eye_x, eye_y):
    """With complex numbers: the map of the plane that takes two points to two others is z -> p z + q."""
    left, right = complex(*left_eye), complex(*right_eye)
    to_left, to_right = complex(eye_x * side, eye_y * side), complex((1 - eye_x) * side, eye_y * side)
    p = (right - left) / (to_right - to_left)
    y, x = np.mgrid[0:side, 0:side] + 0.5
    z = left + p * (x + 1j * y - to_left)
    places = [z.imag - 0.5, z.real - 0.5]
    channels = [map_coordinates(image[:, :, c].astype(float), places, order=1, mode="nearest") for c in range(3)]
    result = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return np.pad(result, ((0, HEIGHT - side), (0, WIDTH - side), (0, 0)))


def main():
    color = face()
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
    bilateral = lambda image, sigma: cv2.bilateralFilter(image, 7, sigma, 2.0, borderType=cv2.BORDER_REPLICATE)
    clahe = lambda tiles, clip: cv2.createCLAHE(clip, (tiles, tiles)).apply
    gamma = np.rint(255 * (np.arange(256) / 255) ** 0.6).astype(np.uint8)
    blocks = [
        color,
        gray,
        cv2.medianBlur(gray, 3),
        cv2.medianBlur(color, 5),
        bilateral(gray, 25.0),
        # OpenCV adds up the distances of three channels, the mean is a third of that.
        bilateral(color, 75.0),
        non_local_means(gray, 5, 11, 12.0),
        non_local_means(color, 3, 9, 12.0),
        cv2.equalizeHist(gray),
        of_luma(color, cv2.equalizeHist),
        clahe(8, 2.0)(gray),
        clahe(3, 4.0)(gray),
        of_luma(color, clahe(8, 2.0)),
        cv2.LUT(color, gamma),
        aligned(color, (14.0, 21.0), (34.0, 16.0), 44, 0.25, 0.4),
    ]
    blocks = [block if block.ndim == 3 else cv2.merge([block] * 3) for block in blocks]
    sheet = cv2.cvtColor(np.concatenate(blocks), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(HERE / "prepare.png"), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


main()
