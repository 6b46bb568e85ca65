#!/usr/bin/env bash
# ocpp 2.1.0 (PyPI), seen on 30 November 2026.
#
# Money belongs in Decimal, and the library takes one: it then writes it with a single decimal. A price of 0.2875 a kWh
# leaves a central system as 0.3, and 0.04 as 0.0. The same number as float arrives whole.
#
# Output seen:
#   Decimal 0.2875 -> 0.3, Decimal 0.04 -> 0.0, float 0.2875 -> 0.2875
#
# For veilgrid: prices to and from charging stations are compared in both directions in the connector's tests, to the
# last decimal.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ocpp==2.1.0
"$work/venv/bin/python" - <<'PY'
import json
from decimal import Decimal
from ocpp.messages import Call


def on_the_wire(price):
    return json.loads(Call("1", "DataTransfer", {"vendorId": "x", "price": price}).to_json())[3]["price"]


sent = [on_the_wire(price) for price in (Decimal("0.2875"), Decimal("0.04"), 0.2875)]
print("Decimal 0.2875 -> %s, Decimal 0.04 -> %s, float 0.2875 -> %s" % tuple(sent))
assert sent == [0.3, 0.0, 0.2875]
PY
