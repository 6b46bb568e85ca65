//! Runs the program as a user does.
#![allow(dead_code, reason = "each test binary uses its part")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `veilgrid` with these arguments.
pub fn veilgrid<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_veilgrid")).args(args).output().expect("the program starts")
}

/// Exit code of a run.
pub fn code(output: &Output) -> i32 {
    output.status.code().expect("the program was not killed")
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as JSON, of a run that succeeded.
pub fn json(output: &Output) -> Value {
    assert_eq!(code(output), 0, "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("standard output is JSON")
}

/// `clear BOOK --json` with more arguments.
pub fn clear(book: &Path, more: &[&str]) -> Value {
    let book = book.to_str().expect("a UTF-8 path");
    json(&veilgrid(["clear", book, "--json"].iter().chain(more)))
}

/// Writes a book into a folder.
pub fn write_book(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    path
}
