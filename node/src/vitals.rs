//! What every process watches of its network and its machine, says in its log, and shows: whether enough validators hold
//! shares, whether blocks come, disk, clock, certificate.

use crate::checks::{certain_skew_ms, wall_clock_unix_ms};
use crate::disk_space::{DiskWatch, free_space};
use crate::money_watch::money_findings;
use crate::share_roll::{ShareRoll, Validators};
use crate::survey::Answer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use veilgrid_actors::stopwatch::Stopwatch;
use veilgrid_api::StatusReport;
use veilgrid_ledger::money::watch::MoneyWatch;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};

/// No final block for this long is trouble. Idle blocks come every second.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(30);
/// What stays as it is is said so often, in milliseconds.
const SAY_EVERY_MS: u64 = 60_000;
/// A certificate that expires sooner is said, in seconds.
const CERTIFICATE_SOON_S: i64 = 14 * 86_400;

/// The watch of one process. Clones are one watch.
#[derive(Clone)]
pub(crate) struct Vitals(Arc<Mutex<Inner>>);

struct Inner {
    data_dir: PathBuf,
    disk: DiskWatch,
    certificate_expires_unix_s: Option<i64>,
    roll: ShareRoll,
    /// Validators that say of themselves that they hold no shares.
    denied: Validators,
    clock_skew_ms: Option<i64>,
    /// Peers whose engines are connected to this one's, while one runs.
    engine_peers: Option<u64>,
    /// Validators that answered when they were last asked.
    answered: Option<u64>,
    height: u64,
    block_unix_ms: u64,
    suspended_rounds: u64,
    /// On a ledger with money.
    money: Option<MoneyWatch>,
    /// n, t and f of the validators in force.
    validators: u16,
    threshold: u16,
    faults: u16,
    /// Since the last final block, or the start.
    silence: Stopwatch,
    longest_silence: Duration,
    /// When each finding was last said, Unix milliseconds.
    said: BTreeMap<&'static str, u64>,
}

/// Something that somebody should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) key: &'static str,
    pub(crate) is_error: bool,
    /// The process does not do its work, or the network not its own.
    pub(crate) is_trouble: bool,
    pub(crate) text: String,
}

impl Vitals {
    /// A watch that begins at a state. What `disk` finds is shown with all else.
    pub(crate) fn new(data_dir: &Path, disk: DiskWatch, roll: ShareRoll, state: &State) -> Self {
        let vitals = Self(Arc::new(Mutex::new(Inner {
            data_dir: data_dir.to_owned(),
            disk,
            certificate_expires_unix_s: None,
            roll,
            denied: Validators::new(),
            clock_skew_ms: None,
            engine_peers: None,
            answered: None,
            height: 0,
            block_unix_ms: 0,
            suspended_rounds: 0,
            money: None,
            validators: 0,
            threshold: 0,
            faults: 0,
            silence: Stopwatch::start(),
            longest_silence: LONGEST_SILENCE,
            said: BTreeMap::new(),
        })));
        vitals.look(state);
        vitals
    }

    /// The certificate of the process's API.
    pub(crate) fn set_certificate(&self, expires_unix_s: Option<i64>) {
        self.lock().certificate_expires_unix_s = expires_unix_s;
    }

    /// Peers whose engines are connected to this one's; none while no engine runs.
    pub(crate) fn set_engine_peers(&self, peers: Option<u64>) {
        self.lock().engine_peers = peers;
    }

    /// Takes what final blocks did, in their order.
    pub(crate) fn note(&self, effects: &BlockEffects) {
        let mut inner = self.lock();
        effects.all().for_each(|effect| {
            if matches!(effect, Effect::KeysInForce { .. }) {
                // What was said was of the shares before.
                inner.denied.clear();
            }
            inner.roll.note(effect);
        });
    }

    /// What is known of the holders of shares.
    pub(crate) fn roll(&self) -> ShareRoll {
        self.lock().roll.clone()
    }

    /// Looks at the final state.
    pub(crate) fn look(&self, state: &State) {
        let mut inner = self.lock();
        inner.roll.look(state);
        if state.height() > inner.height {
            inner.silence = Stopwatch::start();
        }
        (inner.height, inner.block_unix_ms) = (state.height(), state.time_unix_ms());
        let suspended = state.rounds().filter(|round| state.is_suspended(round.round_id())).count();
        inner.suspended_rounds = suspended as u64;
        inner.money = state.money_watch();
        (inner.validators, inner.threshold) = (state.community().validators(), state.community().threshold());
        inner.faults = state.roster().group().faults();
    }

    /// What validators said of themselves when all were asked.
    pub(crate) fn surveyed(&self, answers: &[Answer]) {
        let mut inner = self.lock();
        let height = inner.height;
        inner.answered = Some(answers.len() as u64);
        inner.denied = answers.iter().filter_map(|answer| answer.denies(height)).collect();
        let samples: Vec<_> = answers.iter().filter_map(|answer| answer.clock).collect();
        // Others' time less ours.
        inner.clock_skew_ms = certain_skew_ms(&samples, inner.faults.into()).map(i64::saturating_neg);
    }

    /// Whoever begins with something new gets its time.
    pub(crate) fn begin_silence(&self) {
        self.lock().silence = Stopwatch::start();
    }

    /// How long no final block has come, when that is too long.
    pub(crate) fn silence(&self) -> Option<Duration> {
        let inner = self.lock();
        Some(inner.silence.elapsed()).filter(|silence| *silence > inner.longest_silence)
    }

    #[cfg(test)]
    pub(crate) fn set_longest_silence(&self, longest: Duration) {
        self.lock().longest_silence = longest;
    }

