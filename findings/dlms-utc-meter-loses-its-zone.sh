#!/usr/bin/env bash
# dlms-cosem 25.1.0 beside gurux-dlms 1.0.203, seen on 30 November 2026.
#
# A COSEM date-time carries its deviation from UTC in minutes; 0x8000 means that it is not specified. dlms-cosem takes a
# deviation of 0 (a meter whose clock runs on UTC) for "not specified" and returns a time without a zone, while
# one of 60 minutes keeps its zone. gurux-dlms reads the same twelve bytes as UTC. And where the hour is "not specified"
# (0xFF), dlms-cosem returns midnight, which a reader cannot tell from a true midnight.
#
# Output seen:
#   deviation    0: dlms-cosem 2026-10-25 02:30:00, gurux-dlms 2026-10-25 02:30:00+00:00
#   deviation  -60: dlms-cosem 2026-10-25 02:30:00+01:00, gurux-dlms 2026-10-25 02:30:00+01:00
#   hour not specified: dlms-cosem 2026-10-25 00:30:00+01:00
#
# For veilgrid: an importer of meter telegrams decides about the zone from the raw deviation, and refuses a time
# whose parts are not all specified.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dlms-cosem==25.1.0 gurux-dlms==1.0.203
"$work/venv/bin/python" - <<'PY'
from dlms_cosem.time import datetime_from_bytes
from gurux_dlms import GXDLMSClient
from gurux_dlms.enums import DataType


def both(octets):
    raw = bytes.fromhex(octets)
    return str(datetime_from_bytes(raw)[0]), str(GXDLMSClient.changeType(raw, DataType.DATETIME).value)


utc = both("07ea0a19ff021e00000000" + "00")
winter = both("07ea0a19ff021e0000ffc4" + "00")
no_hour = str(datetime_from_bytes(bytes.fromhex("07ea0a19ffff1e0000ffc4" + "00"))[0])
print("deviation    0: dlms-cosem %s, gurux-dlms %s" % utc)
print("deviation  -60: dlms-cosem %s, gurux-dlms %s" % winter)
print("hour not specified: dlms-cosem %s" % no_hour)
assert utc == ("2026-10-25 02:30:00", "2026-10-25 02:30:00+00:00")
assert winter == ("2026-10-25 02:30:00+01:00", "2026-10-25 02:30:00+01:00")
assert no_hour == "2026-10-25 00:30:00+01:00"
PY
