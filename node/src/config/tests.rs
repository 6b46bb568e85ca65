//! Precedence of file, environment and flags, and every way in which they may be wrong.

use super::load::collect_keys;
use super::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

/// A folder with the files that configurations name.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("dir");
    for file in ["genesis.bin", "keys", "orders.csv", "cert.pem", "key.pem"] {
        std::fs::write(dir.path().join(file), b"").expect("written");
    }
    dir
}

fn validator_text() -> String {
    format!(
        "data_dir = \"data\"\ngenesis = \"genesis.bin\"\nkey_file = \"keys\"\n\
         validator_urls = [\"http://127.0.0.1:8102\"]\n\
         [http]\nlisten = \"127.0.0.1:8101\"\n\
         [p2p]\nlisten = \"127.0.0.1:7101\"\n\
         [[p2p.peers]]\nconsensus_key = \"{KEY}\"\naddress = \"validator-2.example:7102\"\n\
         [limits]\nconnections = 10\n"
    )
}

const COMMON: &str = "data_dir = \"data\"\ngenesis = \"genesis.bin\"\nkey_file = \"keys\"\nvalidator_urls = [\"http://v:1\"]\n";

fn aggregator_text() -> String {
    format!("{COMMON}[http]\nlisten = \"127.0.0.1:8100\"\n")
}

fn participant_text() -> String {
    format!("{COMMON}genesis_hash = \"{KEY}\"\naggregator_url = \"http://a:1\"\norders = \"orders.csv\"\n")
}

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { dir: folder() }
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("node.toml");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn load<C: NodeConfig>(
        &self,
        text: &str,
        environment: &[(&str, &str)],
        flags: Flags,
    ) -> Result<C, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load_from(&self.write(text), environment, &flags)
    }

    fn validator(&self, text: &str) -> Result<ValidatorConfig, ConfigError> {
        self.load(text, &[], vec![])
    }
}

#[test]
fn flags_are_above_the_environment_and_that_above_the_file() {
    let world = World::new();
    let environment = [
        ("VEILGRID_VALIDATOR__HTTP__LISTEN", "127.0.0.1:9001"),
        ("VEILGRID_VALIDATOR__LIMITS__CONNECTIONS", "20"),
        ("VEILGRID_VALIDATOR__VALIDATOR_URLS", "http://a.example:1,https://b.example:2"),
        ("VEILGRID_AGGREGATOR__NONSENSE", "not this process's"),
        ("VEILGRID_PASSPHRASE", "not a key of a configuration"),
    ];
    let flags = vec![("http.listen", "127.0.0.1:9002".to_owned())];
    let config: ValidatorConfig = world.load(&validator_text(), &environment, flags).expect("loads");
    assert_eq!(config.http.listen.port(), 9002, "the flag");
    assert_eq!(config.limits.connections, 20, "the environment");
    assert_eq!(config.validator_urls, ["http://a.example:1", "https://b.example:2"]);
    assert_eq!(config.p2p.listen.port(), 7101, "the file");
    assert_eq!(config.limits.requests_per_minute, 6000, "the default");
    assert_eq!(config.log, "info");
    assert!(
        world
            .load::<ValidatorConfig>(&validator_text(), &environment[..1], vec![])
            .expect("loads")
            .http
            .listen
            .port()
            == 9001
    );
}

#[test]
fn paths_of_a_file_start_at_its_folder() {
    let world = World::new();
    let config = world.validator(&validator_text()).expect("loads");
    assert_eq!(config.genesis, world.dir.path().join("genesis.bin"));
    assert_eq!(config.data_dir, world.dir.path().join("data"));
    let flags = vec![("data_dir", "elsewhere".to_owned())];
    let config: ValidatorConfig = world.load(&validator_text(), &[], flags).expect("loads");
    assert_eq!(config.data_dir, PathBuf::from("elsewhere"));
}

