"""btrack on given detections; run by track_linkers.py with btrack's own interpreter."""

from __future__ import annotations

import sys
import time

import btrack
import numpy as np


def main() -> None:
    config, given, answer, reach_px, gap_frames = sys.argv[1:]
    with np.load(given) as points:
        t, position = points["t"], points["position_px"]
    rows = np.arange(len(t))
    objects = btrack.io.objects_from_dict(
        {"t": t, "x": position[:, 1], "y": position[:, 0], "z": np.zeros(len(t)), "label": rows * 0}
    )
    for row, thing in zip(rows.tolist(), objects, strict=True):
        thing.ID = row
    start = time.process_time()
    with btrack.BayesianTracker(verbose=False) as tracker:
        tracker.configure(config)
        tracker.max_search_radius = float(reach_px)
        tracker.motion_model.max_lost = int(gap_frames)
        tracker.append(objects)
        low, high = position.min(axis=0) - 1, position.max(axis=0) + 1
        tracker.volume = ((low[1], high[1]), (low[0], high[0]), (-1e5, 1e5))
        tracker.track(step_size=1000)
        tracker.optimize()
        found = [(track.ID, track.parent, track.refs) for track in tracker.tracks]
    seconds = time.process_time() - start
    name = {track: k for k, (track, _, _) in enumerate(found, start=1)}
    track_of, parent_of = np.zeros(len(t), np.int64), np.zeros(len(t), np.int64)
    for track, parent, refs in found:
        mine = np.array([r for r in refs if r >= 0])  # below 0: frames it was not seen in
        track_of[mine] = name[track]
        parent_of[mine] = name.get(parent, 0) if parent != track else 0
    alone = track_of == 0  # detections it called false
    track_of[alone] = len(found) + 1 + np.arange(alone.sum())
    np.savez(answer, track=track_of, parent=parent_of, cpu_s=seconds)


if __name__ == "__main__":
    main()
