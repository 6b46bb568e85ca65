#!/usr/bin/env bash
# pysunspec2 1.3.7, seen on 30 November 2026.
#
# A SunSpec value means nothing without its scale factor, a register of its own. Where the inverter does not implement
# the factor (0x8000), the library returns the raw register as if it were scaled: 1234 of tenths of a watt and 1234 W
# read the same, and is_impl() says that the value is there. And an energy counter (acc32) that stands at 0, as on the
# day of its installation, reads as not implemented, so that a true zero is missing.
#
# Output seen:
#   W 1234 with factor -1: 123.4; with factor not implemented: 1234 (implemented: True)
#   WH counter at 0: None
#
# For veilgrid: a gateway that reads inverters checks the factor's own register, and takes a counter's zero for a value
# only where the device says so elsewhere.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pysunspec2==1.3.7
"$work/venv/bin/python" - <<'PY'
import sunspec2.device as device
import sunspec2.mb as registers


def inverter(values):
    """A three-phase inverter (model 103) as its registers say it; what is not named is not implemented."""
    points = device.Model(103).gdef["points"]
    fixed = {"ID": 103, "L": sum(point["size"] for point in points) - 2}
    octets = b""
    for point in points:
        value = {**values, **fixed}.get(point["name"])
        kind = point["type"]
        octets += (registers.create_unimpl_value(kind, len=point["size"] * 2) if value is None
                   else registers.point_type_info[kind].to_data(value))
    return device.Model(103, data=octets, model_len=len(octets) // 2).points


scaled, bare = inverter({"W": 1234, "W_SF": -1, "WH": 0, "WH_SF": 0}), inverter({"W": 1234})
print(f"W 1234 with factor -1: {scaled['W'].cvalue}; with factor not implemented: {bare['W'].cvalue} "
      f"(implemented: {bare['W'].is_impl()})")
print(f"WH counter at 0: {scaled['WH'].value}")
assert scaled["W"].cvalue == 123.4
assert bare["W_SF"].value is None and bare["W"].cvalue == 1234 and bare["W"].is_impl()
assert scaled["WH"].value is None
PY
