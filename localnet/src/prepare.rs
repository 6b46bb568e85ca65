//! The files of a local network: a new one, or one of before.

use super::LocalnetError;
use crate::description::{DESCRIPTION, Description, Options, read_description, same};
use crate::founding::{found_for_accounts, found_network};
use crate::plan::{NetworkPlan, Ports};
use fs4::fs_std::FileExt;
use rand_core::CryptoRngCore;
use std::fs::File;
use std::path::{Path, PathBuf};
use veilgrid_crypto::secret::Secret;
use veilgrid_node::founding::PublicPart;
use veilgrid_node::passphrase::{self, Passphrase};
use veilgrid_store::files::write_new_private;

/// Held while a network runs.
const LOCK: &str = "localnet.lock";

/// A network whose files are there. While this value lives nobody else runs the network.
#[derive(Debug)]
pub struct Network {
    pub(super) dir: PathBuf,
    pub(super) validators: u16,
    pub(super) participants: u32,
    pub(super) interval_s: u64,
    pub(super) ports: Ports,
    /// What each member's balance begins with, ct; none: no money.
    pub(super) deposit_ct: Option<u64>,
    /// True when it was founded before.
    pub continued: bool,
    _lock: File,
}

impl Network {
    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the logs are.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Addresses of the validators' HTTP API, in order.
    pub fn validator_urls(&self) -> Vec<String> {
        (1..=self.validators).map(|index| self.validator_url(index)).collect()
    }

    /// Address of a validator's; validators count from 1.
    pub fn validator_url(&self, index: u16) -> String {
        format!("http://{}", self.ports.validator(index))
    }

    /// Address of the aggregator's.
    pub fn aggregator_url(&self) -> String {
        format!("http://{}", self.ports.aggregator())
    }
}

