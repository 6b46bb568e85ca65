#!/usr/bin/env bash
# nemreader 0.9.2 and aemo-mdff-reader 2.2.1, seen on 30 November 2026.
#
# A NEM12 file may carry a day twice: first as it was read, then corrected, told apart by the update time at the end of
# each 300 row. Neither reader lets the later row replace the earlier one. nemreader hands out both (96 values for a day
# of 48) and fails with a message about duplicate entries once a pivot is asked for; aemo-mdff-reader's daily total adds
# them up and calls the day actual.
#
# Output seen:
#   a day of 4.8 kWh, corrected to 9.6 kWh
#   nemreader: 96 values, 14.4 kWh; pivot: Index contains duplicate entries, cannot reshape
#   aemo-mdff-reader: 96 values, 14.4 kWh, quality A
#
# For veilgrid: the importer keeps revisions apart by their update time, and a later one replaces the earlier one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q nemreader==0.9.2 aemo-mdff-reader==2.2.1 pandas==2.3.3
cd "$work"
"$work/venv/bin/python" - <<'PY'
from aemo_mdff_reader import parse
from aemo_mdff_reader.aggregate import daily_totals
from nemreader import NEMFile


def day(value, updated):
    return ",".join(["300", "20260620", *[value] * 48, "A", "", "", updated, updated])


rows = ["100,NEM12,202606220000,MDP1,RETAIL1", "200,NEM1234567,E1,E1,E1,N1,METER1,KWH,30,20260701",
        day("0.1", "20260621010000"), day("0.2", "20260622010000"), "900"]
open("day.csv", "w").write("\n".join(rows) + "\n")
print("a day of 4.8 kWh, corrected to 9.6 kWh")
readings = NEMFile("day.csv").get_data_frame()
try:
    NEMFile("day.csv").get_pivot_data_frame()
    pivot = "no error"
except ValueError as error:
    pivot = str(error)
print(f"nemreader: {len(readings)} values, {readings.value.sum():.1f} kWh; pivot: {pivot}")
total = list(daily_totals(parse("day.csv")))
print(f"aemo-mdff-reader: {total[0].interval_count} values, {total[0].total:.1f} kWh, "
      f"quality {''.join(total[0].unique_quality_flags)}")
assert len(readings) == 96 and abs(readings.value.sum() - 14.4) < 1e-9
assert "duplicate" in pivot
assert len(total) == 1 and total[0].interval_count == 96 and abs(total[0].total - 14.4) < 1e-9
PY
