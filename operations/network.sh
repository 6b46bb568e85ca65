# Founding a network as the handbook says it: keys, plan, genesis, configurations, certificates for names, start.
# Sourced; needs lib.sh and $net.

make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=rehearsal authority" \
    -keyout "$net/ca.key" -out "$net/ca.pem" 2>/dev/null
}

make_certificate() { # FOLDER
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$host" -keyout "$1/key.pem" -out "$1/request.pem" 2>/dev/null
  openssl x509 -req -in "$1/request.pem" -CA "$net/ca.pem" -CAkey "$net/ca.key" -days 1 -out "$1/fullchain.pem" \
    -extfile <(echo "subjectAltName=DNS:$host") 2>/dev/null
  chmod 600 "$1/key.pem"
}

make_keys() { # KIND NAME
  mkdir -p "$net/$2"
  "$program" keys new --kind "$1" --passphrase-file "$net/passphrase" --out "$net/$2/$1.keys" >"$net/$2.json"
}

others_urls() { # all validators' addresses but the given one's
  local list="" i
  for i in $validators; do [ "$i" = "$1" ] || list+="\"$(url "$i")\", "; done
  echo "[${list%, }]"
}

peer() { # a table of the handbook's kind
  printf '\n[[p2p.peers]]\nconsensus_key = "%s"\naddress = "127.0.0.1:%s"\n' "$(field consensus_key "$net/validator-$1.json")" \
    "$(($(http_port "$1") + 20))"
}

validator_config() { # NUMBER
  local dir=$net/validator-$1 i
  # The tables of peers are as many as there are others, and pruning is left off.
  handbook_block '# validator.toml' | sed '/^\[\[p2p.peers\]\]/,$d' |
    set_key data_dir '"data"' | set_key genesis '"../genesis.bin"' | set_key genesis_hash "\"$hash\"" |
    set_key key_file '"validator.keys"' | set_key passphrase_file '"../passphrase"' |
    set_key validator_urls "$(others_urls "$1")" | set_key ca_file '"../ca.pem"' |
    set_key tls_certificate '"fullchain.pem"' | set_key tls_key '"key.pem"' |
    set_key health_listen "\"127.0.0.1:$(health_port "$1")\"" |
    awk -v http="127.0.0.1:$(http_port "$1")" -v p2p="127.0.0.1:$(($(http_port "$1") + 20))" \
      '/^listen = /{ n++; print "listen = \"" (n == 1 ? http : p2p) "\""; next } { print }' >"$dir/validator.toml"
  for i in $validators; do [ "$i" = "$1" ] || peer "$i" >>"$dir/validator.toml"; done
  make_certificate "$dir"
}

aggregator_config() {
  local dir=$net/aggregator
  sed -n '/^\[p2p\]/q;p' "$net/validator-1/validator.toml" | set_key key_file '"aggregator.keys"' |
    set_key validator_urls "$(others_urls 0)" | set_key listen "\"127.0.0.1:$(http_port 0)\"" |
    set_key health_listen "\"127.0.0.1:$(health_port 0)\"" >"$dir/aggregator.toml"
  make_certificate "$dir"
}

participant_config() { # NUMBER
  local dir=$net/member-$1 side=buy price=30
  if [ "$1" = 1 ]; then side=sell price=10; fi
  { sed -n '/^\[http\]/q;p' "$net/validator-1/validator.toml" | set_key key_file '"participant.keys"' |
      set_key validator_urls "$(others_urls 0)" | set_key health_listen "\"127.0.0.1:$(health_port "$((5 + $1))")\""
    echo "aggregator_url = \"$(url 0)\""
    echo 'orders = "orders.csv"'; } >"$dir/participant.toml"
  printf 'slot,side,price_ct_per_kwh,quantity_kwh\n*,%s,%s,1.500\n' "$side" "$price" >"$dir/orders.csv"
}

found_network() {
  local now i
  (umask 077 && echo "a passphrase of a rehearsal" >"$net/passphrase")
  make_authority
  validators="1 2 3 4"
  for i in $validators; do make_keys validator "validator-$i"; done
  make_keys aggregator aggregator
  make_keys registrar registrar
  for i in 1 2 3; do make_keys participant "member-$i"; done
  now=$(date +%s)
  handbook_block 'key_epoch = 1' | set_key first_open_unix_ms "$(((now + 20) * 1000))" | set_key interval_ms 10000 |
    set_key bidding_ms 5000 | set_key first_slot_start_unix_s "$(((now / 900 + 96) * 900))" | set_key min_bidders 2 |
    set_key max_members 8 | set_key ticks 16 | set_key tick_mct_per_kwh 1600 | set_key opening_deadline_ms 20000 |
    set_key epoch_blocks 56 | set_key keygen_phase_blocks 12 | set_key suspend_after_ms 10000 >"$net/plan.toml"
  "$program" create-genesis --plan "$net/plan.toml" --out "$net/genesis.bin" --json \
    --public "$net"/validator-[1-4].json "$net/aggregator.json" "$net/registrar.json" "$net"/member-*.json >"$net/found.json"
  hash=$(field genesis_hash "$net/found.json")
  [ ${#hash} = 64 ] || { cat "$net/found.json"; fail "create-genesis printed no hash"; }
  "$program" genesis show "$net/genesis.bin" --hash "$hash" >"$net/genesis.txt"
  for i in $validators; do validator_config "$i"; done
  aggregator_config
  for i in 1 2 3; do participant_config "$i"; done
}

start_network() {
  local i
  for i in $validators; do start validator "validator-$i"; done
  start aggregator aggregator
  for i in 1 2 3; do start participant "member-$i"; done
}

# Rounds in which a member has seen its fill.
settled_rounds() {
  if [ -f "$net/member-$1/data/results.csv" ]; then grep -c ',settled,' "$net/member-$1/data/results.csv" || true; else echo 0; fi
}
settled_more_than() { [ "$(settled_rounds "$1")" -gt "$2" ]; }
wait_for_a_round() { # MEMBER WHAT
  wait_for 90 "$2" settled_more_than "$1" "$(settled_rounds "$1")"
}
