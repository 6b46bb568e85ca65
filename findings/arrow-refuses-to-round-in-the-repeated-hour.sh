#!/usr/bin/env bash
# pyarrow 26.0.1, seen on 30 November 2026.
#
# A timestamp with a zone is an instant of UTC, and none is ambiguous. floor_temporal, ceil_temporal and round_temporal go
# by the local clock and back, and fail for every instant of the hour that comes twice in October, also for quarter-hours
# that are already whole and for units of a second; there is no option to say which of the two is meant, since that is
# known. One such row in a year of readings fails the whole column. By days it works, and days of 92 and 100 quarter-hours
# come out right.
#
# Output seen:
#   a year of 35040 quarter-hours in Vienna
#   floor to 15 minutes: Local time is ambiguous: 2026-10-25 02:45:00 is ambiguous.
#   instants that can't be floored to a second: 8
#   quarter-hours by day: 92 to 100
#   the same instants with zone UTC: floored, nothing changed
#
# For veilgrid: an importer that reads Parquet takes the integers behind the type and makes its own slots.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyarrow==26.0.1 tzdata==2026.6
"$work/venv/bin/python" - <<'PY'
import collections
import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

first = dt.datetime(2025, 12, 31, 23, tzinfo=dt.timezone.utc)
instants = [first + dt.timedelta(minutes=15 * slot) for slot in range(365 * 96)]
year = pa.array(instants, pa.timestamp("s", "Europe/Vienna"))
print(f"a year of {len(year)} quarter-hours in Vienna")
try:
    pc.floor_temporal(year, 15, unit="minute")
    message = "no error"
except pa.ArrowInvalid as error:
    message = str(error).splitlines()[0].split("  ")[0]
print(f"floor to 15 minutes: {message}")


def fails(instant):
    try:
        pc.floor_temporal(pa.array([instant], year.type), 1, unit="second")
        return False
    except pa.ArrowInvalid:
        return True


october = [instant for instant in instants if instant.date() in (dt.date(2026, 10, 24), dt.date(2026, 10, 25))]
count = sum(map(fails, october))
print(f"instants that can't be floored to a second: {count}")
days = collections.Counter(day.as_py() for day in pc.floor_temporal(year, 1, unit="day"))
print(f"quarter-hours by day: {min(days.values())} to {max(days.values())}")
utc = year.cast(pa.timestamp("s", "UTC"))
unchanged = pc.floor_temporal(utc, 15, unit="minute").equals(utc)
print(f"the same instants with zone UTC: floored, {'nothing changed' if unchanged else 'changed'}")
assert "ambiguous" in message
assert count == 8
assert (min(days.values()), max(days.values())) == (92, 100)
assert unchanged
PY
