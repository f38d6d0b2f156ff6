"""Human Activity Recognition Using Smartphones (UCI 240; Anguita et al. 2013): six activities, 50 Hz.

The windows are given: 10,299 of 128 rows and nine signals, of 30 people. Neighbours overlap by half, so they
are kept as the 857 stretches of signal that they were cut from, and cost no more than those. No two people
share a stretch. The file tells no clock time: rows are 20 ms apart, counted from 1970.

The 561 engineered features of the original archive are not offered: they are not in this file.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..base import DataFile, DataRequest, DatasetSpec, RowRange, Table
from ..fetch import joint_sha256, locate
from ..frames import choose

PAGE = "https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones"
WINDOW, STRIDE = 128, 64
ACTIVITIES = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying")
TEST_SUBJECTS = (2, 4, 9, 10, 12, 13, 18, 20, 24)
"""The official ones; the other 21 train."""

SUBJECTS = tuple(str(subject) for subject in range(1, 31))
VAL_SUBJECTS = (28, 29, 30)
"""The last three of the official training subjects: the original has no validation part."""

SEGMENTS = DataFile(
    name="uci_har_segments.npz",
    sha256="e32b31058feed154d276288bdb382f533328c5a6015bda1f064bd0610f228093",
    page=PAGE,
    repacked=True,
)
BODY = DataFile(
    name="uci_har_body_acc.npz",
    sha256="b8254fd4109835c702b382a74b137e7fcd445f851c336c56cd58ea3483666406",
    page=PAGE,
    repacked=True,
)


def load(request: DataRequest) -> Table:
    """Nine signals; the activity as one of six classes.

    Raises:
        ValueError: The context is not 128, a subject is not known, or a file cannot be had.
    """
    if request.context_length != WINDOW:
        raise ValueError(
            f"the windows are given, of {WINDOW} rows: context must be {WINDOW}, got {request.context_length}"
        )
    (segments_path, segments_sum), (body_path, body_sum) = locate((SEGMENTS,)), locate((BODY,))
    subjects = choose("subject", request.groups, SUBJECTS, SUBJECTS)
    with np.load(segments_path) as file:
        channels = [str(name) for name in file["channels"]]
        starts, counts = file["segment_start"].astype(np.int64), file["segment_windows"].astype(np.int64)
        owner, label = file["segment_subject"].astype(np.int64), file["segment_label"].astype(np.int64)
        signals = _decode(file["signal_bytes"])
    with np.load(body_path) as file:
        channels += [str(name) for name in file["channels"]]
        signals = np.concatenate([signals, _decode(file["signal_bytes"])], axis=1)
    position = {int(subject): i for i, subject in enumerate(subjects)}
    kept = [i for i in range(len(starts)) if int(owner[i]) in position]
    kept.sort(key=lambda i: (position[int(owner[i])], i))
    lengths = [WINDOW + STRIDE * int(counts[i] - 1) for i in kept]
    rows = np.concatenate([starts[i] + np.arange(n) for i, n in zip(kept, lengths, strict=True)])
    edges = np.concatenate([[0], np.cumsum(lengths)])
    segments = tuple(pairwise(edges.tolist()))
    codes = np.repeat([position[int(owner[i])] for i in kept], lengths).astype(np.int32)
    usable = np.zeros(len(rows), dtype=bool)
    for start, stop in segments:
        usable[start + WINDOW - 1 : stop : STRIDE] = True
    return Table(
        timestamps=np.arange(len(rows)) * np.timedelta64(20, "ms") + np.datetime64(0, "ns"),
        features=signals[rows].astype(np.float64),
        channel_names=tuple(channels),
        target_values=np.repeat(label[kept] - 1.0, lengths)[:, None],
        target_names=("activity",),
        target_offsets=(0,),
        target_channels=(),
        task="multiclass",
        class_names=ACTIVITIES,
        sha256=joint_sha256([segments_sum, body_sum]),
        frequency="20 ms",
        segments=segments,
        groups=codes,
        group_names=subjects,
        usable=usable,
        look_ahead=0,
        official=_official(segments, codes, subjects),
    )


def _decode(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The four bytes of each float32 lie in planes apart: (C, 4, T) to (T, C)."""
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<f4")[..., 0].T
    return np.asarray(values, dtype=np.float32)


def _official(
    segments: tuple[RowRange, ...], codes: npt.NDArray[np.int32], subjects: tuple[str, ...]
) -> dict[str, tuple[RowRange, ...]]:
    parts: dict[str, list[RowRange]] = {"train": [], "val": [], "test": []}
    for start, stop in segments:
        subject = int(subjects[codes[start]])
        held_out = "val" if subject in VAL_SUBJECTS else "train"
        parts["test" if subject in TEST_SUBJECTS else held_out].append((start, stop))
    return {part: tuple(ranges) for part, ranges in parts.items()}


SPEC = DatasetSpec(
    name="har",
    title="six human activities from a smartphone's motion, windows of 128 rows at 50 Hz, 30 people",
    source="UCI Machine Learning Repository 240",
    licence="CC BY 4.0 on UCI's page; the archive's own README: no commercial use",
    frequency="20 ms",
    channels={
        **{f"body_gyro_{axis}": "rad/s" for axis in "xyz"},
        **{f"total_acc_{axis}": "g" for axis in "xyz"},
        **{f"body_acc_{axis}": "g" for axis in "xyz"},
    },
    tasks=("multiclass",),
    target="the activity of the window: " + ", ".join(ACTIVITIES),
    n_rows=713_984,
    load=load,
    splits=("official", "group"),
    groups="subject",
    window=(128, 1),
    files=((SEGMENTS,), (BODY,)),
)
