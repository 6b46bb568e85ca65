"""Makes a community's readings for measurements: `python3 make_community.py --members 1000 > day.csv`. Needs Python alone; the same
arguments give the same file.

Every member consumes in every slot; of ten members three have a roof and generate by day.
"""
import argparse, math, random, sys
from datetime import datetime, timedelta, timezone

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--members", type=int, default=1000)
parser.add_argument("--slots", type=int, default=96, help="quarter-hours from midnight UTC on")
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()

rng = random.Random(args.seed)
start = datetime(2026, 6, 21, tzinfo=timezone.utc)
out = ["slot_start,account,direction,energy_wh"]
for slot in range(args.slots):
    at = (start + timedelta(minutes=15 * slot)).strftime("%Y-%m-%dT%H:%M:%SZ")
    sun = max(0.0, math.sin(math.pi * (slot % 96 - 22) / 60))
    for member in range(args.members):
        out.append(f"{at},m{member:04},consumption,{rng.randrange(20, 400)}")
        if member % 10 < 3:
            out.append(f"{at},m{member:04},generation,{int(sun * rng.randrange(300, 1800))}")
sys.stdout.write("\n".join(out) + "\n")
