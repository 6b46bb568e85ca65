//! The child processes.

use super::{LocalnetError, Network};
use rustix::process::{Pid, Signal, kill_process};
use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long children have to stop before they are killed, in steps of [`STEP`].
const STOP_STEPS: u32 = 200;
const STEP: Duration = Duration::from_millis(50);
/// What Rust prints when a thread panics.
const PANIC: &str = "panicked at";

/// What a process of the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Validator(u16),
    Aggregator,
    Participant(u32),
}

/// A process of the network.
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) home: PathBuf,
    pub(crate) log: PathBuf,
    /// Where the log ended before this run: what stands before is not this run's.
    log_start: u64,
    child: Child,
    ended: Option<ExitStatus>,
}

/// All processes. None of them outlives this value.
pub(crate) struct Fleet {
    pub(crate) processes: Vec<Process>,
}

impl Fleet {
    /// Starts all processes of a network: validators, then the aggregator, then the participants.
    pub(crate) fn start(network: &Network, program: &Path) -> Result<Self, LocalnetError> {
        let validators = (1..=network.validators).map(Kind::Validator);
        let participants = (1..=network.participants).map(Kind::Participant);
        let mut fleet = Self { processes: vec![] };
        for kind in validators.chain([Kind::Aggregator]).chain(participants) {
            fleet.processes.push(Process::start(network, program, kind)?);
        }
        Ok(fleet)
    }

    /// Asks all processes to stop, participants first so that they do not complain, waits, and kills who does not.
    pub(crate) fn stop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            process.terminate();
        }
        for _ in 0..STOP_STEPS {
            if self.processes.iter_mut().all(|process| process.poll().is_some()) {
                return;
            }
            std::thread::sleep(STEP);
        }
        for process in &mut self.processes {
            if process.poll().is_none() {
                tracing::warn!(process = process.name, "does not stop: it is killed");
                process.kill();
            }
        }
    }

    /// Stops a process as [`Self::stop`] does, and forgets it.
    pub(crate) fn stop_one(&mut self, name: &str) -> Result<(), LocalnetError> {
        let (processes, others) = self.processes.drain(..).partition(|process| process.name == name);
        self.processes = others;
        let mut fleet = Self { processes };
        fleet.stop();
        fleet.find_panic()
    }

    /// The first panic in any log of this run.
    pub(crate) fn find_panic(&self) -> Result<(), LocalnetError> {
        self.processes.iter().try_for_each(Process::find_panic)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Kind {
    fn command(self) -> &'static str {
        match self {
            Self::Validator(_) => "validator",
            Self::Aggregator => "aggregator",
            Self::Participant(_) => "participant",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Validator(index) => format!("validator-{index}"),
            Self::Aggregator => "aggregator".to_owned(),
            Self::Participant(number) => format!("participant-{number:03}"),
        }
    }
}

/// How many heaps glibc keeps for a process's threads. With one for each thread, what a flood of bids has used for a
/// moment stays in all of them; the systemd units of `OPERATIONS.md` set the same.
const ARENAS: &str = "MALLOC_ARENA_MAX";

impl Process {
    fn start(network: &Network, program: &Path, kind: Kind) -> Result<Self, LocalnetError> {
        let name = kind.name();
        let home = network.dir.join(&name);
        let log = network.logs().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.map_err(|reason| LocalnetError::file(&log, reason))?;
        let log_start = output.metadata().map_err(|reason| LocalnetError::file(&log, reason))?.len();
        let errors = output.try_clone().map_err(|reason| LocalnetError::file(&log, reason))?;
        let mut command = Command::new(program);
        command.arg(kind.command()).arg("--config").arg(home.join(format!("{}.toml", kind.command())));
        command.arg("--stop-with-stdin");
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        if env::var_os(ARENAS).is_none() {
            command.env(ARENAS, "1");
        }
        // Ctrl-C in the terminal is for this process alone: it stops the others in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|reason| LocalnetError::Spawn { name: name.clone(), reason })?;
        Ok(Self { name, kind, home, log, log_start, child, ended: None })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it has.
    pub(crate) fn poll(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            // A child that can't be waited for is gone: nobody else reaps it.
            self.ended = match self.child.try_wait() {
                Ok(status) => status,
                Err(_) => Some(ExitStatus::default()),
            };
        }
        self.ended
    }

    fn terminate(&mut self) {
        // Only a child that was not reaped yet: its number can't be another process's.
        if self.poll().is_none()
            && let Err(error) = kill_process(Pid::from_child(&self.child), Signal::TERM)
        {
            tracing::warn!(process = self.name, %error, "can't be asked to stop");
        }
        // The pipe stays open: a child that has seen it close would take the signal for a second one and end at once.
    }

    fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            tracing::warn!(process = self.name, %error, "can't be killed");
        }
        if let Ok(status) = self.child.wait() {
            self.ended = Some(status);
        }
    }

    fn find_panic(&self) -> Result<(), LocalnetError> {
        use std::io::{Seek, SeekFrom};
        let unreadable = |reason| LocalnetError::file(&self.log, reason);
        let mut file = File::open(&self.log).map_err(unreadable)?;
        file.seek(SeekFrom::Start(self.log_start)).map_err(unreadable)?;
        for line in BufReader::new(file).split(b'\n') {
            let line = String::from_utf8_lossy(&line.map_err(unreadable)?).into_owned();
            if line.contains(PANIC) {
                return Err(LocalnetError::Panicked { name: self.name.clone(), line, log: self.log.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of its own that does what the script says.
    fn process(dir: &Path, script: &str) -> Process {
        let log = dir.join("log");
        let output = File::create(&log).expect("log");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).stdin(Stdio::piped()).stdout(output);
        let child = command.spawn().expect("sh starts");
        let home = dir.to_owned();
        Process {
            name: "test".to_owned(),
            kind: Kind::Aggregator,
            home,
            log,
            log_start: 0,
            child,
            ended: None,
        }
    }

    #[test]
    fn children_stop_on_sigterm_and_are_reaped() {
        let dir = tempfile::tempdir().expect("dir");
        let mut fleet = Fleet { processes: vec![process(dir.path(), "exec sleep 600")] };
        assert!(fleet.processes[0].poll().is_none());
        fleet.stop();
        assert!(!fleet.processes[0].poll().expect("ended").success());
    }

    #[test]
    fn a_child_that_reads_its_input_ends_with_it() {
        let dir = tempfile::tempdir().expect("dir");
        let mut process = process(dir.path(), "trap '' TERM; cat; exit 3");
        drop(process.child.stdin.take());
        assert_eq!(process.child.wait().expect("ended").code(), Some(3));
    }

    #[test]
    fn panics_of_this_run_are_found() {
        let dir = tempfile::tempdir().expect("dir");
        let mut process = process(dir.path(), "echo fine; echo \"thread 'x' panicked at src/a.rs:1\"");
        process.child.wait().expect("ended");
        assert!(matches!(process.find_panic(), Err(LocalnetError::Panicked { .. })));
        process.log_start = std::fs::metadata(&process.log).expect("log").len();
        assert!(process.find_panic().is_ok(), "an earlier run's");
    }
}
