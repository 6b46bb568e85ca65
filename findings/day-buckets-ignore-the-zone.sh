#!/usr/bin/env bash
# DuckDB 2.0.1 and DataFusion 55.0.0, seen on 30 November 2026.
#
# Both have two functions for "by day" of a timestamp with zone, and they mean different days. date_trunc('day', ..) cuts at
# local midnight, of the session's zone or of the column's. time_bucket(INTERVAL '1 day', ..) and date_bin(INTERVAL '1 day',
# ..) cut at midnight of UTC, and then show the result in the zone: days that begin at 01:00 or 02:00. Two hours of each
# summer day are in the day before, the totals of a month differ by its two ends, and no day has 92 or 100 quarter-hours,
# which is what a check of completeness would look at. By hours the same functions are right.
#
# Output seen:
#   24 to 26 October 2026 in Vienna, quarter-hours by day (96, 100, 96)
#   DuckDB date_trunc:     96 from 00:00, 100 from 00:00, 96 from 00:00
#   DuckDB time_bucket:    8 from 02:00, 96 from 02:00, 96 from 02:00, 92 from 01:00
#   DuckDB time_bucket with the zone as third argument: 96 from 00:00, 100 from 00:00, 96 from 00:00
#   DataFusion date_trunc: 96 from 00:00, 100 from 00:00, 96 from 00:00
#   DataFusion date_bin:   8 from 02:00, 96 from 02:00, 96 from 02:00, 92 from 01:00
#
# For veilgrid: a day is what the calendar of its zone says (`Zone::day`), with its own number of slots.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q duckdb==2.0.1 datafusion==55.0.0 pyarrow==26.0.1 tzdata==2026.6
"$work/venv/bin/python" - <<'PY'
import datetime as dt
import zoneinfo

import datafusion
import duckdb
import pyarrow as pa

vienna = zoneinfo.ZoneInfo("Europe/Vienna")
start = dt.datetime(2026, 10, 24, tzinfo=vienna).astimezone(dt.timezone.utc)
instants = [start + dt.timedelta(minutes=15 * slot) for slot in range(96 + 100 + 96)]
table = pa.table({"ts": pa.array(instants, pa.timestamp("us", "Europe/Vienna"))})

db = duckdb.connect()
db.execute("SET TimeZone = 'Europe/Vienna'")
db.register("readings", table)
context = datafusion.SessionContext()
context.from_arrow(table, "readings")


def shown(rows):
    local = [(day.astimezone(vienna).strftime("%H:%M"), count) for day, count in rows]
    return ", ".join(f"{count} from {begin}" for begin, count in local)


def of_duckdb(function):
    return shown(db.execute(f"SELECT {function} AS day, count(*) FROM readings GROUP BY day ORDER BY day").fetchall())


def of_datafusion(function):
    rows = context.sql(f"SELECT {function} AS day, count(*) AS n FROM readings GROUP BY day ORDER BY day").to_pydict()
    return shown(zip(rows["day"], rows["n"]))


right = "96 from 00:00, 100 from 00:00, 96 from 00:00"
wrong = "8 from 02:00, 96 from 02:00, 96 from 02:00, 92 from 01:00"
seen = [
    ("DuckDB date_trunc:    ", of_duckdb("date_trunc('day', ts)"), right),
    ("DuckDB time_bucket:   ", of_duckdb("time_bucket(INTERVAL '1 day', ts)"), wrong),
    ("DuckDB time_bucket with the zone as third argument:",
     of_duckdb("time_bucket(INTERVAL '1 day', ts, 'Europe/Vienna')"), right),
    ("DataFusion date_trunc:", of_datafusion("date_trunc('day', ts)"), right),
    ("DataFusion date_bin:  ", of_datafusion("date_bin(INTERVAL '1 day', ts)"), wrong),
]
print("24 to 26 October 2026 in Vienna, quarter-hours by day (96, 100, 96)")
for name, found, _ in seen:
    print(name, found)
assert all(found == expected for _, found, expected in seen)
PY
