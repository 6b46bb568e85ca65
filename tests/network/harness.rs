//! A network whose processes are started, killed and asked one by one. None of them outlives its test.

use crate::http;
use crate::ports::free_ports;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_veilgrid");
/// Between two looks.
pub const LOOK: Duration = Duration::from_millis(50);
/// How long a process may take to stop in order.
const STOP: Duration = Duration::from_secs(20);
/// What a bid needs at most to be promised, on a machine that has more to do.
const BIDDING: Duration = Duration::from_secs(4);
/// Lines of each log that a failing test prints.
const TAIL: usize = 25;
/// What a test chooses of a network.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub validators: u16,
    pub participants: u32,
    pub lead_s: u64,
    pub interval_s: u64,
    pub deadline_s: u64,
    pub grace_blocks: u32,
    pub epoch_blocks: u64,
    /// Validators after these that the genesis does not name. All know their addresses from the start.
    pub newcomers: u16,
    /// Rounds after whose end the validators drop the bids of an earlier one; never when there is none.
    pub prune_after_rounds: Option<u64>,
    /// Whether members have balances. The test makes the first deposits.
    pub money: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            validators: 4,
            participants: 3,
            lead_s: 10,
            // Half of it takes bids; promises end two skews of clocks (4 s) before that. What is left bears two silent
            // leaders, one after the other, on a machine that has more to do.
            interval_s: 24,
            deadline_s: 30,
            grace_blocks: 3,
            epoch_blocks: 120,
            newcomers: 0,
            prune_after_rounds: None,
            money: false,
        }
    }
}

/// A founded network and the processes of it that run.
pub struct Network {
    pub dir: PathBuf,
    pub plan: Plan,
    base_port: u16,
    running: BTreeMap<String, Child>,
}

pub fn validator(index: u16) -> String {
    format!("validator-{index}")
}

pub fn participant(number: u32) -> String {
    format!("participant-{number:03}")
}

