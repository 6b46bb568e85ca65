# Backup and restore, and the rows of "Damaged or lost stores" that need a hand. Sourced by rehearse.sh.

# A participant's machine is lost: key file, `bids/` and `receipts/` come from the backup, the rest comes by itself.
restore_participant() {
  local home=$net/member-2 before
  stop member-2
  before=$(settled_rounds 2)
  mkdir "$net/backup"
  cp -a "$home/participant.keys" "$home/data/bids" "$home/data/receipts" "$net/backup/"
  rm -rf "$home/data" "$home/participant.keys"
  mkdir -m 700 "$home/data"
  cp -a "$net/backup/participant.keys" "$home/"
  cp -a "$net/backup/bids" "$net/backup/receipts" "$home/data/"
  start participant member-2
  # The rounds of before come back from the ledger; one more is traded.
  wait_for 90 "a participant whose machine was lost trades again" settled_more_than 2 "$before"
  if grep -q ERROR "$net/member-2.log"; then fail "the restored participant logged an error"; fi
}

lose() { # VALIDATOR WHAT...: the process is stopped, its folders are moved away, it is started again
  local name=validator-$1 what
  shift
  stop "$name"
  mkdir -p "$net/lost/$name"
  for what in "$@"; do mv "$net/$name/data/$what" "$net/lost/$name/$what.$SECONDS"; done
  start validator "$name"
}

height() { ask "$1" | field height; }
has_caught_up() { [ "$(height "$1")" -ge "$2" ]; }
catches_up() { # VALIDATOR WHAT
  local others
  others=$(height 1)
  wait_for 90 "$2" has_caught_up "$1" "$others"
}

restore_validators() {
  lose 2 ledger
  catches_up 2 "a validator without its ledger has it again"
  lose 3 engine
  catches_up 3 "a validator without its engine's store has caught up"
  lose 4 ledger engine
  catches_up 4 "a validator without either has them from its peers"
  # The newest copy of the shares comes back.
  stop validator-2
  cp -a "$net/validator-2/data/shares.vgkeys" "$net/backup/"
  rm "$net/validator-2/data/shares.vgkeys"
  cp -a "$net/backup/shares.vgkeys" "$net/validator-2/data/"
  start validator validator-2
  catches_up 2 "a validator has its shares from the backup"
  if grep -qE 'no shares for this validator|holds no key shares' "$net/validator-2.log"; then fail "the shares of the backup were not taken"; fi
}

rehearse_restore() {
  say "backup and restore"
  restore_participant
  restore_validators
  stop aggregator
  mv "$net/aggregator/data/ledger" "$net/lost/"
  start aggregator aggregator
  wait_for_a_round 1 "rounds are settled after all of it"
}
