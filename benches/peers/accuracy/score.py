"""How often recognisers are right on three tests: score.py FERPLUS_CSV FOLDER

FOLDER has a folder for each tool, with `fer2013.csv` and `ck48.csv` as `vultus eval --csv` writes them. Prints a table for
each test: the share of right answers, the mean over the classes of the share of their pictures (macro recall), and how far
the share is from that of `vultus`. Intervals hold 95 % of 2,000 bootstrap resamples: of pictures, for CK+ of people.
All tools are compared on the same resamples.
"""

import csv
import sys
from pathlib import Path

import numpy as np

RESAMPLES = 2000
CLASSES = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
# All that FER+ asked about; the last two are not expressions.
VOTES = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "unknown", "NF"]


def read(path):
    """For each picture's name its class in the data set, and the tool's probabilities by class."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: (row["true"], {name: float(row[name]) for name in CLASSES if name in row}) for row in rows}


def majorities(path):
    """The class of each picture of FER2013's test part that more than half of all its votes name, if it is one of seven."""
    found = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            votes = [int(row[name]) for name in VOTES]
            name = VOTES[int(np.argmax(votes))]
            if row["file"].startswith("test/") and 2 * max(votes) > sum(votes) and name in CLASSES:
                found[row["file"].removeprefix("test/")] = name
    return found


def resamples(groups):
    """How often each picture is in each resample: groups are drawn, with all of their pictures."""
    _, index = np.unique(groups, return_inverse=True)
    count, random = index.max() + 1, np.random.default_rng(0)
    drawn = [np.bincount(random.integers(0, count, count), minlength=count)[index] for _ in range(RESAMPLES)]
    return np.array([np.ones(len(index), int), *drawn])


def measures(labels, right, weights):
    """The share that is right and the macro recall, of all pictures and of each resample."""
    recalls = []
    for name in sorted(set(labels)):
        of_class = weights * (labels == name)
        size = of_class.sum(1)
        recalls.append(np.where(size > 0, (of_class @ right) / np.maximum(size, 1), np.nan))
    return (weights @ right) / weights.sum(1), np.nanmean(recalls, axis=0)


def interval(values, sign=""):
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return f"{100 * values[0]:{sign}.1f} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def table(title, truth, groups, files):
    """Prints the table of a test: `truth` names the class of each of its pictures, `files` what each tool said."""
    names, allowed = sorted(truth), sorted(set(truth.values()))
    labels, weights = np.array([truth[name] for name in names]), resamples([groups(name) for name in names])
    results = {}
    for tool, rows in files.items():
        missing = [name for name in names if name not in rows]
        if missing:
            sys.exit(f"{tool} says nothing about {len(missing)} pictures, {missing[0]} for one")
        said = [rows[name][1] for name in names]
        best = [max(allowed, key=lambda name: row[name]) for row in said]
        results[tool] = measures(labels, (np.array(best) == labels).astype(float), weights)
    print(f"\n{title}: {len(names):,} pictures, {len(allowed)} classes\n")
    print("| tool | right, % | macro recall, % | to vultus, points |\n|---|---|---|---|")
    ours = results.get("vultus")
    for tool, (accuracy, recall) in sorted(results.items(), key=lambda it: -it[1][0][0]):
        against = "" if tool == "vultus" or ours is None else interval(accuracy - ours[0], "+")
        print(f"| {tool} | {interval(accuracy)} | {interval(recall)} | {against} |")


votes, folder = sys.argv[1:]
tools = sorted(path.name for path in Path(folder).iterdir() if path.is_dir())
fer2013 = {tool: read(Path(folder) / tool / "fer2013.csv") for tool in tools}
ck48 = {tool: read(Path(folder) / tool / "ck48.csv") for tool in tools}
any_tool = fer2013[tools[0]]
table("FER+, majority of its votes", majorities(votes), lambda name: name, fer2013)
table("FER2013, its own labels", {name: row[0] for name, row in any_tool.items()}, lambda name: name, fer2013)
six = {name: row[0] for name, row in ck48[tools[0]].items() if row[0] in CLASSES}
# A file's name begins with the person's.
table("CK+, forced choice", six, lambda name: name.split("/")[1].split("_")[0], ck48)
