# What the rehearsals share: a folder, the program, waiting with a bound, configurations cut out of the handbook.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
handbook=$here/../OPERATIONS.md
program=${VEILGRID:-veilgrid}
# Ports for health follow the HTTP ports, consensus ports follow those; validators are numbered from 1, the aggregator is 0.
base_port=${BASE_PORT:-26100}
host=localhost # a name, so that the certificates are for a name, as in the handbook

command -v "$program" >/dev/null || { echo "set VEILGRID to the program, built with the feature network: VEILGRID=target/release/veilgrid $0"; exit 2; }
program=$(readlink -f "$(command -v "$program")")
command -v openssl >/dev/null || { echo "this needs openssl, for an authority of its own"; exit 2; }

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*"; }
fail() {
  say "FAILED: $*"
  for log in "$net"/*.log; do echo "-- $log"; tail -n 15 "$log"; done
  exit 1
}
http_port() { echo $((base_port + $1)); }
# Of members from 6 on.
health_port() { echo $((base_port + 10 + $1)); }
url() { echo "https://$host:$(http_port "$1")"; }
# The value of a text or number in the JSON that the program prints, one field a line.
field() { sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "${2:--}" | head -n 1; }
ask() { "$program" validators show --url "$(url "$1")" --ca-file "$net/ca.pem" --json; }

# Waits until a command succeeds: wait_for SECONDS WHAT COMMAND...
wait_for() {
  local seconds=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "$what did not happen within $seconds s"
    sleep 0.5
  done
  say "$what"
}

declare -A running=()
start() { # KIND NAME
  "$program" "$1" --config "$net/$2/$1.toml" 2>>"$net/$2.log" >/dev/null </dev/null &
  running[$2]=$!
}
stop() {
  kill -TERM "${running[$1]}"
  wait "${running[$1]}" || fail "$1 ended with $? when it was asked to stop"
  unset "running[$1]"
}
stop_all() { for name in "${!running[@]}"; do kill -TERM "${running[$name]}" 2>/dev/null || true; done; wait; }

# A block of the handbook: from the line that begins so to the end of the indented lines, without the indent.
handbook_block() { awk -v first="    $1" 'index($0, first) == 1 { on = 1 } on && !/^(    |$)/ { exit } on' "$handbook" | sed 's/^    //'; }
# Sets a key in the text on standard input; the key has to be there, so that the handbook's keys are the ones used.
set_key() {
  local text
  text=$(cat)
  grep -qE "^(# )?$1 = " <<<"$text" || { echo "the handbook's configuration has no key $1" >&2; exit 1; }
  sed -E "s|^(# )?$1 = .*|$1 = $2|" <<<"$text"
}