#[test]
fn an_authority_of_ones_own_is_named_like_any_file() {
    let world = World::new();
    let text = format!("ca_file = \"cert.pem\"\n{}", validator_text());
    let config = world.validator(&text).expect("loads");
    assert_eq!(config.ca_file, Some(world.dir.path().join("cert.pem")), "it starts at the file's folder");
    assert_eq!(world.validator(&validator_text()).expect("loads").ca_file, None);
    let other = world.dir.path().join("key.pem");
    let environment = [("VEILGRID_VALIDATOR__CA_FILE", other.to_str().expect("text"))];
    let config: ValidatorConfig = world.load(&text, &environment, vec![]).expect("loads");
    assert_eq!(config.ca_file, Some(other), "the environment is above the file");
    let error = world.validator(&text.replace("cert.pem", "none.pem")).expect_err("missing").to_string();
    assert!(error.contains("ca_file") && error.contains("none.pem") && error.contains("PEM"), "{error}");
}

#[test]
fn unknown_keys_are_named_with_their_file() {
    let world = World::new();
    for (text, key) in [
        (validator_text().replace("connections", "conections"), "limits.conections"),
        (format!("lisen = 1\n{}", validator_text()), "lisen"),
        (validator_text().replace("address =", "adress ="), "p2p.peers[].adress"),
        (format!("{}[tls]\ncertificate = \"x\"\n", validator_text()), "tls.certificate"),
        (validator_text().replace("[limits]\nconnections = 10", "[limit]"), "limit"),
    ] {
        let error = world.validator(&text).expect_err("refused");
        assert!(matches!(&error, ConfigError::UnknownKey { key: found, .. } if found == key), "{error}");
        assert!(error.to_string().contains("node.toml") && error.to_string().contains(key), "{error}");
    }
    let environment = [("VEILGRID_VALIDATOR__HTTP__LISTN", "127.0.0.1:9001")];
    let error = world.load::<ValidatorConfig>(&validator_text(), &environment, vec![]).expect_err("refused");
    assert!(error.to_string().contains("VEILGRID_VALIDATOR__HTTP__LISTN"), "{error}");
}

/// Limits of requests that come do nothing where none come, and of batches where none are handed on.
#[test]
fn a_key_that_does_nothing_in_a_process_is_none_of_its_keys() {
    let world = World::new();
    let limits = ["connections = 5", "requests_per_minute = 5", "request_timeout_ms = 5"];
    let refused = |error: ConfigError, limit: &str| {
        let key = format!("limits.{}", limit.split(' ').next().expect("a name"));
        assert!(matches!(&error, ConfigError::UnknownKey { key: found, .. } if *found == key), "{error}");
        assert!(!error.to_string().contains("known here: )"), "{error}");
    };
    for (at, limit) in limits.into_iter().enumerate() {
        let table = format!("[limits]\n{limit}\n");
        let error = world.load::<ParticipantConfig>(&format!("{}{table}", participant_text()), &[], vec![]);
        refused(error.expect_err("a participant has no server"), limit);
        let validator = world.validator(&validator_text().replace("[limits]\nconnections = 10\n", &table));
        let aggregator =
            world.load::<AggregatorConfig>(&format!("{}{table}", aggregator_text()), &[], vec![]);
        let aggregator = aggregator.expect("it takes bids and hands them on").limits;
        match at {
            0 => {
                assert_eq!((validator.expect("a server").limits.connections, aggregator.connections), (5, 5))
            }
            1 => {
                let of_validator = validator.expect("a server").limits.requests_per_minute;
                assert_eq!((of_validator, aggregator.requests_per_minute), (5, 5));
            }
            _ => {
                assert_eq!(aggregator.request_timeout_ms, 5);
                refused(validator.expect_err("it hands nothing on"), limit);
            }
        }
    }
    let variable = ("VEILGRID_PARTICIPANT__LIMITS__CONNECTIONS", "5");
    let error = world.load::<ParticipantConfig>(&participant_text(), &[variable], vec![]);
    assert!(matches!(error, Err(ConfigError::UnknownVariable { .. })));
}