impl Network {
    /// Founds a network; nothing of it runs.
    pub fn found(test: &str, plan: Plan) -> Self {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("network-{test}-{}", std::process::id()));
        // What a run of the same number left behind.
        let _ = std::fs::remove_dir_all(&dir);
        // Two of the aggregator and three a validator, two a newcomer, one for a participant's health.
        let base_port = free_ports(3 * plan.validators + 2 + 2 * plan.newcomers + 1);
        let numbers = [
            ("--validators", u64::from(plan.validators)),
            ("--participants", u64::from(plan.participants)),
            ("--lead-s", plan.lead_s),
            ("--interval-s", plan.interval_s),
            ("--deadline-s", plan.deadline_s),
            ("--grace-blocks", u64::from(plan.grace_blocks)),
            ("--epoch-blocks", plan.epoch_blocks),
            ("--base-port", u64::from(base_port)),
            ("--ticks", 16),
        ];
        let mut command = Command::new(PROGRAM);
        command.args(["localnet", "--found-only", "--dir"]).arg(&dir);
        for (option, value) in numbers {
            command.arg(option).arg(value.to_string());
        }
        if let Some(rounds) = plan.prune_after_rounds {
            command.arg("--prune-after-rounds").arg(rounds.to_string());
        }
        if plan.money {
            command.arg("--money");
        }
        succeed(&command.stdin(Stdio::null()).output().expect("the program starts"));
        let network = Self { dir, plan, base_port, running: BTreeMap::new() };
        network.settle_newcomers();
        network
    }

    /// Founds a network and starts all of it.
    pub fn start_all(test: &str, plan: Plan) -> Self {
        let mut network = Self::found(test, plan);
        network.start_validators();
        network.start("aggregator");
        network.start_participants();
        network
    }

    pub fn start_validators(&mut self) {
        self.validators().for_each(|index| self.start(&validator(index)));
    }

    pub fn start_participants(&mut self) {
        (1..=self.plan.participants).for_each(|number| self.start(&participant(number)));
    }

    /// All validators' numbers.
    pub fn validators(&self) -> std::ops::RangeInclusive<u16> {
        1..=self.plan.validators + self.plan.newcomers
    }

    pub fn http_port(&self, name: &str) -> u16 {
        let Some(index) = name.strip_prefix("validator-") else { return self.base_port };
        let index: u16 = index.parse().expect("a number");
        // Behind the validators of the genesis are their ports for consensus and everybody's for health.
        let behind = if index > self.plan.validators { 2 * self.plan.validators + 1 } else { 0 };
        self.base_port + behind + index
    }

    /// Where a validator of the genesis or the aggregator shows health and metrics alone; for a participant a port that it
    /// can be told.
    pub fn health_port(&self, name: &str) -> u16 {
        let Plan { validators, newcomers, .. } = self.plan;
        if name.starts_with("participant") {
            return self.base_port + 3 * validators + 2 + 2 * newcomers;
        }
        self.http_port(name) + 2 * validators + 1
    }

    pub fn home(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Everybody's.
    pub fn homes(&self) -> Vec<PathBuf> {
        let mut names = vec!["aggregator".to_owned()];
        names.extend(self.validators().map(validator));
        names.extend((1..=self.plan.participants).map(participant));
        names.iter().map(|name| self.home(name)).collect()
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    pub fn log(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path(name)).unwrap_or_default()).into_owned()
    }

    /// Begins a log anew.
    pub fn forget_log(&self, name: &str) {
        std::fs::remove_file(self.log_path(name)).expect("removed");
    }

    /// The command that runs a process; it stops when its standard input closes.
    fn arguments(&self, name: &str) -> [String; 4] {
        let kind = name.split('-').next().expect("a name");
        let config = self.home(name).join(format!("{kind}.toml"));
        [kind.to_owned(), "--config".to_owned(), config.display().to_string(), "--stop-with-stdin".to_owned()]
    }

    pub fn start(&mut self, name: &str) {
        let mut command = Command::new(PROGRAM);
        command.args(self.arguments(name));
        self.spawn(name, command);
    }

    /// Starts a process that may have so many files open, and can't ask for more.
    pub fn start_with_few_files(&mut self, name: &str, files: u32) {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(PROGRAM).args(self.arguments(name));
        self.spawn(name, command);
    }

    /// Starts a process by another command, which runs it.
    pub fn start_under(&mut self, name: &str, words: &[std::ffi::OsString]) {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(PROGRAM).args(self.arguments(name));
        self.spawn(name, command);
    }

    /// Stops a process where it is, with no call of the system under way.
    pub fn freeze(&mut self, name: &str) {
        self.signal(name, "STOP");
        let tasks = PathBuf::from(format!("/proc/{}/task", self.running[name].id()));
        let stands = |_: &Self| {
            let all = std::fs::read_dir(&tasks).ok()?.all(|task| {
                let stat = task.ok().and_then(|task| std::fs::read_to_string(task.path().join("stat")).ok());
                // Behind the name, which is in brackets and may hold anything.
                let state = stat.and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
                state.is_none_or(|state| matches!(state, 'T' | 't'))
            });
            all.then_some(())
        };
        // A call that is followed stands for a moment too: all of them stand twice in a row.
        for _ in 0..2 {
            self.wait_for(&format!("{name} to stand still"), 60, stands);
            std::thread::sleep(4 * LOOK);
        }
        self.wait_for(&format!("{name} to stand still"), 60, stands);
    }

    /// `kill -9` of everything at once.
    pub fn kill_all(&mut self) {
        self.running.values_mut().for_each(|child| child.kill().expect("killed"));
        for (_, mut child) in std::mem::take(&mut self.running) {
            child.wait().expect("reaped");
        }
    }

    /// Starts a process whose files can't grow beyond so many KiB: writes fail as on a full disk.
    pub fn start_on_small_disk(&mut self, name: &str, file_kib: u32) {
        let mut command = Command::new("sh");
        // Units of 512 bytes, as POSIX has them.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * file_kib);
        command.args(["-c", &script]).arg(PROGRAM).args(self.arguments(name));
        self.spawn(name, command);
    }

    fn spawn(&mut self, name: &str, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.log_path(name)).expect("log");
        let errors = log.try_clone().expect("log");
        command.stdin(Stdio::piped()).stdout(log).stderr(errors);
        let child = command.spawn().expect("the process starts");
        assert!(self.running.insert(name.to_owned(), child).is_none(), "{name} runs already");
    }

    /// `kill -9`.
    pub fn kill(&mut self, name: &str) {
        let mut child = self.take(name);
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// Sends a process a signal, by its name as `kill` has it.
    pub fn signal(&self, name: &str, signal: &str) {
        let id = self.running.get(name).unwrap_or_else(|| panic!("{name} does not run")).id().to_string();
        succeed(&Command::new("kill").args(["-s", signal, &id]).output().expect("kill"));
    }

    /// Asks a process to stop; it has to do so in order.
    pub fn stop(&mut self, name: &str) {
        let mut child = self.take(name);
        drop(child.stdin.take());
        let status = wait(&mut child, STOP);
        if status.is_none() {
            // It can be looked at no longer, and must not stay.
            child.kill().expect("killed");
            child.wait().expect("reaped");
        }
        match status {
            Some(status) if status.success() => {}
            Some(status) => self.fail(&format!("{name} was asked to stop and ended so: {status}")),
            None => self.fail(&format!("{name} does not stop within {STOP:?}")),
        }
    }

    /// Waits until a process ends by itself.
    pub fn ended(&mut self, name: &str, seconds: u64) -> ExitStatus {
        let mut child = self.take(name);
        match wait(&mut child, Duration::from_secs(seconds)) {
            Some(status) => status,
            None => {
                self.running.insert(name.to_owned(), child);
                self.fail(&format!("{name} still runs after {seconds} s"))
            }
        }
    }

    /// How a process has ended by itself, if it has.
    pub fn has_ended(&mut self, name: &str) -> Option<ExitStatus> {
        let status = self.running.get_mut(name).expect("it was started").try_wait().expect("a child")?;
        self.running.remove(name);
        Some(status)
    }

    fn take(&mut self, name: &str) -> Child {
        self.running.remove(name).unwrap_or_else(|| panic!("{name} does not run"))
    }

    pub fn runs(&self, name: &str) -> bool {
        self.running.contains_key(name)
    }

    /// Fails if a process has ended by itself.
    pub fn all_alive(&mut self) {
        let ended = self.running.iter_mut().find_map(|(name, child)| {
            child.try_wait().expect("a child").map(|status| format!("{name} ended by itself: {status}"))
        });
        if let Some(text) = ended {
            self.fail(&text);
        }
    }

    pub fn running_validators(&self) -> Vec<u16> {
        self.validators().filter(|index| self.runs(&validator(*index))).collect()
    }

    /// What a process says about itself; none when it does not answer.
    pub fn status(&self, name: &str) -> Option<Value> {
        http::json(self.http_port(name), "/v1/status")
    }

    /// A round as a process sees it.
    pub fn round(&self, name: &str, round_id: u64) -> Option<Value> {
        http::json(self.http_port(name), &format!("/v1/rounds/{round_id}"))
    }

    pub fn height(&self, name: &str) -> Option<u64> {
        self.status(name)?["height"].as_u64()
    }

    /// Looks until there is something; fails with all logs when it takes too long or a process ends meanwhile.
    pub fn wait_for<T>(&mut self, what: &str, seconds: u64, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            self.all_alive();
            if Instant::now() > end {
                self.fail(&format!("not within {seconds} s: {what}"));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until all running validators have keys.
    pub fn wait_for_keys(&mut self, seconds: u64) {
        self.wait_for("keys", seconds, |network| {
            let running = network.running_validators();
            let mut statuses = running.iter().map(|index| network.status(&validator(*index)));
            statuses.all(|status| status.is_some_and(|status| status["keys_ready"] == true)).then_some(())
        });
    }

    /// Waits until a round after this one takes bids and gives promises for a while ([`BIDDING`]); its number. (One
    /// that a silent leader opened late may be over before everybody has a promise.)
    pub fn wait_for_bidding(&mut self, after: u64) -> u64 {
        let seconds = self.plan.lead_s + 2 * self.plan.interval_s + 60;
        self.wait_for("a round that takes bids", seconds, |network| {
            network.running_validators().into_iter().find_map(|index| {
                let name = validator(index);
                let last = network.status(&name)?["last_round_id"].as_u64().filter(|last| *last > after)?;
                let round = network.round(&name, last)?;
                let enough_ms = now_unix_ms() + u64::try_from(BIDDING.as_millis()).expect("seconds");
                let open =
                    round["stage"] == "bidding" && round["last_promise_unix_ms"].as_u64()? >= enough_ms;
                open.then_some(last)
            })
        })
    }

    /// Waits until a round is over at all running validators; what one says of it that saw the end. (Who has started
    /// since then says no more than that it is over.)
    pub fn wait_for_end(&mut self, round_id: u64) -> Value {
        let seconds = self.plan.interval_s + self.plan.deadline_s + 40;
        self.wait_for(&format!("the end of round {round_id}"), seconds, |network| {
            let running = network.running_validators().into_iter();
            let rounds: Option<Vec<Value>> =
                running.map(|index| network.round(&validator(index), round_id)).collect();
            let (rounds, over) = (rounds?, |stages: &[&str], round: &Value| {
                stages.iter().any(|stage| round["stage"] == *stage)
            });
            let all = rounds.iter().all(|round| over(&["settled", "void", "finished"], round));
            rounds.into_iter().find(|round| all && over(&["settled", "void"], round))
        })
    }

    /// The end of a round that has to be cleared, with the bids of all participants.
    pub fn wait_for_clearing(&mut self, round_id: u64) {
        let round = self.wait_for_end(round_id);
        if round["stage"] != "settled" || round["bids"] != self.plan.participants {
            self.fail(&format!("round {round_id} is not cleared with everybody's bid: {round}"));
        }
    }

    /// Fails the test with the ends of all logs.
    pub fn fail(&self, text: &str) -> ! {
        let mut names: Vec<String> = ["aggregator".to_owned()].into();
        names.extend(self.validators().map(validator));
        names.extend((1..=self.plan.participants.min(3)).map(participant));
        for name in names {
            let log = self.log(&name);
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- {name}{}", if self.runs(&name) { "" } else { " (does not run)" });
            for line in &lines[lines.len().saturating_sub(TAIL)..] {
                eprintln!("{}", line.chars().take(300).collect::<String>());
            }
            eprintln!("status: {}", self.status(&name).unwrap_or_default());
        }
        panic!("{text}; the network is kept in {}", self.dir.display());
    }

    /// Stops everything in order, looks for panics and removes the files.
    pub fn finish(mut self) {
        self.all_alive();
        let mut names: Vec<String> = self.running.keys().cloned().collect();
        // Participants first: they would complain.
        names.sort_by_key(|name| !name.starts_with("participant"));
        for name in names {
            self.stop(&name);
        }
        self.no_panics();
        std::fs::remove_dir_all(&self.dir).expect("removed");
    }

    /// No log tells of a panic.
    pub fn no_panics(&self) {
        for entry in std::fs::read_dir(self.dir.join("logs")).expect("logs") {
            let path = entry.expect("a log").path();
            let log = String::from_utf8_lossy(&std::fs::read(&path).expect("read")).into_owned();
            if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
                self.fail(&format!("{}: {line}", path.display()));
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // It may have ended; whatever is wrong, the others must go too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn wait(child: &mut Child, longest: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + longest;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(LOOK);
    }
}

/// Runs the program to its end.
pub fn program(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

/// Standard output of a run that has to succeed.
pub fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn now_unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("for a while")
}
