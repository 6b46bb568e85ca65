#!/usr/bin/env bash
# pyocmf 0.6.0 with cryptography 44.0.2, seen on 30 November 2026.
#
# An OCMF charging record is signed over its exact bytes. The library verifies a record that it has just read, and no
# longer verifies it once it has written it: numbers lose their trailing zeros. And the names of brainpool curves that the
# OCMF specification lists never verify: brainpool256r1 is refused as a mismatch with the key's "brainpoolP256r1" (a name
# outside of the specification, under which the same record passes), and brainpool384r1 has no curve to go with it.
#
# Output seen:
#   ECDSA-secp256r1-SHA256: read verifies; written and read again verifies: False
#   ECDSA-brainpool256r1-SHA256: refused; ECDSA-brainpoolP256r1-SHA256: verifies; ECDSA-brainpool384r1-SHA256: refused
#
# For veilgrid: a signed record is carried and kept as the bytes that came, and curves go by the specification's names.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pyocmf==0.6.0 cryptography==44.0.2
"$work/venv/bin/python" - <<'PY'
import json
import pyocmf
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

reading = {"TX": "B", "RI": "1-b:1.8.0", "RU": "kWh", "RT": "AC", "EF": "", "ST": "G"}
values = [("2026-06-21T10:00:00,000+0200 S", "B", "0.20"), ("2026-06-21T11:00:00,000+0200 S", "E", "2.60")]
rows = ",".join(json.dumps({"TM": time, **reading, "TX": kind, "RV": 0}).replace('"RV": 0', f'"RV": {value}')
                for time, kind, value in values)
payload = ('{"FV":"1.0","GI":"gateway","GS":"123","PG":"T1","MV":"vendor","MM":"meter","MS":"987","IS":true,'
           '"IL":"VERIFIED","IF":[],"IT":"NONE","ID":"","RD":[' + rows + "]}")


def record(curve, name):
    key = ec.generate_private_key(curve)
    signature = key.sign(payload.encode(), ec.ECDSA(hashes.SHA256())).hex()
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"OCMF|{payload}|" + json.dumps({"SA": name, "SD": signature}), public.hex()


def verifies(text, public):
    try:
        return pyocmf.OCMF.from_string(text).verify_signature(public)
    except pyocmf.PyOCMFError:
        return "refused"


text, public = record(ec.SECP256R1(), "ECDSA-secp256r1-SHA256")
again = verifies(pyocmf.OCMF.from_string(text).to_string(), public)
print(f"ECDSA-secp256r1-SHA256: read {'verifies' if verifies(text, public) else 'fails'}; "
      f"written and read again verifies: {again}")
curves = [(ec.BrainpoolP256R1(), "ECDSA-brainpool256r1-SHA256"), (ec.BrainpoolP256R1(), "ECDSA-brainpoolP256r1-SHA256"),
          (ec.BrainpoolP384R1(), "ECDSA-brainpool384r1-SHA256")]
seen = [verifies(*record(curve, name)) for curve, name in curves]
print("; ".join(f"{name}: {'verifies' if result is True else result}" for (_, name), result in zip(curves, seen)))
assert verifies(text, public) is True and again is False
assert seen == ["refused", True, "refused"]
PY