/// Founds a network in an empty (or new) folder, or opens the one that is there.
///
/// # Errors
/// A folder of somebody else, options that are not those of the network, and what can't be written.
pub fn prepare(
    dir: &Path,
    options: &Options,
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<Network, LocalnetError> {
    let dir = std::path::absolute(dir).map_err(|reason| LocalnetError::file(dir, reason))?;
    let found = read_description(&dir)?;
    if found.is_none() {
        if dir.exists() && !is_empty(&dir)? {
            return Err(LocalnetError::Foreign { dir });
        }
        let description = Description::of(options);
        description.plan(now_unix_ms).check()?;
        check_ports(options, &description)?;
    }
    make_directories(&dir)?;
    // Whoever runs this network has its ports, so that is asked first.
    let lock = lock(&dir)?;
    if let Some(description) = &found {
        check_ports(options, description)?;
    }
    let (description, continued) = match found {
        Some(description) => {
            same(&dir, options, &description)?;
            (description, true)
        }
        None => (found_new(&dir, options, now_unix_ms, rng)?, false),
    };
    make_directories(&dir.join("logs"))?;
    let Description { validators, participants, interval_s, base_port, deposit_ct, .. } = description;
    let ports = Ports { base: base_port, validators };
    Ok(Network { dir, validators, participants, interval_s, ports, deposit_ct, continued, _lock: lock })
}

fn check_ports(options: &Options, description: &Description) -> Result<(), LocalnetError> {
    let Description { base_port: base, validators, .. } = *description;
    let ports = Ports { base, validators };
    match ports.first_taken().filter(|_| options.starts_next) {
        None => Ok(()),
        Some((address, reason)) => {
            let last = u32::from(base) + 2 * u32::from(validators);
            Err(LocalnetError::Port { address, reason, base, last })
        }
    }
}

fn make_directories(path: &Path) -> Result<(), LocalnetError> {
    let made = veilgrid_store::durable::create_directories(path, &std::fs::DirBuilder::new());
    made.map_err(|reason| LocalnetError::file(path, reason))
}

/// Founds a network for accounts whose owners are no processes of it, in an empty (or new) folder.
pub(crate) fn prepare_for_accounts(
    dir: &Path,
    plan: &NetworkPlan,
    accounts: &[PublicPart],
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<Network, LocalnetError> {
    let dir = std::path::absolute(dir).map_err(|reason| LocalnetError::file(dir, reason))?;
    make_directories(&dir)?;
    if !is_empty(&dir)? {
        return Err(LocalnetError::Foreign { dir });
    }
    let lock = lock(&dir)?;
    let passphrase = new_passphrase(&dir, rng)?;
    found_for_accounts(plan, accounts, &dir, &passphrase, now_unix_ms, rng)?;
    make_directories(&dir.join("logs"))?;
    let interval_s = plan.founding.timing.interval_ms / 1000;
    let (validators, ports) = (plan.validators, plan.ports());
    let (participants, deposit_ct, continued) = (0, None, false);
    Ok(Network { dir, validators, participants, interval_s, ports, deposit_ct, continued, _lock: lock })
}

fn found_new(
    dir: &Path,
    options: &Options,
    now_unix_ms: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<Description, LocalnetError> {
    let description = Description::of(options);
    let plan = description.plan(now_unix_ms);
    let passphrase = new_passphrase(dir, rng)?;
    found_network(&plan, dir, &passphrase, now_unix_ms, rng)?;
    let path = dir.join(DESCRIPTION);
    let text = serde_json::to_string_pretty(&description)
        .map_err(|error| LocalnetError::Description { path: path.clone(), reason: error.to_string() })?;
    veilgrid_store::files::write_durably(&path, text.as_bytes())
        .map_err(|reason| LocalnetError::file(&path, reason))?;
    Ok(description)
}

/// 256 random bits in hexadecimal digits.
fn new_passphrase(dir: &Path, rng: &mut impl CryptoRngCore) -> Result<Passphrase, LocalnetError> {
    let mut bytes = Secret::new([0u8; 32]);
    rng.fill_bytes(bytes.expose_mut());
    let text = Secret::new(hex::encode(bytes.expose()).into_bytes());
    let path = dir.join("passphrase");
    write_new_private(&path, text.expose())?;
    Ok(passphrase::read_file(&path)?)
}

fn is_empty(dir: &Path) -> Result<bool, LocalnetError> {
    let mut entries = std::fs::read_dir(dir).map_err(|reason| LocalnetError::file(dir, reason))?;
    Ok(entries.next().is_none())
}

fn lock(dir: &Path) -> Result<File, LocalnetError> {
    let path = dir.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|reason| LocalnetError::file(&path, reason))?;
    match FileExt::try_lock_exclusive(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(LocalnetError::InUse { dir: dir.to_owned() }),
        Err(reason) => Err(LocalnetError::file(&path, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use veilgrid_node::founding::FoundingPlan;

    const NOW: u64 = 1_800_000_000_000;

    fn options() -> Options {
        Options { participants: Some(3), ticks: Some(8), ..Options::default() }
    }

    fn prepare_in(dir: &Path, options: &Options) -> Result<Network, LocalnetError> {
        prepare(dir, options, NOW, &mut ChaCha20Rng::seed_from_u64(1))
    }

    #[test]
    fn a_network_is_founded_once_and_then_continued() {
        let dir = tempfile::tempdir().expect("dir");
        let home = dir.path().join("net");
        let first = prepare_in(&home, &options()).expect("founded");
        assert!(!first.continued);
        assert_eq!(first.validator_urls().len(), 4);
        let genesis = std::fs::read(home.join("genesis.bin")).expect("there");
        assert!(matches!(prepare_in(&home, &options()), Err(LocalnetError::InUse { .. })));
        drop(first);
        let again = prepare_in(&home, &Options::default()).expect("continued");
        assert!(again.continued);
        assert_eq!(again.participants, 3);
        assert_eq!(std::fs::read(home.join("genesis.bin")).expect("there"), genesis);
        drop(again);
        let other = prepare_in(&home, &Options { validators: Some(7), ..options() }).expect_err("refused");
        assert!(matches!(other, LocalnetError::Different { found: 4, asked: 7, .. }), "{other}");
    }

    #[test]
    fn times_and_retention_are_as_asked_for() {
        let dir = tempfile::tempdir().expect("dir");
        let home = dir.path().join("net");
        let asked = Options {
            lead_s: Some(7),
            grace_blocks: Some(5),
            deadline_s: Some(11),
            epoch_blocks: Some(90),
            prune_after_rounds: Some(2),
            ..options()
        };
        drop(prepare_in(&home, &asked).expect("founded"));
        let timing = FoundingPlan::read(&home.join("plan.toml")).expect("plan").timing;
        assert_eq!(timing.first_open_unix_ms, NOW + 7_000);
        assert_eq!((timing.grace_blocks, timing.opening_deadline_ms, timing.epoch_blocks), (5, 11_000, 90));
        let config = std::fs::read_to_string(home.join("validator-3/validator.toml")).expect("written");
        assert!(config.contains("prune_after_rounds = 2"), "{config}");
        drop(prepare_in(&home, &asked).expect("the same"));
        let other = Options { deadline_s: Some(12), ..Options::default() };
        assert!(matches!(prepare_in(&home, &other), Err(LocalnetError::Different { found: 11, .. })));
        let other = Options { prune_after_rounds: Some(3), ..Options::default() };
        assert!(matches!(prepare_in(&home, &other), Err(LocalnetError::Pruning { asked: 3, .. })));
    }

    #[test]
    fn a_network_with_money_has_a_treasury() {
        let dir = tempfile::tempdir().expect("dir");
        let home = dir.path().join("net");
        let asked = Options { deposit_ct: Some(5_000), ..options() };
        let network = prepare_in(&home, &asked).expect("founded");
        assert!(crate::deposits::FirstDeposits::of(&network).expect("its key opens").is_some());
        drop(network);
        let plan = FoundingPlan::read(&home.join("plan.toml")).expect("plan");
        assert_eq!(plan.market.money, Some(veilgrid_node::founding::MoneyPlan::default()));
        drop(prepare_in(&home, &Options::default()).expect("goes on"));
        let other = Options { deposit_ct: Some(1), ..Options::default() };
        let refused = prepare_in(&home, &other).expect_err("refused").to_string();
        assert!(refused.contains("begin with 5000 ct, not 1 ct"), "{refused}");
        let without = dir.path().join("without");
        let network = prepare_in(&without, &options()).expect("founded");
        assert!(crate::deposits::FirstDeposits::of(&network).expect("none").is_none());
        assert!(!without.join("treasury").exists());
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("thesis.tex"), b"").expect("written");
        assert!(matches!(prepare_in(dir.path(), &options()), Err(LocalnetError::Foreign { .. })));
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }
    #[test]
    fn a_taken_port_is_named_before_anything_is_made() {
        let dir = tempfile::tempdir().expect("dir");
        let home = dir.path().join("net");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let starts = Options { base_port: Some(port), starts_next: true, ..options() };
        let refused = prepare_in(&home, &starts).expect_err("refused").to_string();
        assert!(
            refused.contains(&format!("127.0.0.1:{port}")) && refused.contains("--base-port"),
            "{refused}"
        );
        assert!(!home.exists(), "nothing is made");
        // Whoever only writes the files starts them another time, or elsewhere.
        drop(prepare_in(&home, &Options { starts_next: false, ..starts.clone() }).expect("founded"));
        let refused = prepare_in(&home, &Options { starts_next: true, ..Options::default() });
        assert!(matches!(refused, Err(LocalnetError::Port { .. })), "an earlier network's too");
        drop(taken);
        // Others may have taken the ports after it meanwhile.
        match prepare_in(&home, &starts) {
            Ok(network) => assert!(network.continued),
            Err(LocalnetError::Port { address, .. }) => assert_ne!(address.port(), port),
            Err(other) => panic!("{other}"),
        }
    }
}
