//! A community's files, from where its authority keeps them, or as a final month has kept them.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use veilgrid_billing::community::{Community, KeyKind, Settings, parse_accounts, parse_meters};
use veilgrid_billing::standing::{OrderError, StandingOrder};
use veilgrid_market::sharing::{SharingKey, parse_slot_keys, parse_static_keys};
use veilgrid_store::files::read_at_most;

/// Names under which a final month keeps the files.
pub const COMMUNITY: &str = "community.toml";
const ACCOUNTS: &str = "accounts.csv";
const METERS: &str = "meters.csv";
const KEYS: &str = "keys.csv";
const ORDERS: &str = "orders/";
const MAX_BYTES: u64 = 256 << 20;

/// A community with the files that it was read from.
pub struct Loaded {
    pub community: Community,
    pub orders: Vec<StandingOrder>,
    /// By the name that a final month keeps them under.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Reads the community file and those that it names.
///
/// # Errors
/// The file, and what is wrong in it.
pub fn load(path: &Path) -> Result<Loaded, Failure> {
    let bytes = read(path)?;
    let settings = settings(path, &bytes)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut at = BTreeMap::from([(COMMUNITY.to_owned(), path.to_owned())]);
    at.insert(ACCOUNTS.to_owned(), folder.join(&settings.accounts_file));
    at.insert(METERS.to_owned(), folder.join(&settings.meters_file));
    if let Some(keys) = &settings.keys_file {
        at.insert(KEYS.to_owned(), folder.join(keys));
    }
    if let Some(orders) = &settings.orders_folder {
        at.extend(orders_in(&folder.join(orders))?);
    }
    parse(&at)
}

/// Reads what a final month has kept.
///
/// # Errors
/// A file that is missing or was changed.
pub fn load_kept(inputs: &Path, digests: &BTreeMap<String, String>) -> Result<Loaded, Failure> {
    let at: BTreeMap<String, PathBuf> =
        digests.keys().map(|name| (name.clone(), inputs.join(name))).collect();
    let loaded = parse(&at)?;
    for (name, bytes) in &loaded.files {
        if digests.get(name) != Some(&veilgrid_billing::bill::sha256(bytes)) {
            return Err(Failure::file(
                &inputs.join(name),
                "was changed after its month was billed; restore it from a backup",
            ));
        }
    }
    Ok(loaded)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    read_at_most(path, file, MAX_BYTES).map_err(Failure::input)
}

fn settings(path: &Path, bytes: &[u8]) -> Result<Settings, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| Failure::file(path, error))?;
    Settings::parse(text).map_err(|error| Failure::file(path, error))
}

/// The standing orders of a folder: every file that ends in `.json`. No folder is no order.
fn orders_in(folder: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::file(folder, error)),
    };
    let mut orders = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Failure::file(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".json"));
        if let Some(name) = name {
            orders.push((format!("{ORDERS}{name}"), path.clone()));
        }
    }
    Ok(orders)
}

fn parse(at: &BTreeMap<String, PathBuf>) -> Result<Loaded, Failure> {
    let mut files = BTreeMap::new();
    for (name, path) in at {
        files.insert(name.clone(), read(path)?);
    }
    let get = |name: &str| -> Result<(&Path, &[u8]), Failure> {
        let path = at.get(name).map(PathBuf::as_path);
        path.zip(files.get(name).map(Vec::as_slice))
            .ok_or_else(|| Failure::Input(format!("the file {name} is missing")))
    };
    let (path, bytes) = get(COMMUNITY)?;
    let settings = settings(path, bytes)?;
    let (accounts_path, bytes) = get(ACCOUNTS)?;
    let accounts = parse_accounts(bytes).map_err(|error| Failure::file(accounts_path, error))?;
    let (meters_path, bytes) = get(METERS)?;
    let meters = parse_meters(bytes).map_err(|error| Failure::file(meters_path, error))?;
    let key = if settings.key == KeyKind::ProRata {
        SharingKey::ProRata
    } else {
        let parse = if settings.key == KeyKind::Static { parse_static_keys } else { parse_slot_keys };
        let (keys_path, bytes) = get(KEYS)?;
        parse(Box::new(std::io::Cursor::new(bytes.to_vec())))
            .map_err(|error| Failure::file(keys_path, error))?
    };
    let (community_path, _) = get(COMMUNITY)?;
    veilgrid_papers::bank::check(&settings.creditor, &accounts)
        .map_err(|error| Failure::file(accounts_path, error))?;
    let community = Community::new(settings, accounts, meters, key)
        .map_err(|error| Failure::file(community_path, error))?;
    let mut orders = Vec::new();
    for (name, path) in at.iter().filter(|(name, _)| name.starts_with(ORDERS)) {
        let (_, bytes) = get(name)?;
        orders.push(order(&community, bytes).map_err(|error| Failure::file(path, error))?);
    }
    Ok(Loaded { community, orders, files })
}

fn order(community: &Community, bytes: &[u8]) -> Result<StandingOrder, OrderError> {
    let order = StandingOrder::parse(bytes)?;
    let account = community.accounts.iter().find(|account| account.id == order.account);
    let account = account.ok_or_else(|| OrderError::UnknownAccount(order.account.clone()))?;
    order.check(&community.settings.name, &community.settings.creditor.name, account.account_key)?;
    Ok(order)
}