#[test]
fn faults_say_what_and_where() {
    let world = World::new();
    let replaced = |from: &str, to: &str| {
        let text = validator_text();
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    for (text, says) in [
        (replaced("key_file = \"keys\"\n", ""), "key_file"),
        (replaced("\"keys\"", "\"no-such-file\""), "no-such-file"),
        (replaced("\"genesis.bin\"", "\".\""), "is no file"),
        (replaced("connections = 10", "connections = \"ten\""), "limits.connections"),
        (replaced("connections = 10", "connections = 0"), "limits.connections"),
        (replaced("connections = 10", "connections_per_address = 0"), "limits.connections_per_address"),
        (replaced("key_file = ", "health_listen = \"127.0.0.1:8101\"\nkey_file = "), "health_listen"),
        (
            replaced("key_file = ", "aggregator_addresses = [\"a.example\"]\nkey_file = "),
            "aggregator_addresses",
        ),
        (replaced("connections = 10", "connections = -1"), "limits.connections"),
        (replaced("127.0.0.1:8101", "127.0.0.1"), "http.listen"),
        (replaced(KEY, "0101"), "64 hexadecimal digits"),
        (replaced("validator-2.example:7102", "validator-2.example"), "host:port"),
        (replaced("http://127.0.0.1:8102", "127.0.0.1:8102"), "validator_urls"),
        (replaced("http://127.0.0.1:8102", "ftp://127.0.0.1:8102"), "validator_urls"),
        (replaced("http://127.0.0.1:8102", "http://user:secret@127.0.0.1:8102"), "validator_urls"),
        (replaced("[\"http://127.0.0.1:8102\"]", "[]"), "validator_urls"),
        (replaced("127.0.0.1:7101", "127.0.0.1:8101"), "p2p.listen"),
        (replaced("[p2p]", "tls_key = \"key.pem\"\n[p2p]"), "http.tls_certificate"),
        (replaced("[p2p]", "tls_certificate = \"cert.pem\"\n[p2p]"), "http.tls_key"),
        (replaced("[limits]", "[checks]\nwarn_skew_ms = 6000\n[limits]"), "checks.warn_skew_ms"),
        (
            replaced(
                "[limits]",
                &format!("[[p2p.peers]]\nconsensus_key = \"{KEY}\"\naddress = \"b:1\"\n[limits]"),
            ),
            "stands at",
        ),
        ("not toml".to_owned(), "line 1"),
    ] {
        let error = world.validator(&text).expect_err(says).to_string();
        assert!(error.contains(says) && error.contains("node.toml"), "{says}: {error}");
    }
    let missing = load_from::<ValidatorConfig>(&world.dir.path().join("none.toml"), [], &vec![]);
    assert!(missing.expect_err("missing").to_string().contains("none.toml"));
    let tls = replaced("[p2p]", "tls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n[p2p]");
    assert!(world.validator(&tls).expect("both").http.tls().is_some());
}

#[test]
fn what_is_printed_loads_to_the_same_and_holds_no_secret() {
    let world = World::new();
    let config = world.validator(&validator_text()).expect("loads");
    let again = world.validator(&config.print().expect("prints")).expect("loads again");
    assert_eq!(again, config);
    assert!(!config.print().expect("prints").to_lowercase().contains("passphrase ="));
}

#[test]
fn the_other_kinds_load_too() {
    let world = World::new();
    let aggregator: AggregatorConfig = world.load(&aggregator_text(), &[], vec![]).expect("loads");
    assert_eq!(aggregator.http.listen.port(), 8100);
    let still = format!("{}[limits]\nrequest_timeout_ms = 0\n", aggregator_text());
    let error = world.load::<AggregatorConfig>(&still, &[], vec![]).expect_err("nothing gets through");
    assert!(error.to_string().contains("limits.request_timeout_ms"), "{error}");
    let text = participant_text();
    let participant: ParticipantConfig = world.load(&text, &[], vec![]).expect("loads");
    assert_eq!(participant.genesis_hash, Hex32([1; 32]));
    let untrusted = text.replace("genesis_hash", "# genesis_hash");
    let error = world.load::<ParticipantConfig>(&untrusted, &[], vec![]).expect_err("the hash is needed");
    assert!(error.to_string().contains("genesis_hash"), "{error}");
}

/// The list of known keys and the structures are the same thing.
fn assert_keys<C: NodeConfig>(config: &C) {
    let table: toml::Table = config.print().expect("prints").parse().expect("TOML");
    let mut found = Vec::new();
    collect_keys("", &table, &mut found);
    let found: BTreeSet<String> = found.into_iter().collect();
    let known: BTreeSet<String> = C::KEYS.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(found, known);
    assert!(C::PATHS.iter().chain(C::LISTS).all(|key| C::KEYS.contains(key)));
}

#[test]
fn the_known_keys_are_those_of_the_structures() {
    let (path, health) = (Some(PathBuf::from("x")), Some("127.0.0.1:3".parse().expect("address")));
    let (data_dir, genesis, key_file) = (PathBuf::from("d"), PathBuf::from("g"), PathBuf::from("k"));
    let http = HttpConfig {
        listen: "127.0.0.1:1".parse().expect("address"),
        tls_certificate: path.clone(),
        tls_key: path.clone(),
    };
    let peer = PeerConfig { consensus_key: Hex32([1; 32]), address: "a:1".parse().expect("address") };
    let validator = ValidatorConfig {
        data_dir: data_dir.clone(),
        genesis: genesis.clone(),
        genesis_hash: Some(Hex32([2; 32])),
        key_file: key_file.clone(),
        passphrase_file: path.clone(),
        validator_urls: vec!["http://v:1".to_owned()],
        ca_file: path.clone(),
        log: "info".to_owned(),
        health_listen: health,
        aggregator_addresses: vec!["192.0.2.1".parse().expect("address")],
        http: http.clone(),
        p2p: P2pConfig { listen: "127.0.0.1:2".parse().expect("address"), peers: vec![peer] },
        retention: RetentionConfig { prune_after_rounds: Some(3) },
        limits: LimitsConfig::default(),
        checks: ChecksConfig::default(),
    };
    assert_keys(&validator);
    let options = crate::start::validator_http_options(&validator);
    assert_eq!(options.aggregator_addresses, validator.aggregator_addresses);
    assert_eq!(options.tls, Some((PathBuf::from("x"), PathBuf::from("x"))));
    assert_keys(&AggregatorConfig {
        data_dir: data_dir.clone(),
        genesis: genesis.clone(),
        genesis_hash: Some(Hex32([2; 32])),
        key_file: key_file.clone(),
        passphrase_file: path.clone(),
        validator_urls: vec!["http://v:1".to_owned()],
        ca_file: path.clone(),
        log: "info".to_owned(),
        health_listen: health,
        http,
        limits: RelayLimitsConfig::default(),
        checks: ChecksConfig::default(),
    });
    assert_keys(&ParticipantConfig {
        data_dir,
        genesis,
        genesis_hash: Hex32([2; 32]),
        key_file,
        passphrase_file: path.clone(),
        aggregator_url: "http://a:1".to_owned(),
        validator_urls: vec!["http://v:1".to_owned()],
        ca_file: path.clone(),
        orders: PathBuf::from("o"),
        log: "info".to_owned(),
        health_listen: health,
        checks: ChecksConfig::default(),
    });
}

#[test]
fn addresses_are_host_and_port() {
    for good in ["a:1", "192.0.2.7:65535", "[::1]:7101", "validator-2.example:7101"] {
        assert!(good.parse::<PeerAddress>().is_ok(), "{good}");
    }
    for bad in ["", "a", ":1", "a:", "a:0", "a:65536", "::1:7101", "a b:1", "http://a:1", "a/b:1"] {
        assert!(bad.parse::<PeerAddress>().is_err(), "{bad}");
    }
}
