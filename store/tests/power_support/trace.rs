//! What `strace` wrote down of a process: its changes of files, its syncs, and what it sent, in their order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The system calls that are recorded: all that change files or their names, all that sync, and all that send.
const CALLS: &str = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync,syncfs,rename,renameat,\
    renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,truncate,fallocate,link,linkat,symlink,symlinkat,close,dup,\
    dup2,dup3,fcntl,lseek,copy_file_range,sendfile,splice,sendto,sendmsg,io_uring_setup,io_submit";

/// Whether processes can be recorded here; says so when they can't.
pub fn can_record(test: &str) -> bool {
    let ends_well = |words: &[&str]| {
        let output = Command::new("strace").args(words).output();
        output.is_ok_and(|output| output.status.success())
    };
    let there = ends_well(&["-V"]);
    // A container may forbid to trace.
    let works = there && ends_well(&["-f", "--seccomp-bpf", "-o", "/dev/null", "true"]);
    if !works {
        let why =
            if there { "may not trace processes here" } else { "is not there (apt-get install strace)" };
        // Past the capture of a test that passes.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {test}: strace {why}, so no power failure was tried");
        assert!(std::env::var_os("VEILGRID_NEEDS_STRACE").is_none(), "strace {why}");
    }
    works
}

/// Reads a recording once it is complete: the recorder ends a moment after the process.
pub fn recording(path: &Path) -> Vec<Act> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let last = text.lines().last().unwrap_or_default();
        if last.ends_with("+++") && text.ends_with('\n') {
            return read(&text).expect("a recording");
        }
        assert!(Instant::now() < end, "the recording {} does not end", path.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a command is begun with so that the process becomes the caller's child and is recorded in this file. The recorder
/// is no parent of it: whoever kills the process kills nothing else.
pub fn recorder(to: &Path) -> Vec<OsString> {
    let trace = format!("trace={CALLS}");
    let mut words: Vec<OsString> =
        ["strace", "-D", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "268435456", "-e", &trace, "-o"]
            .map(OsString::from)
            .into();
    words.push(to.into());
    words
}

/// Something that a process did.
#[derive(Debug, Clone)]
pub enum Act {
    Open {
        fd: i32,
        path: PathBuf,
        create: bool,
        truncate: bool,
        append: bool,
    },
    Close {
        fd: i32,
    },
    Duplicate {
        fd: i32,
        to: i32,
    },
    Seek {
        fd: i32,
        to: u64,
    },
    /// At a place, or where the file is open at.
    Write {
        fd: i32,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Copy {
        from: i32,
        from_at: Option<u64>,
        to: i32,
        bytes: u64,
    },
    Length {
        fd: i32,
        bytes: u64,
    },
    /// At least so long.
    Reserve {
        fd: i32,
        bytes: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Directory {
        path: PathBuf,
    },
    /// A sync was asked for: it is about what was done before.
    SyncBegins {
        call: usize,
        path: PathBuf,
    },
    /// The same of all files.
    AllSyncBegins {
        call: usize,
    },
    SyncEnds {
        call: usize,
    },
    /// Bytes are on their way to somebody.
    Sent {
        bytes: Vec<u8>,
    },
    /// A new process begins with no open files.
    Started,
}

/// Reads a recording.
pub fn read(text: &str) -> Result<Vec<Act>, String> {
    let mut begun: BTreeMap<u64, (usize, String)> = BTreeMap::new();
    let mut acts = vec![Act::Started];
    for (number, line) in text.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let process: u64 = process.parse().map_err(|_| format!("line {number} names no process"))?;
        let rest = rest.trim_start();
        let fault =
            |why: String| format!("line {number}: {why}: {}", rest.chars().take(200).collect::<String>());
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            begin(number, head, &mut acts);
            begun.insert(process, (number, head.trim_end().to_owned()));
        } else if let Some(tail) = rest.strip_prefix("<... ") {
            let Some((call, head)) = begun.remove(&process) else { continue };
            let (_, tail) = tail.split_once("resumed>").ok_or_else(|| fault("no end".to_owned()))?;
            end(call, &format!("{head}{tail}"), &mut acts).map_err(fault)?;
        } else if !rest.starts_with(['+', '-']) {
            begin(number, rest, &mut acts);
            end(number, rest, &mut acts).map_err(fault)?;
        }
    }
    Ok(acts)
}

/// What counts from the moment in which a call begins.
fn begin(call: usize, line: &str, acts: &mut Vec<Act>) {
    let Some((name, arguments)) = line.split_once('(') else { return };
    let arguments = split(arguments);
    let first = arguments.first().map_or("", String::as_str);
    match name {
        "fsync" | "fdatasync" => {
            if let Some((_, path)) = descriptor(first) {
                acts.push(Act::SyncBegins { call, path });
            }
        }
        "sync" | "syncfs" => acts.push(Act::AllSyncBegins { call }),
        "sendto" | "sendmsg" | "write" | "writev" if is_outside(first) => {
            let bytes = arguments.iter().skip(1).take(1).flat_map(|text| strings(text)).collect();
            acts.push(Act::Sent { bytes });
        }
        _ => {}
    }
}

/// What counts from the moment in which a call has ended.
fn end(call: usize, line: &str, acts: &mut Vec<Act>) -> Result<(), String> {
    let (name, rest) = line.split_once('(').ok_or("no call")?;
    let (arguments, result) = rest.rsplit_once(" = ").ok_or("no result")?;
    // A call that failed, or never came back, has done nothing.
    let Some(result) = number(result) else { return Ok(()) };
    let Ok(result) = u64::try_from(result) else { return Ok(()) };
    let arguments = split(arguments.trim_end().strip_suffix(')').unwrap_or(arguments));
    let text = |index: usize| arguments.get(index).map_or("", String::as_str);
    let value = |index: usize| number(text(index)).and_then(|value| u64::try_from(value).ok());
    let named = |index: usize| path(&arguments, index).ok_or_else(|| format!("{name} names no file"));
    let fd = descriptor(text(0)).map(|(fd, _)| fd);
    let need = |value: Option<u64>| value.ok_or_else(|| format!("{name} lacks a number"));
    let act = match name {
        "openat" => {
            let flags = text(2);
            Act::Open {
                fd: result.try_into().map_err(|_| "no descriptor")?,
                path: named(1)?,
                create: flags.contains("O_CREAT"),
                truncate: flags.contains("O_TRUNC"),
                append: flags.contains("O_APPEND"),
            }
        }
        "close" | "lseek" | "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "ftruncate"
        | "fallocate" | "fcntl" | "dup" | "dup2" | "dup3" | "fsync" | "fdatasync"
            if fd.is_none() =>
        {
            return Ok(());
        }
        "close" => Act::Close { fd: fd.unwrap_or(-1) },
        "lseek" => Act::Seek { fd: fd.unwrap_or(-1), to: result },
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => {
            let mut bytes = strings(text(1));
            bytes.truncate(usize::try_from(result).unwrap_or(usize::MAX));
            let at = match name {
                "pwrite64" | "pwritev" | "pwritev2" => Some(need(value(3))?),
                _ => None,
            };
            Act::Write { fd: fd.unwrap_or(-1), at, bytes }
        }
        "ftruncate" => Act::Length { fd: fd.unwrap_or(-1), bytes: need(value(1))? },
        "fallocate" if text(1) == "0" => {
            Act::Reserve { fd: fd.unwrap_or(-1), bytes: need(value(2))?.saturating_add(need(value(3))?) }
        }
        "copy_file_range" => Act::Copy {
            from: fd.unwrap_or(-1),
            from_at: None,
            to: descriptor(text(2)).map_or(-1, |(fd, _)| fd),
            bytes: result,
        },
        "sendfile" => Act::Copy {
            from: descriptor(text(1)).map_or(-1, |(fd, _)| fd),
            from_at: None,
            to: fd.unwrap_or(-1),
            bytes: result,
        },
        "fsync" | "fdatasync" | "sync" | "syncfs" => Act::SyncEnds { call },
        "fcntl" if text(1).starts_with("F_DUPFD") => duplicate(fd, result)?,
        "dup" | "dup2" | "dup3" => duplicate(fd, result)?,
        "rename" => Act::Rename { from: named(0)?, to: named(1)? },
        "renameat" | "renameat2" => Act::Rename { from: named(1)?, to: named(3)? },
        "link" => Act::Link { from: named(0)?, to: named(1)? },
        "linkat" => Act::Link { from: named(1)?, to: named(3)? },
        "unlink" | "rmdir" => Act::Remove { path: named(0)? },
        "unlinkat" => Act::Remove { path: named(1)? },
        "mkdir" => Act::Directory { path: named(0)? },
        "mkdirat" => Act::Directory { path: named(1)? },
        "fcntl" | "sendto" | "sendmsg" => return Ok(()),
        other => return Err(format!("{other} is not understood")),
    };
    acts.push(act);
    Ok(())
}

fn duplicate(fd: Option<i32>, result: u64) -> Result<Act, String> {
    let to = result.try_into().map_err(|_| "no descriptor")?;
    Ok(Act::Duplicate { fd: fd.ok_or("no descriptor")?, to })
}

/// The arguments of a call, at the commas outside of brackets. Texts are hexadecimal, so that none has a comma or a
/// bracket of its own.
fn split(arguments: &str) -> Vec<String> {
    let (mut parts, mut depth, mut part) = (Vec::new(), 0usize, String::new());
    for letter in arguments.chars() {
        match letter {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(part.trim().to_owned());
                part.clear();
                continue;
            }
            _ => {}
        }
        part.push(letter);
    }
    parts.push(part.trim().to_owned());
    parts
}

