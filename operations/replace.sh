# Replacing a validator, steps 1 to 6 of the handbook. Sourced by rehearse.sh.

numbers_in_force() { ask 1 | sed -n '/"validators"/,/\]/s/^ *"signing_key": "\([0-9a-f]*\)",\{0,1\}$/\1/p'; }
newcomer_is_in_force() { ask 1 | sed '/"pending"/q' | grep -q "$(field signing_key "$net/validator-5.json")"; }
newcomer_validates() { grep -q 'the engine starts' "$net/validator-5.log"; }

rehearse_replace() {
  local i
  say "replacing validator 4 by a newcomer"
  # 1. The newcomer makes keys and starts as a candidate.
  make_keys validator validator-5
  validators="1 2 3 4 5"
  validator_config 5
  start validator validator-5
  wait_for 60 "the newcomer follows as a candidate" grep -q candidate "$net/validator-5.log"
  # 2. Everybody else adds its key and address and restarts, one at a time.
  for i in 1 2 3 4; do
    peer 5 >>"$net/validator-$i/validator.toml"
    stop "validator-$i"
    start validator "validator-$i"
    wait_for 60 "validator $i is back" ask "$i"
  done
  # 3. Somebody proposes.
  "$program" validators show --url "$(url 1)" --ca-file "$net/ca.pem" >"$net/validators.txt"
  "$program" validators propose --url "$(url 1)" --ca-file "$net/ca.pem" --add "$net/validator-5.json" --remove 4 \
    --out "$net/change.json" >>"$net/validators.txt"
  # 4. t of the present validators sign; the certificates are for a name, so each is asked by its name.
  for i in 1 2 3; do
    "$program" validators endorse "$net/change.json" --config "$net/validator-$i/validator.toml" --url "$(url "$i")" \
      >>"$net/validators.txt"
  done
  # 5. Anybody hands it in.
  "$program" validators submit "$net/change.json" --url "$(url 1)" "$(url 2)" --ca-file "$net/ca.pem" >>"$net/validators.txt"
  # 6. It comes in force, and the one who went is stopped.
  wait_for 240 "the newcomer is in force" newcomer_is_in_force
  wait_for 60 "the newcomer's engine runs" newcomer_validates
  stop validator-4
  rm "$net/validator-4/data/shares.vgkeys"
  wait_for_a_round 1 "a round is settled with the new validators"
}
