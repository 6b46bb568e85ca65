#!/usr/bin/env bash
# msconsconverter 2.0.0, seen on 30 November 2026.
#
# MSCONS carries a measured quantity as QTY+220 and a substituted one as QTY+67. The converter for Austrian community
# data writes 0.0 for the substituted quarter-hour (with a warning in its log, not in its result), and writes a row for
# each segment that follows the first end of an interval: three quarter-hours become ten rows, some of no length.
#
# Output seen:
#   3 quarter-hours, 0.125 measured, 0.250 substituted, 0.500 measured
#   10 rows: 0.125 0.0 0.0 0.0 0.500 0.500 0.500 0.500 0.500 0.500; the substituted one: 0.0
#
# For veilgrid: the importer of such files takes a value with its own begin and end alone, and its kind as a grade.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q msconsconverter==2.0.0
cd "$work"
"$work/venv/bin/python" - <<'PY'
import logging
from msconsconverter.msconsconverter import MSCONSConverter

logging.disable(logging.CRITICAL)
point = "AT00123412345" + "0" * 20
quarters = [("220", "0.125", "0000", "0015"), ("67", "0.250", "0015", "0030"), ("220", "0.500", "0030", "0045")]
segments = ["UNB+UNOC:3+AT001234:500+AT005678:500+260622:0400+1", "UNH+1+MSCONS:D:04B:UN:2.4c", f"LOC+172+{point}"]
for kind, value, begin, end in quarters:
    segments += [f"QTY+{kind}:{value}", f"DTM+163:20260621{begin}?+00:303", f"DTM+164:20260621{end}?+00:303"]
segments += ["UNT+13+1", "UNZ+1+1"]
open("day.edi", "w").write("UNA:+.? '" + "".join(f"{segment}'" for segment in segments))
rows = MSCONSConverter(target_dir=".", logger=logging.getLogger()).parse_mscons("day.edi")["qty"][point]
substituted = [row[0] for row in rows if row[1].endswith("0015+00") and row[2].endswith("0030+00")]
print("3 quarter-hours, 0.125 measured, 0.250 substituted, 0.500 measured")
print(f"{len(rows)} rows: {' '.join(str(row[0]) for row in rows)}; the substituted one: {substituted[0]}")
assert len(rows) > 3 and substituted[0] == 0.0 and "0.250" not in [row[0] for row in rows]
PY
