#!/usr/bin/env bash
# OpenDSSDirect.py 0.9.4 (DSS C-API 0.14.5), seen on 30 November 2026.
#
# A load shape of 92 quarter-hours (the day on which clocks go forward) that is solved over 96 steps starts again from
# its first value: steps 93 to 96 carry the load of midnight. Nothing warns, and every step converges.
#
# Output seen:
#   92 values: step 92 10.000 kW, step 93 0.109 kW (that of step 1), step 96 0.435 kW (that of step 4)
#
# For veilgrid: an export for power-flow tools writes the number of steps of the local day beside the profile and never
# relies on 96.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q OpenDSSDirect.py==0.9.4 dss-python==0.15.7 dss-python-backend==0.14.5
"$work/venv/bin/python" - <<'PY'
from opendssdirect import dss

run = dss.Text.Command
run("clear")
run("new circuit.c basekv=0.4 pu=1.0 phases=3 bus1=source")
run("new line.l bus1=source bus2=house length=0.1 units=km r1=0.3 x1=0.08 r0=0.9 x0=0.3")
shape = " ".join(f"{(step + 1) / 92:.6f}" for step in range(92))
run(f"new loadshape.day npts=92 minterval=15 mult=[{shape}]")
run("new load.x bus1=house kv=0.4 kw=10 pf=1 daily=day")
run("set mode=daily stepsize=15m number=1")
load_kw = []
for _ in range(96):
    run("solve")
    assert dss.Solution.Converged()
    dss.Circuit.SetActiveElement("load.x")
    load_kw.append(sum(dss.CktElement.Powers()[0::2]))
print(f"92 values: step 92 {load_kw[91]:.3f} kW, step 93 {load_kw[92]:.3f} kW (that of step 1), "
      f"step 96 {load_kw[95]:.3f} kW (that of step 4)")
assert abs(load_kw[91] - 10) < 1e-3
assert all(abs(load_kw[92 + k] - load_kw[k]) < 1e-6 for k in range(4)), "the shape no longer wraps"
PY