/// `12</a/file>`: the number and the file, if it is one with a path.
fn descriptor(text: &str) -> Option<(i32, PathBuf)> {
    let (fd, rest) = text.split_once('<')?;
    let path = unhex(rest.split_once('>')?.0);
    path.starts_with(b"/").then(|| Some((fd.parse().ok()?, PathBuf::from(OsString::from_vec(path)))))?
}

/// Whether what is written there goes to somebody else.
fn is_outside(text: &str) -> bool {
    let Some((_, rest)) = text.split_once('<') else { return false };
    let target = unhex(rest.split('>').next().unwrap_or_default());
    target.starts_with(b"socket:") || target.starts_with(b"pipe:")
}

/// A file's name, taken from the folder in the argument before it when it is relative.
fn path(arguments: &[String], index: usize) -> Option<PathBuf> {
    let name = PathBuf::from(OsString::from_vec(strings(arguments.get(index)?)));
    if name.is_absolute() {
        return Some(name);
    }
    let (_, folder) = arguments.get(index.checked_sub(1)?)?.split_once('<')?;
    Some(PathBuf::from(OsString::from_vec(unhex(folder.split_once('>')?.0))).join(name))
}

/// The number at the beginning of a text.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '-').unwrap_or(text.len());
    text[..end].parse().ok()
}

