#!/usr/bin/env bash
# The handbook's procedures, done: founds a network of its own, backs up and restores, replaces a validator, audits. All of
# it over TLS with an authority of its own and certificates for a name. Two to three minutes; nothing is left behind.
#
#     VEILGRID=target/release/veilgrid operations/rehearse.sh [restore|replace|audit]...
#
# Without a name all three are done. VEILGRID names the program, BASE_PORT the first of 30 ports (26100), KEEP=1 keeps the
# folder. Exit code 0: every step did what OPERATIONS.md says. The configurations are the handbook's own blocks.
source "$(dirname "$0")/lib.sh"
source "$here/network.sh"
source "$here/restore.sh"
source "$here/replace.sh"
source "$here/audit.sh"

net=$(mktemp -d)
ended() {
  local code=$?
  stop_all 2>/dev/null
  if [ "${KEEP:-0}" = 1 ]; then echo "kept: $net"; else rm -rf "$net"; fi
  exit $code
}
trap ended EXIT

say "founding a network by the commands of the handbook"
found_network
start_network
wait_for 60 "blocks come" ask 1
wait_for_a_round 1 "keys are there and a first round is settled"
for procedure in "${@:-restore replace audit}"; do
  for name in $procedure; do "rehearse_$name"; done
done
say "done: every step did what the handbook says"
