#!/usr/bin/env bash
# sled 0.34.7 on Linux, seen on 30 November 2026.
#
# The documentation of `Db::flush` says that it calls fsync. Traced, it ends in sync_file_range: that call starts and awaits
# write-back of the pages, and does not ask the disk to empty its cache, nor does it write the file's length. No fsync or
# fdatasync follows the last write, and the folder of a new database is never synced. After a power cut the file may be
# shorter than what was acknowledged.
#
# Output seen:
#   after the last write of flush(): 1 sync_file_range, 0 fsync, 0 fdatasync
#
# For veilgrid: `store/` syncs the files and folders itself before it acknowledges a block or a receipt.
set -euo pipefail
command -v strace >/dev/null || { echo "this needs strace"; exit 2; }
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "flush"
version = "0.1.0"
edition = "2021"
[dependencies]
sled = "=0.34.7"
[workspace]
TOML
cat >"$work/src/main.rs" <<'RS'
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let db = sled::Config::new().path(path).flush_every_ms(None).open().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500)); // what opening does is over
    db.insert("key", "value").unwrap();
    eprintln!("flush begins");
    db.flush().unwrap();
    eprintln!("flush has returned");
    std::process::exit(0);
}
RS
(cd "$work" && cargo build --quiet)
calls=fsync,fdatasync,sync_file_range,write,pwrite64
strace -f -e trace=$calls -o "$work/trace" "$work/target/debug/flush" "$work/db" 2>/dev/null
# The lines between the two marks, from the last write to the database on.
sed -n '/flush begins/,/flush has returned/p' "$work/trace" | tac | sed '/pwrite64(/q' >"$work/after"
count() { grep -c " $1(" "$work/after" || true; }
range=$(count sync_file_range) full=$(( $(count fsync) )) data=$(count fdatasync)
echo "after the last write of flush(): $range sync_file_range, $full fsync, $data fdatasync"
grep -q 'pwrite64(' "$work/after"
test "$range" -ge 1 && test "$full" -eq 0 && test "$data" -eq 0
