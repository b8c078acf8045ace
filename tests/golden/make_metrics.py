"""Golden figures for src/metrics, computed by scikit-learn in float64: metrics.json.

A case has "classes" (their number), "labels", "parts" (the probabilities of all samples behind each other, as whole
parts of 512, so that f32 and f64 hold the same numbers) and "figures". Undefined figures are null: zero_division=nan,
which leaves them out of averages. Macro averages are over the classes that have samples. Run: python make_metrics.py (needs numpy, scikit-learn).
"""
import json
import math
import warnings

import numpy as np
from sklearn import metrics
from sklearn.calibration import calibration_curve

PARTS = 512
BINS = 15
MEASURES = ["recall", "specificity", "precision", "f1", "jaccard", "dice"]
warnings.simplefilter("ignore")


def probabilities(random, labels, classes, skill, never=None):
    """Rows of whole parts, more often than not with the true class in front, without ties that matter."""
    rows = []
    for label in labels:
        while True:
            logits = random.normal(size=classes)
            logits[label] += skill
            if never is not None:
                logits[never] = -8.0
            share = np.exp(logits) / np.exp(logits).sum()
            row = np.floor(share * PARTS).astype(int)
            row[np.argmax(share)] += PARTS - row.sum()
            if np.sum(row == row[label]) == 1 and np.sum(row == row.max()) == 1:
                break
        rows.append(row)
    return np.array(rows)


def measures(y, predicted, labels, average):
    if average == "macro":
        labels = np.unique(y)
    options = dict(labels=labels, average=average, zero_division=np.nan)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(y, predicted, **options)
    return dict(recall=recall, precision=precision, f1=f1, jaccard=jaccard(y, predicted, labels, average), dice=f1)


def jaccard(y, predicted, labels, average):
    """jaccard_score takes no zero_division=nan: classes that it is not defined for are left out here."""
    if average == "micro":
        return metrics.jaccard_score(y, predicted, labels=labels, average=average)
    each = metrics.jaccard_score(y, predicted, labels=labels, average=None, zero_division=0)
    defined = np.isin(labels, np.concatenate([y, predicted]))
    if average is None:
        return np.where(defined, each, np.nan)
    support = np.bincount(y, minlength=max(labels) + 1)[labels]
    return np.average(each[defined], weights=support[defined] if average == "weighted" else None)


def specificities(y, predicted, labels):
    """The recall of "not this class"."""
    return np.array([metrics.recall_score(y != k, predicted != k, labels=[False, True], zero_division=np.nan) for k in labels])


def plain(value):
    """Numbers and lists for JSON, null for nan."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [plain(entry) for entry in value]
    value = float(value)
    return None if math.isnan(value) else value


def figures(y, parts):
    classes = parts.shape[1]
    labels = list(range(classes))
    p = parts / PARTS
    predicted = p.argmax(axis=1)
    top = p.max(axis=1)
    each = measures(y, predicted, labels, None)
    each["specificity"] = specificities(y, predicted, labels)
    support = np.bincount(y, minlength=classes)
    averages = {name: measures(y, predicted, labels, name) for name in ["macro", "micro", "weighted"]}
    defined = ~np.isnan(each["specificity"])
    averages["macro"]["specificity"] = np.nanmean(each["specificity"][support > 0])
    averages["weighted"]["specificity"] = (
        np.average(each["specificity"][defined], weights=support[defined]) if support[defined].sum() else math.nan
    )
    counts = metrics.multilabel_confusion_matrix(y, predicted, labels=labels).sum(axis=0)
    averages["micro"]["specificity"] = counts[0, 0] / counts[0].sum()

    # scikit-learn clips to the epsilon of the dtype that it is given: f32's, applied here, so that it sums in f64.
    epsilon = float(np.finfo(np.float32).eps)
    log_loss = metrics.log_loss(y, np.clip(p, epsilon, 1 - epsilon), labels=labels)
    assert abs(log_loss - metrics.log_loss(y, p.astype(np.float32), labels=labels)) < 1e-5
    accuracy, confidence = calibration_curve(predicted == y, top, n_bins=BINS, strategy="uniform", pos_label=True)
    bins = np.clip(np.ceil(top * BINS).astype(int), 1, BINS) - 1
    counts = np.bincount(bins, minlength=BINS)
    filled = counts[counts > 0]
    assert len(filled) == len(accuracy)
    binary = classes == 2
    return plain(
        dict(
            accuracy=metrics.accuracy_score(y, predicted),
            balanced_accuracy=metrics.balanced_accuracy_score(y, predicted),
            kappa=metrics.cohen_kappa_score(y, predicted, labels=labels),
            top2=1.0 if binary else metrics.top_k_accuracy_score(y, p, k=2, labels=labels),
            log_loss=log_loss,
            ece=np.sum(filled * np.abs(accuracy - confidence)) / len(y),
            confusion=metrics.confusion_matrix(y, predicted, labels=labels),
            per_class=[dict(support=support[k], **{m: each[m][k] for m in MEASURES}) for k in labels],
            counts=counts,
            bin_accuracy=accuracy,
            bin_confidence=confidence,
            **averages,
        )
    )


def case(seed, supports, skill, never=None):
    random = np.random.default_rng(seed)
    y = random.permutation(np.repeat(np.arange(len(supports)), supports))
    parts = probabilities(random, y, len(supports), skill, never)
    return dict(classes=len(supports), labels=y.tolist(), parts=parts.ravel().tolist(), figures=figures(y, parts))


def main():
    cases = {
        "balanced": case(1, [40] * 4, 1.0),
        "imbalanced": case(2, [120, 30, 8, 2, 60], 1.2),
        "class without samples": case(3, [30, 0, 25, 40], 1.0),
        "class never predicted": case(4, [30, 12, 25], 1.0, never=1),
        "class neither in samples nor predicted": case(5, [30, 0, 25], 1.0, never=1),
        "perfect": case(6, [12, 20, 9], 60.0),
        "always wrong": case(7, [15, 15, 15], -60.0),
        "binary": case(8, [70, 50], 0.8),
        "one sample": case(9, [0, 1, 0], 2.0),
        "seven classes of 500": case(10, [500] * 7, 1.3),
    }
    with open("metrics.json", "w") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in cases.items()) + "\n}\n")
    print(len(cases), "cases")


main()
