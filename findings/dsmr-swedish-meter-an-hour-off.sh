#!/usr/bin/env bash
# dsmr-parser 1.11.2, seen on 30 November 2026.
#
# A P1 time stamp ends in S (summer time) or W (winter time). Meters of the Swedish H1 port keep winter time all year and
# write W in June. The library knows Swedish telegrams, and uses the letter only to tell the two halves of the repeated
# hour of October apart: in June W and S name the same instant, so that every reading of a Swedish summer is one hour
# early, and S in January is taken without a word too.
#
# Output seen:
#   21 June, 12:00 S: 10:00Z; 12:00 W: 10:00Z (winter time says 11:00Z); in a Swedish telegram: 10:00Z
#   25 October, 02:30 S: 00:30Z; 02:30 W: 01:30Z
#
# For veilgrid: an importer computes the instant from the letter, UTC+2 or UTC+1, and never from the zone's calendar.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dsmr-parser==1.11.2
"$work/venv/bin/python" - <<'PY'
from dsmr_parser import telegram_specifications
from dsmr_parser.parsers import TelegramParser
from dsmr_parser.value_types import timestamp


def with_checksum(text):
    value = 0
    for octet in text.encode():
        value ^= octet
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return f"{text}{value:04X}\r\n"


def at(text):
    return timestamp(text).strftime("%H:%MZ")


telegram = with_checksum("/ELL5\\253833635_A\r\n\r\n0-0:1.0.0(260621120000W)\r\n1-0:1.8.0(00006678.394*kWh)\r\n!")
swedish = TelegramParser(telegram_specifications.SWEDEN).parse(telegram).P1_MESSAGE_TIMESTAMP.value.strftime("%H:%MZ")
june, october = ("260621120000S", "260621120000W"), ("261025023000S", "261025023000W")
print(f"21 June, 12:00 S: {at(june[0])}; 12:00 W: {at(june[1])} (winter time says 11:00Z); in a Swedish telegram: {swedish}")
print(f"25 October, 02:30 S: {at(october[0])}; 02:30 W: {at(october[1])}")
assert [at(text) for text in june] == ["10:00Z", "10:00Z"] and swedish == "10:00Z"
assert [at(text) for text in october] == ["00:30Z", "01:30Z"]
PY
