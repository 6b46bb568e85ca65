#!/usr/bin/env bash
# DuckDB 2.0.1, seen on 30 November 2026.
#
# A TIMESTAMPTZ is an instant, and the hour from 02:00 to 03:00 that comes twice in October is two hours of instants.
# date_trunc('hour', ..) makes one of them: the four quarter-hours of the first are truncated to the begin of the second, a
# time that lies after them, so that a sum by hour has a group of twice the energy and none for the hour before.
# time_bucket(INTERVAL '1 hour', ..) keeps both.
#
# Output seen:
#   25 October 2026 in Vienna: 100 quarter-hours of 0.25 kWh
#   date_trunc: 24 hours, the largest 2.00 kWh at 2026-10-25 02:00:00+01
#   date_trunc('hour', 2026-10-25 02:15:00+02) is 2026-10-25 02:00:00+01, 45 minutes later
#   time_bucket: 25 hours, the largest 1.00 kWh
#
# For veilgrid: slots are counted in seconds of UTC from the begin of a day; local time is for people.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q duckdb==2.0.1
"$work/venv/bin/python" - <<'PY'
import duckdb

db = duckdb.connect()
db.execute("SET TimeZone = 'Europe/Vienna'")
db.execute("""CREATE TABLE readings AS SELECT ts, 0.25 AS kwh FROM generate_series(
    TIMESTAMPTZ '2026-10-25 00:00:00+02', TIMESTAMPTZ '2026-10-25 23:45:00+01', INTERVAL 15 MINUTE) AS day(ts)""")


def hours(function):
    rows = db.execute(f"SELECT CAST({function} AS VARCHAR) AS hour, sum(kwh) AS kwh FROM readings "
                      "GROUP BY ALL ORDER BY kwh DESC, hour").fetchall()
    return len(rows), rows[0][0], float(rows[0][1])


count, kwh = db.execute("SELECT count(*), max(kwh) FROM readings").fetchone()
print(f"25 October 2026 in Vienna: {count} quarter-hours of {kwh} kWh")
truncated, bucketed = hours("date_trunc('hour', ts)"), hours("time_bucket(INTERVAL '1 hour', ts)")
print(f"date_trunc: {truncated[0]} hours, the largest {truncated[2]:.2f} kWh at {truncated[1]}")
before, after, minutes = db.execute("""SELECT CAST(ts AS VARCHAR), CAST(date_trunc('hour', ts) AS VARCHAR),
        date_diff('minute', ts, date_trunc('hour', ts))
    FROM readings WHERE ts = TIMESTAMPTZ '2026-10-25 02:15:00+02'""").fetchone()
print(f"date_trunc('hour', {before}) is {after}, {minutes} minutes later")
print(f"time_bucket: {bucketed[0]} hours, the largest {bucketed[2]:.2f} kWh")
assert count == 100
assert truncated == (24, "2026-10-25 02:00:00+01", 2.0)
assert minutes == 45
assert bucketed[0] == 25 and bucketed[2] == 1.0
PY