/// All texts in quotes, one after the other.
fn strings(text: &str) -> Vec<u8> {
    text.split('"').skip(1).step_by(2).flat_map(unhex).collect()
}

/// `\x61b` as `ab`.
fn unhex(text: &str) -> Vec<u8> {
    let (mut bytes, letters) = (Vec::with_capacity(text.len() / 4), text.as_bytes());
    let mut at = 0;
    while at < letters.len() {
        let code = letters.get(at..at + 4).filter(|code| code.starts_with(b"\\x"));
        let code = code.and_then(|code| std::str::from_utf8(&code[2..]).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                at += 4;
            }
            None => {
                bytes.push(letters[at]);
                at += 1;
            }
        }
    }
    bytes
}

#[test]
fn a_recording_is_read_in_the_order_of_its_beginnings_and_ends() {
    let text = concat!(
        "7  openat(AT_FDCWD<\\x2f\\x74>, \"\\x61\", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3<\\x2f\\x74\\x2f\\x61>\n",
        "7  write(3<\\x2f\\x74\\x2f\\x61>, \"\\x31\\x2c\\x32\", 3) = 3\n",
        "7  fsync(3<\\x2f\\x74\\x2f\\x61> <unfinished ...>\n",
        "8  sendto(5<\\x73\\x6f\\x63\\x6b\\x65\\x74\\x3a\\x5b\\x31\\x5d>, \"\\x68\\x69\", 2, MSG_NOSIGNAL, NULL, 0) = 2\n",
        "7  <... fsync resumed>) = 0\n",
        "7  rename(\"\\x2f\\x74\\x2f\\x61\", \"\\x2f\\x74\\x2f\\x62\") = -1 ENOENT (No such file or directory)\n",
        "7  +++ exited with 0 +++\n",
    );
    let acts = format!("{:?}", read(text).expect("read"));
    let expected = "[Started, Open { fd: 3, path: \"/t/a\", create: true, truncate: false, append: false }, \
        Write { fd: 3, at: None, bytes: [49, 44, 50] }, SyncBegins { call: 2, path: \"/t/a\" }, \
        Sent { bytes: [104, 105] }, SyncEnds { call: 2 }]";
    assert_eq!(acts, expected);
}
