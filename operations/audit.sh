# The audit of the handbook: a copy of the aggregator's store, exported and checked with the members' receipts. Sourced.

rehearse_audit() {
  say "audit"
  mkdir "$net/audit"
  stop aggregator
  cp -a "$net/aggregator/data/ledger" "$net/audit/store"
  start aggregator aggregator
  "$program" export "$net/audit/store" "$net/audit/ledger.vgl" >"$net/audit/export.txt"
  cat "$net"/member-*/data/receipts/*.receipt >"$net/audit/receipts.txt"
  "$program" audit "$net/audit/ledger.vgl" --genesis "$hash" --receipts "$net/audit/receipts.txt" >"$net/audit/report.txt" ||
    { cat "$net/audit/report.txt"; fail "the audit of an honest network"; }
  say "the audit passes"
  # A wrong genesis is refused, so that the audit above says something.
  if "$program" audit "$net/audit/ledger.vgl" --genesis "${hash//[0-4]/5}" >/dev/null 2>&1; then fail "a wrong genesis passed"; fi
}
