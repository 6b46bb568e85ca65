//! A member's wallet through the program: words, key files, a ledger with money as a file.

use crate::cli::{code, json, stderr, veilgrid};
use crate::common::{BOOK, SLOT_SECONDS};
use crate::world::params;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use veilgrid_crypto::bid::seal_bid_with_money;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::schnorr::SigningKey;
use veilgrid_ledger::export::LedgerWriter;
use veilgrid_ledger::money::market::MoneyRules;
use veilgrid_ledger::money::treasury::{Deposit, TreasuryAction, TreasuryOrder};
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_node::keyfile::words::words_of;
use veilgrid_roles::committee::{Founding, one_process_timing, threshold_for};
use veilgrid_roles::local::LocalCommunity;
use veilgrid_roles::wallet::Wallet;

const EPOCH: u64 = 1;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn private(path: &Path, content: &str) {
    std::fs::write(path, content).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("mode");
}

struct World {
    dir: tempfile::TempDir,
    seeds: Vec<KeyringSeed>,
}

impl World {
    /// A ledger with one settled round: 10 ct each, and all but the last member have claimed.
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let seeds: Vec<_> = BOOK.iter().map(|_| KeyringSeed::generate(&mut rng)).collect();
        let keyrings: Vec<_> = seeds.iter().map(|seed| Arc::new(Keyring::from_seed(seed))).collect();
        let timing = one_process_timing(1_700_000_000_000, 1_700_000_100, SLOT_SECONDS);
        let treasury = SigningKey::generate(&mut rng);
        let treasury_key = treasury.verifying_key().to_bytes();
        let money = MoneyRules { treasury_key, community_deposit_ct: 100, claim_ms: 60_000 };
        let founding = Founding {
            params: MarketParams { money: Some(money), ..params(timing, threshold_for(4)) },
            validators: 4,
            members: keyrings.iter().map(|w| w.account_key(EPOCH).verifying_key().to_bytes()).collect(),
            key_epoch: EPOCH,
            time_unix_ms: Founding::genesis_time_ms(&timing),
        };
        let mut community = LocalCommunity::found(&founding, &mut rng).expect("founded");
        let deposit = |number| Deposit { number, amount_ct: 10, reference: [7; 32] };
        let action = TreasuryAction::Deposit((1..=4).map(deposit).collect());
        let ledger_id = community.state().community().ledger_id();
        let order = TreasuryOrder::sign(&ledger_id, 0, action, &treasury, &mut rng);
        community.offer(&Transaction::Treasury(Box::new(order))).expect("taken");
        let round_id = community.open_round().expect("open");
        let follow = |community: &LocalCommunity, keyring: &Arc<Keyring>| {
            let mut wallet = Wallet::new(Arc::clone(keyring), EPOCH);
            let mut state = State::from_genesis_block(&community.ledger()[0].0).expect("genesis");
            for (block, _) in &community.ledger()[1..] {
                let effects = state.apply_block(block, &mut VerifyAll).expect("final");
                wallet.follow(&state, &block.transactions, effects.all()).expect("own bids open");
            }
            wallet
        };
        let bids: Vec<_> = (0..BOOK.len())
            .map(|member| {
                let (state, wallet) = (community.state(), follow(&community, &keyrings[member]));
                let context = state.round_context(round_id).expect("open");
                let params = state.community().bid_params().expect("keys");
                let terms = state.account_terms(round_id, &wallet.account()).expect("a member");
                let available = wallet.available(round_id).expect("followed");
                let book = &BOOK[member];
                seal_bid_with_money(params, &context, &keyrings[member], book, &terms, &available, &mut rng)
                    .expect("funded")
            })
            .collect();
        community.submit(round_id, &bids, &mut rng).expect("taken");
        community.finish_round(round_id).expect("an end");
        for keyring in &keyrings[..3] {
            let wallet = follow(&community, keyring);
            let claims = wallet.claim(community.state(), round_id, &mut rng).expect("a fill");
            community.offer(&Transaction::Claims(claims)).expect("taken");
        }
        let dir = tempfile::tempdir().expect("dir");
        let mut writer = LedgerWriter::new(Vec::new()).expect("memory");
        for (block, certificate) in community.ledger() {
            writer.block(block).expect("memory");
            if let Some(certificate) = certificate {
                writer.certificate(certificate).expect("memory");
            }
        }
        let bytes = writer.finish(community.state().root()).expect("memory");
        std::fs::write(dir.path().join("ledger.vgl"), bytes).expect("written");
        private(&dir.path().join("passphrase"), "correct horse battery staple\n");
        Self { dir, seeds }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A key file from the words of a member's seed.
    fn recover(&self, member: usize, name: &str) -> PathBuf {
        let (words, keys) = (self.path(&format!("{name}.words")), self.path(name));
        private(&words, words_of(&self.seeds[member]).expose());
        let passphrase = self.path("passphrase");
        let arguments = ["wallet", "recover", "--out", text(&keys), "--words-file", text(&words)];
        json(&veilgrid(arguments.iter().chain(&["--passphrase-file", text(&passphrase)])));
        keys
    }

    fn wallet(&self, keys: &Path, words: &[&str]) -> std::process::Output {
        let (ledger, passphrase) = (self.path("ledger.vgl"), self.path("passphrase"));
        let mut all = vec!["wallet"];
        all.extend(words);
        all.extend(["--key-file", text(keys), "--passphrase-file", text(&passphrase)]);
        all.extend(["--ledger", text(&ledger)]);
        veilgrid(all)
    }
}

