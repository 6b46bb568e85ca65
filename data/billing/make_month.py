#!/usr/bin/env python3
"""Makes a month of hourly readings of the example community (made up; no real meter stands behind them)."""

import argparse
import math
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

# meter, mean consumption Wh an hour, peak generation Wh an hour
METERS = [
    ("AT-101", 310, 0), ("AT-102", 240, 0), ("AT-103", 420, 3100), ("AT-104", 380, 4600),
    ("AT-105", 1450, 0), ("AT-106", 0, 9800), ("AT-107", 520, 0), ("AT-108", 290, 0),
]


class Draw:
    """A linear congruential generator: the same numbers everywhere."""

    def __init__(self, seed):
        self.state = seed

    def part(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) / 2**31


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--month", default="2026-03")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    zone, draw = ZoneInfo("Europe/Vienna"), Draw(args.seed)
    year, month = map(int, args.month.split("-"))
    at = datetime(year, month, 1, tzinfo=zone).astimezone(timezone.utc)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone).astimezone(timezone.utc)
    print("begin,meter,consumption_kwh,generation_kwh,grade")
    cloud = 0.6
    while at < end:
        hour = at.astimezone(zone).hour
        cloud = min(1.0, max(0.1, cloud + (draw.part() - 0.5) * 0.3))
        sun = max(0.0, math.sin((hour - 6) / 12.5 * math.pi)) * cloud
        home = 0.55 + 0.9 * math.exp(-((hour - 19) ** 2) / 8) + 0.4 * math.exp(-((hour - 7.5) ** 2) / 4)
        work = 1.6 if 8 <= hour < 18 and at.weekday() < 5 else 0.4
        for meter, mean, peak in METERS:
            shape = work if mean > 1000 else home
            consumed = f"{mean * shape * (0.5 + draw.part()) / 1000:.3f}" if mean else ""
            generated = f"{peak * sun * (0.9 + 0.2 * draw.part()) / 1000:.3f}" if peak else ""
            grade = "substituted" if draw.part() < 0.01 else "measured"
            print(f"{at:%Y-%m-%dT%H:%MZ},{meter},{consumed},{generated},{grade}")
        at += timedelta(hours=1)


main()
