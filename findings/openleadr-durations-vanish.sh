#!/usr/bin/env bash
# openleadr 0.5.36 (OpenADR 2.0b), seen on 30 November 2026.
#
# Durations that ISO 8601 allows read as nothing: a week (P1W) and one and a half seconds (PT1.5S) become 0:00:00
# without an error, so an event that lasts a week has no length. Its writer turns a length of zero into "P", which is no
# duration in ISO 8601, and a start-after of minus fifteen minutes into P-1DT23H45M, which its own reader takes for 0:00:00.
#
# Output seen:
#   P1W -> 0:00:00, PT1.5S -> 0:00:00, PT15M -> 0:15:00
#   0:00:00 -> P, -1 day, 23:45:00 -> P-1DT23H45M -> 0:00:00
#
# For veilgrid: a demand-response connector writes start and end, reads durations itself and refuses what it does not know.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q openleadr==0.5.36
"$work/venv/bin/python" - <<'PY'
from datetime import timedelta
from openleadr import utils

read = {text: utils.parse_duration(text) for text in ("P1W", "PT1.5S", "PT15M")}
print(", ".join(f"{text} -> {value}" for text, value in read.items()))
before = timedelta(minutes=-15)
nothing, written = utils.timedeltaformat(timedelta(0)), utils.timedeltaformat(before)
print(f"{timedelta(0)} -> {nothing}, {before} -> {written} -> {utils.parse_duration(written)}")
assert read == {"P1W": timedelta(0), "PT1.5S": timedelta(0), "PT15M": timedelta(minutes=15)}
assert nothing == "P" and written == "P-1DT23H45M"
assert utils.parse_duration(written) == timedelta(0)
PY
