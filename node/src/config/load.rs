//! From file, environment and flags to a configuration.

use super::{ConfigError, Fault, NodeConfig};
use config::{Config, Environment, File, FileFormat};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Most bytes of a configuration file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Between the prefix and the parts of a key in the environment.
const SEPARATOR: &str = "__";

/// Values of the command line: dotted key and text.
pub type Flags = Vec<(&'static str, String)>;

/// Reads a configuration: the file, over it the process's environment, over it the flags.
///
/// # Errors
/// [`ConfigError`] for a file that can't be read, an unknown key, and a value that is missing or makes no sense.
pub fn load<C: NodeConfig>(file: &Path, flags: &Flags) -> Result<C, ConfigError> {
    load_from(
        file,
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        flags,
    )
}

/// As [`load`], with another environment.
///
/// # Errors
/// As [`load`].
pub fn load_from<C: NodeConfig>(
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &Flags,
) -> Result<C, ConfigError> {
    let mut table = read(file)?;
    check_keys::<C>(file, &table)?;
    anchor_paths::<C>(file, &mut table);
    let text = toml::to_string(&table).map_err(|error| syntax(file, &error))?;
    let variables = variables::<C>(environment)?;

    let value = |error: config::ConfigError| ConfigError::Value {
        path: file.to_owned(),
        reason: error.to_string(),
        variables: format!("{}{SEPARATOR}KEY", C::ENVIRONMENT),
    };
    let mut from_environment = Environment::with_prefix(C::ENVIRONMENT)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .try_parsing(true)
        .list_separator(",");
    for list in C::LISTS {
        from_environment = from_environment.with_list_parse_key(list);
    }
    let mut builder = Config::builder()
        .add_source(File::from_str(&text, FileFormat::Toml))
        .add_source(from_environment.source(Some(variables)));
    for (key, text) in flags {
        builder = builder.set_override(*key, text.clone()).map_err(value)?;
    }
    let loaded: C = builder.build().map_err(value)?.try_deserialize().map_err(value)?;
    let fault = |Fault { key, reason }| ConfigError::Fault { path: file.to_owned(), key, reason };
    loaded.check().map_err(fault)?;
    Ok(loaded)
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let unreadable = |reason| ConfigError::Unreadable { path: path.to_owned(), reason };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned(), bytes, bound: MAX_FILE_BYTES });
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    text.parse::<toml::Table>().map_err(|error| syntax(path, &error))
}

fn syntax(path: &Path, error: &impl std::fmt::Display) -> ConfigError {
    ConfigError::Syntax { path: path.to_owned(), reason: error.to_string() }
}

/// Every key of the file has to be one of the configuration's.
fn check_keys<C: NodeConfig>(path: &Path, table: &toml::Table) -> Result<(), ConfigError> {
    let mut found = Vec::new();
    collect_keys("", table, &mut found);
    match found.into_iter().find(|key| !is_known::<C>(key)) {
        None => Ok(()),
        Some(key) => {
            let parent = key.rsplit_once('.').map_or("", |(parent, _)| parent);
            let names = |of| C::KEYS.iter().filter_map(|known| child_of(known, of)).collect::<Vec<_>>();
            // A table that this kind of process does not have: its tables are named instead.
            let mut known =
                Some(names(parent)).filter(|known| !known.is_empty()).unwrap_or_else(|| names(""));
            known.dedup();
            Err(ConfigError::UnknownKey { path: path.to_owned(), key, known: known.join(", ") })
        }
    }
}

/// A key, or a table that is empty so far.
fn is_known<C: NodeConfig>(key: &str) -> bool {
    C::KEYS.iter().any(|known| {
        let rest = known.strip_prefix(key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with("[]"))
    })
}

/// The name of `known` inside of the table `parent`.
fn child_of<'a>(known: &'a str, parent: &str) -> Option<&'a str> {
    let rest = if parent.is_empty() { known } else { known.strip_prefix(parent)?.strip_prefix('.')? };
    rest.split(['.', '[']).next()
}

/// The dotted keys of all values; an entry of a list of tables is `list[].key`, an empty table its own name.
pub(super) fn collect_keys(prefix: &str, table: &toml::Table, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => collect_keys(&key, inner, keys),
            toml::Value::Array(entries) if entries.iter().any(toml::Value::is_table) => {
                let inner = format!("{key}[]");
                entries
                    .iter()
                    .filter_map(toml::Value::as_table)
                    .for_each(|entry| collect_keys(&inner, entry, keys));
            }
            _ => keys.push(key),
        }
    }
}

/// Paths of the file start at its folder.
fn anchor_paths<C: NodeConfig>(file: &Path, table: &mut toml::Table) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    for key in C::PATHS {
        if let Some(toml::Value::String(path)) = value_mut(table, key) {
            // A path that came out of UTF-8 text and a folder that may not be UTF-8: then the path stays as it is.
            if let Some(joined) = folder.join(&*path).to_str() {
                *path = joined.to_owned();
            }
        }
    }
}

fn value_mut<'a>(table: &'a mut toml::Table, key: &str) -> Option<&'a mut toml::Value> {
    match key.split_once('.') {
        None => table.get_mut(key),
        Some((parent, rest)) => value_mut(table.get_mut(parent)?.as_table_mut()?, rest),
    }
}

/// The environment's variables for this kind of process; unknown ones are errors as in the file.
fn variables<C: NodeConfig>(
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<config::Map<String, String>, ConfigError> {
    let prefix = format!("{}{SEPARATOR}", C::ENVIRONMENT);
    // Sorted, so that the same environment gives the same first error.
    let all: BTreeMap<String, String> =
        environment.into_iter().filter(|(name, _)| name.starts_with(&prefix)).collect();
    let mut variables = config::Map::new();
    for (variable, value) in all {
        let key = variable.trim_start_matches(&prefix).replace(SEPARATOR, ".").to_ascii_lowercase();
        if !C::KEYS.contains(&key.as_str()) {
            return Err(ConfigError::UnknownVariable { variable, key });
        }
        variables.insert(variable, value);
    }
    Ok(variables)
}