#[test]
fn a_wallet_that_was_deleted_and_recovered_shows_the_same_statement() {
    let w = World::new();
    let keys = w.recover(2, "first.keys");
    let statement = json(&w.wallet(&keys, &["statement", "--json"]));
    let lines = statement["lines"].as_array().expect("lines");
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["deposit", "fill"]);
    assert_eq!((&lines[0]["amount_ct"], &lines[0]["balance_ct"]), (&"10".into(), &"10".into()));
    assert_eq!(lines[1]["balance_ct"], statement["balance_ct"]);
    assert!(lines[1]["amount_ct"].as_str().expect("text").starts_with("-0."), "bought energy costs");
    let csv = w.wallet(&keys, &["statement", "--csv"]);
    let csv = String::from_utf8(csv.stdout).expect("UTF-8");
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.lines().all(|line| line.split(',').count() == 14), "{csv}");
    let table = w.wallet(&keys, &["statement"]);
    assert_eq!(code(&table), 0, "{}", stderr(&table));
    // Words again from the file, the file deleted, and made anew from the words.
    let (words, passphrase) = (w.path("backup"), w.path("passphrase"));
    let arguments = ["wallet", "backup", "--key-file", text(&keys), "--words-out", text(&words)];
    let backup = veilgrid(arguments.iter().chain(&["--passphrase-file", text(&passphrase)]));
    assert_eq!(code(&backup), 0, "{}", stderr(&backup));
    assert!(backup.stdout.is_empty(), "words go into the file alone");
    let mode = std::fs::metadata(&words).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&words).expect("text"), *words_of(&w.seeds[2]).expose());
    std::fs::remove_file(&keys).expect("deleted");
    let again = w.recover(2, "again.keys");
    assert_eq!(json(&w.wallet(&again, &["statement", "--json"])), statement);
}

#[test]
fn what_is_held_back_and_unclaimed_is_shown_and_only_what_is_free_can_go() {
    let w = World::new();
    let keys = w.recover(3, "keys");
    let shown: Value = json(&w.wallet(&keys, &["show", "--json"]));
    assert_eq!((&shown["balance_ct"], &shown["unclaimed_rounds"]), (&"10".into(), &serde_json::json!([1])));
    assert_ne!(shown["free_ct"], shown["balance_ct"], "a bid's cost is held back");
    let fine = json(&w.wallet(&keys, &["withdraw", "--amount", "0.09", "--dry-run", "--json"]));
    assert_eq!((&fine["dry_run"], &fine["amount_ct"]), (&true.into(), &9.into()));
    for (amount, said) in [
        ("0.10", "can't be withdrawn"),
        ("0", "at least one cent"),
        ("0.005", "a part of a cent"),
        ("x", "decimal"),
    ] {
        let refused = w.wallet(&keys, &["withdraw", "--amount", amount, "--dry-run"]);
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains(said), "{amount}: {}", stderr(&refused));
    }
    let refused = w.wallet(&keys, &["withdraw", "--amount", "0.09"]);
    assert!(code(&refused) == 2 && stderr(&refused).contains("name the nodes"), "{}", stderr(&refused));
}

#[test]
fn other_keys_words_and_ledgers_are_refused_in_words() {
    let w = World::new();
    let (passphrase, stranger) = (w.path("passphrase"), w.path("stranger.keys"));
    let words = w.path("stranger.words");
    let arguments = ["wallet", "new", "--out", text(&stranger), "--words-out", text(&words)];
    let made = json(&veilgrid(arguments.iter().chain(&["--passphrase-file", text(&passphrase)])));
    assert_eq!(made["kind"], "participant");
    assert_eq!(std::fs::read_to_string(&words).expect("text").split(' ').count(), 24);
    let refused = w.wallet(&stranger, &["show"]);
    assert!(
        code(&refused) == 2 && stderr(&refused).contains("no account of this ledger"),
        "{}",
        stderr(&refused)
    );
    let again = veilgrid(arguments.iter().chain(&["--passphrase-file", text(&passphrase)]));
    assert!(code(&again) == 2 && stderr(&again).contains("exists already"), "{}", stderr(&again));
    let shown =
        veilgrid(["wallet", "new", "--out", text(&w.path("x")), "--passphrase-file", text(&passphrase)]);
    assert!(stderr(&shown).contains("--words-out") && !w.path("x").exists(), "{}", stderr(&shown));
    let text_of = words_of(&w.seeds[0]);
    let short = text_of.expose().rsplit_once(' ').expect("words").0;
    private(&words, short);
    let out = w.path("y");
    let arguments = ["wallet", "recover", "--out", text(&out), "--words-file", text(&words)];
    let refused = veilgrid(arguments.iter().chain(&["--passphrase-file", text(&passphrase)]));
    assert!(code(&refused) == 2 && stderr(&refused).contains("23 words"), "{}", stderr(&refused));
    assert!(!out.exists());
    let keys = w.recover(0, "keys");
    let refused = w.wallet(&keys, &["show", "--genesis", &"00".repeat(32)]);
    assert!(code(&refused) == 2 && stderr(&refused).contains("another network's"), "{}", stderr(&refused));
    let arguments = ["wallet", "show", "--key-file", text(&keys), "--passphrase-file", text(&passphrase)];
    let refused = veilgrid(arguments);
    assert!(stderr(&refused).contains("name a ledger"), "{}", stderr(&refused));
}
