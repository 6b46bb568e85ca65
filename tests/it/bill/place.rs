//! The example of `data/billing` in a folder of its own, with readings.

use crate::cli::{code, json, root, stderr, veilgrid};
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use veilgrid_billing::standing::{Opens, OrderTerms, StandingOrder};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_crypto::secret::Secret;

/// The community of the example.
pub const COMMUNITY: &str = "Sonnengemeinschaft Lindenhof";

/// The key of an example account, by its place in accounts.csv; nobody else's.
pub fn example_key(place: usize) -> SigningKey {
    SigningKey::from_scalar(Secret::new(Scalar::from(4_000 + place as u64))).expect("not zero")
}

/// A standing order of an example account.
pub fn example_order(account: &str, place: usize, number: u64, opens: Opens) -> StandingOrder {
    let terms = OrderTerms {
        community: COMMUNITY.into(),
        payee: COMMUNITY.into(),
        account: account.into(),
        number,
        from: "2026-03".parse().expect("a month"),
        until: None,
        opens,
    };
    StandingOrder::sign(terms, &example_key(place), &mut ChaCha20Rng::seed_from_u64(place as u64))
}

pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// The example with March.
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        let from = root().join("data/billing");
        for name in ["community.toml", "accounts.csv", "meters.csv"] {
            std::fs::copy(from.join(name), place.path(name)).expect("copied");
        }
        std::fs::create_dir(place.path("orders")).expect("a folder");
        for entry in std::fs::read_dir(from.join("orders")).expect("a folder") {
            let path = entry.expect("an entry").path();
            std::fs::copy(&path, place.path("orders").join(path.file_name().expect("a name")))
                .expect("copied");
        }
        place.import(&std::fs::read_to_string(from.join("march.csv")).expect("march"));
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{from} is not in {name}");
        std::fs::write(self.path(name), text.replacen(from, to, 1)).expect("written");
    }

    pub fn import(&self, text: &str) {
        std::fs::write(self.path("file.csv"), text).expect("written");
        let (file, into) = (self.text("file.csv"), self.text("readings"));
        let output = veilgrid([
            "readings",
            "import",
            &file,
            "--into",
            &into,
            "--calendar",
            "Europe/Vienna",
            "--stamp",
            "begin",
            "--slot-minutes",
            "60",
            "--interval-minutes",
            "60",
            "--decimal",
            "point",
            "--json",
        ]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }

    pub fn april(&self) {
        self.import(&std::fs::read_to_string(root().join("data/billing/april.csv")).expect("april"));
    }

    /// `bill run`, as JSON.
    pub fn bill(&self, period: &str, more: &[&str]) -> Output {
        let (community, readings, bills) =
            (self.text("community.toml"), self.text("readings"), self.text("bills"));
        let words = [
            "bill",
            "run",
            "--community",
            &community,
            "--readings",
            &readings,
            "--bills",
            &bills,
            "--period",
            period,
            "--json",
        ];
        veilgrid(words.iter().chain(more))
    }

    pub fn bill_final(&self, period: &str, date: &str) -> Value {
        json(&self.bill(period, &["--final", "--date", date]))
    }

    pub fn preview(&self, period: &str) -> Value {
        json(&self.bill(period, &["--preview", "--date", "2026-06-05"]))
    }

    pub fn status(&self) -> Output {
        veilgrid(["bill", "status", "--bills", &self.text("bills"), "--json"])
    }

    pub fn show(&self, period: &str, account: &str) -> Value {
        json(&veilgrid([
            "bill",
            "show",
            "--bills",
            &self.text("bills"),
            "--period",
            period,
            "--account",
            account,
            "--json",
        ]))
    }

    /// A run that is refused, with what its message has to say.
    pub fn refused(&self, period: &str, more: &[&str], words: &[&str]) {
        let output = self.bill(period, more);
        let message = stderr(&output);
        assert_eq!(code(&output), 2, "{message}");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    }
}

/// All files below a folder with their contents, by path.
pub fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(tree(&path))
        } else {
            files.push((path.clone(), std::fs::read(&path).expect("read")))
        }
    }
    files.sort();
    files
}