    /// Adds to a report what is watched here. `own_lack`: the number of this very validator when it holds no shares.
    pub(crate) fn complete(&self, report: StatusReport, own_lack: Option<u16>) -> StatusReport {
        let now_unix_ms = wall_clock_unix_ms();
        let inner = self.lock();
        let findings = inner.findings(own_lack, now_unix_ms);
        let texts = |is_trouble: bool| {
            let same = findings.iter().filter(move |finding| finding.is_trouble == is_trouble);
            same.map(|finding| finding.text.clone())
        };
        let troubles: Vec<String> = report.trouble.into_iter().chain(texts(true)).collect();
        inner.disk.add_to(StatusReport {
            holders: inner.holders(own_lack),
            suspended_rounds: inner.suspended_rounds,
            last_block_age_s: Some(now_unix_ms.saturating_sub(inner.block_unix_ms) / 1_000),
            peers_connected: inner.engine_peers.or(inner.answered),
            // What the disk does not say is not shown.
            disk_free_bytes: free_space(&inner.data_dir).ok(),
            clock_skew_ms: inner.clock_skew_ms,
            certificate_expires_unix_s: inner.certificate_expires_unix_s,
            warnings: report.warnings.into_iter().chain(texts(false)).collect(),
            trouble: (!troubles.is_empty()).then(|| troubles.join("; ")),
            ..report
        })
    }

    /// Logs what is wrong: at once, then once a minute, and when it is over.
    pub(crate) fn say(&self, own_lack: Option<u16>) {
        let now_unix_ms = wall_clock_unix_ms();
        let mut inner = self.lock();
        let findings = inner.findings(own_lack, now_unix_ms);
        let (due, ended) = inner.due(findings, now_unix_ms);
        for Finding { text, is_error, .. } in due {
            match is_error {
                true => tracing::error!("{text}"),
                false => tracing::warn!("{text}"),
            }
        }
        for key in ended {
            tracing::info!("over: {key}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change of it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn holders(&self, own_lack: Option<u16>) -> Option<u16> {
        let without: Validators = self.denied.iter().copied().chain(own_lack).collect();
        // A ledger that one process extends has no roster, and its keys no holders among others.
        self.roll.holders(self.validators, self.threshold, &without)
    }

    fn findings(&self, own_lack: Option<u16>, now_unix_ms: u64) -> Vec<Finding> {
        let certificate = self.certificate_expires_unix_s;
        let now_unix_s = i64::try_from(now_unix_ms / 1_000).unwrap_or(i64::MAX);
        let silence = Some(self.silence.elapsed()).filter(|silence| *silence > self.longest_silence);
        let found = [
            own_lack.map(|_| without_shares()),
            self.holders(own_lack).and_then(|holders| few_holders(holders, self.validators, self.threshold)),
            silence.map(silent),
            certificate.and_then(|expires_unix_s| expiring(expires_unix_s, now_unix_s)),
        ];
        let money = self.money.map(|money| money_findings(&money, self.block_unix_ms)).unwrap_or_default();
        found.into_iter().flatten().chain(money).collect()
    }

    /// Those of the findings that are to be said now, and the keys of those that were said and are over.
    fn due(&mut self, findings: Vec<Finding>, now_unix_ms: u64) -> (Vec<Finding>, Vec<&'static str>) {
        let over = |key: &&'static str| !findings.iter().any(|finding| finding.key == *key);
        let ended: Vec<_> = self.said.keys().copied().filter(over).collect();
        self.said.retain(|key, _| !ended.contains(key));
        let last = |key| self.said.get(key).copied();
        let is_due = |finding: &Finding| {
            last(finding.key).is_none_or(|last| now_unix_ms.abs_diff(last) >= SAY_EVERY_MS)
        };
        let due: Vec<_> = findings.into_iter().filter(is_due).collect();
        self.said.extend(due.iter().map(|finding| (finding.key, now_unix_ms)));
        (due, ended)
    }
}

fn few_holders(holders: u16, validators: u16, threshold: u16) -> Option<Finding> {
    let (key, has) =
        ("few holders of shares", format!("{holders} of {validators} validators hold key shares"));
    if holders < threshold {
        let text = format!(
            "{has} and {threshold} are needed: no round can be opened; bring validators with their shares.vgkeys back before the \
             rounds' deadlines"
        );
        return Some(Finding { key, is_error: true, is_trouble: true, text });
    }
    (holders == threshold).then(|| Finding {
        key: "no holder of shares to spare",
        is_error: false,
        is_trouble: false,
        text: format!("{has}, which is just enough: one fewer and no round can be opened"),
    })
}

fn without_shares() -> Finding {
    let text = "this validator holds no key shares and opens nothing: stop it and put the newest copy of its shares.vgkeys back, or \
                wait, it gets new ones within two epochs"
        .to_owned();
    Finding { key: "no shares here", is_error: false, is_trouble: false, text }
}

fn silent(silence: Duration) -> Finding {
    let text = format!(
        "no final block for {} s: this process is cut off, or fewer than n - f validators run",
        silence.as_secs()
    );
    Finding { key: "no blocks", is_error: false, is_trouble: true, text }
}

fn expiring(expires_unix_s: i64, now_unix_s: i64) -> Option<Finding> {
    let left_s = expires_unix_s.saturating_sub(now_unix_s);
    let text = match left_s {
        ..=0 => "the certificate of the HTTP API has expired: renew it and restart".to_owned(),
        _ => format!(
            "the certificate of the HTTP API expires in {} days: renew it and restart",
            left_s / 86_400
        ),
    };
    let finding = Finding { key: "certificate", is_error: left_s <= 0, is_trouble: false, text };
    (left_s < CERTIFICATE_SOON_S).then_some(finding)
}

#[cfg(test)]
#[path = "vitals_tests.rs"]
mod tests;
