//! One ledger of the kit, and what an audit says of it.

use super::certificates::SpecCheck;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{AuditError, AuditReport, AuditRequest, Pin, ViolationRule, audit_export};
use veilgrid_ledger::export::{Exported, LedgerReader};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::verdicts::VerifyAll;

/// A ledger with its verdict.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    /// Path in the kit. Several cases may be of one file, with other receipts or another trusted genesis.
    pub file: String,
    pub about: String,
    pub bytes: Vec<u8>,
    /// The hash that the auditor trusts.
    pub genesis: Hash,
    /// Height and hash of a block that the auditor knows.
    pub pin: Option<(u64, Hash)>,
    pub receipts: Option<Vec<Receipt>>,
    pub expected: Expected,
}

/// What the maker of a case says that an audit has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Passes,
    /// Passes, and the first recorded refusal is by this rule.
    Refuses(&'static str),
    Violates(&'static str),
    Unreadable(&'static str),
    BrokenPromise,
}

impl Case {
    pub fn new(file: &str, about: &str, bytes: Vec<u8>, genesis: Hash, expected: Expected) -> Self {
        let (name, file, about) = (file.to_owned(), format!("{file}.vgl"), about.to_owned());
        Self { name, file, about, bytes, genesis, pin: None, receipts: None, expected }
    }

    /// The same about the file of another case.
    pub fn of_file(self, name: &str) -> Self {
        Self { file: format!("{name}.vgl"), ..self }
    }

    pub fn receipts_file(&self) -> String {
        format!("{}.receipts.txt", self.name)
    }

    pub fn judge(&self) -> Verdict {
        judge(&self.bytes, self.genesis, self.pin, self.receipts.clone().unwrap_or_default())
    }

    /// The entry of the index; an error when the audit says something else than the maker.
    pub fn entry(&self) -> Result<Value, String> {
        let verdict = self.judge();
        let mut entry = verdict.to_json();
        if !verdict.is_expected(self.expected) {
            let (name, expected) = (&self.name, self.expected);
            let refusals = &entry["facts"]["refusals"];
            return Err(format!(
                "{name}: {}, {} {refusals}; expected {expected:?}",
                verdict.verdict, entry["violation"]
            ));
        }
        entry["name"] = json!(self.name);
        entry["file"] = json!(self.file);
        entry["about"] = json!(self.about);
        entry["genesis"] = json!(hex::encode(self.genesis));
        entry["pin"] =
            json!(self.pin.map(|(height, block)| json!({ "height": height, "block": hex::encode(block) })));
        entry["receipts"] = json!(self.receipts.as_ref().map(|_| self.receipts_file()));
        Ok(entry)
    }
}

/// One receipt a line, hexadecimal (10.3).
pub fn receipts_text(receipts: &[Receipt]) -> String {
    receipts.iter().map(|receipt| hex::encode(receipt.to_bytes()) + "\n").collect()
}

pub fn parse_receipts(text: &[u8]) -> Vec<Receipt> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    let receipt = |line| Receipt::from_bytes(&hex::decode(line).expect("hex")).expect("a receipt");
    text.lines().map(receipt).collect()
}

/// What an audit says.
pub struct Verdict {
    pub verdict: &'static str,
    exit: u8,
    rule: Option<String>,
    height: Option<u64>,
    transaction: Option<usize>,
    round: Option<u64>,
    facts: Value,
}

/// Fields of the report that say the same in every implementation. Fields with sentences in them are not among them.
const FACTS: [&str; 30] = [
    "ledger_id",
    "genesis_hash",
    "blocks",
    "height",
    "block_hash",
    "state_root",
    "transactions",
    "key_generation",
    "validator_changes",
    "members",
    "money",
    "certificates",
    "uncovered",
    "pinned",
    "pruned",
    "refused",
    "refused_by_kind",
    "bids",
    "shares",
    "settlement_points",
    "conservation_checks",
    "conservation_undetermined",
    "rounds_cleared",
    "rounds_settled",
    "rounds_void",
    "void_rounds",
    "passed_rounds",
    "suspended_rounds",
    "opened_values",
    "key_sessions",
];

impl Verdict {
    fn failed(verdict: &'static str, rule: String, height: Option<u64>) -> Self {
        let (transaction, round, facts) = (None, None, Value::Null);
        // A file that is none, or of a format that the program does not know, was not audited at all.
        let exit = if matches!(rule.as_str(), "NotALedger" | "Version" | "LedgerFormat") { 2 } else { 1 };
        Self { verdict, exit, rule: Some(rule), height, transaction, round, facts }
    }

    pub fn to_json(&self) -> Value {
        let violation = self.rule.as_ref().map(|rule| {
            json!({ "rule": rule, "height": self.height, "transaction": self.transaction, "round": self.round })
        });
        json!({ "exit": self.exit, "verdict": self.verdict, "violation": violation, "facts": self.facts })
    }

    /// Whether it is what the maker expects.
    fn is_expected(&self, expected: Expected) -> bool {
        let first_refusal = self.facts["refusals"][0]["rule"].as_str();
        let (verdict, rule) = (self.verdict, self.rule.as_deref());
        match expected {
            Expected::Passes => (verdict, first_refusal) == ("passes", None),
            Expected::Refuses(by) => (verdict, first_refusal) == ("passes", Some(by)),
            Expected::BrokenPromise => verdict == "broken promise",
            Expected::Violates(of) => (verdict, rule) == ("violation", Some(of)),
            Expected::Unreadable(why) => (verdict, rule) == ("unreadable", Some(why)),
        }
    }
}

/// The variants of a rule, outermost first: what `Debug` prints before any field.
fn rule_name(rule: &dyn std::fmt::Debug) -> String {
    let text = format!("{rule:?}");
    let mut names = Vec::new();
    for part in text.split('(') {
        let name: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
        let ends = name.len() < part.len();
        // Refusals are named without the domain whose rule it is; a variant often has the name of what is in it.
        let domain = ["Rounds", "Keys", "Members", "Money"].contains(&name.as_str()) && !ends;
        if !domain && name.starts_with(|c: char| c.is_ascii_uppercase()) && names.last() != Some(&name) {
            names.push(name);
        }
        if ends {
            break;
        }
    }
    names.join(".")
}

/// Audits a file.
pub fn judge(bytes: &[u8], genesis: Hash, pin: Option<(u64, Hash)>, receipts: Vec<Receipt>) -> Verdict {
    let reader = match LedgerReader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return Verdict::failed("unreadable", rule_name(&error), None),
    };
    let request = AuditRequest {
        trusted_genesis: Some(genesis),
        pin: pin.map(|(height, block_hash)| Pin { height, block_hash }),
        receipts,
        certificates: Arc::new(SpecCheck),
        ..AuditRequest::default()
    };
    match audit_export(reader, request, |_| {}) {
        Err(AuditError::Read { after_blocks, source }) => {
            Verdict::failed("unreadable", rule_name(&source), Some(after_blocks))
        }
        Err(AuditError::Violation(violation)) => {
            let rule = match &violation.rule {
                ViolationRule::Certificate { why, .. } => format!("Certificate.{why}"),
                rule => rule_name(rule),
            };
            let failed = Verdict::failed("violation", rule, violation.height);
            Verdict { transaction: violation.transaction, round: violation.round, ..failed }
        }
        Ok(report) => {
            let broken = report.receipts.iter().any(|finding| finding.verdict.is_broken_promise());
            let (exit, verdict) = if broken { (1, "broken promise") } else { (0, "passes") };
            let facts = facts(&report, bytes);
            Verdict { verdict, exit, rule: None, height: None, transaction: None, round: None, facts }
        }
    }
}

fn facts(report: &AuditReport, bytes: &[u8]) -> Value {
    let all = serde_json::to_value(report).expect("plain data");
    let mut facts: Map<String, Value> =
        FACTS.iter().map(|name| (name.to_string(), all[*name].clone())).collect();
    if !report.receipts.is_empty() {
        let verdicts: Vec<_> = report.receipts.iter().map(|finding| json!(finding.verdict)).collect();
        facts.insert("receipt_verdicts".to_owned(), json!(verdicts));
    }
    if let Some((outcomes, refusals)) = replayed(bytes, report.height) {
        facts.insert("outcomes".to_owned(), json!(outcomes));
        facts.insert("refusals".to_owned(), json!(refusals));
    }
    Value::Object(facts)
}

/// Outcomes and recorded refusals up to the last block that counts, from another replay; nothing of a file with pruned
/// blocks.
fn replayed(bytes: &[u8], last: u64) -> Option<(Vec<Value>, Vec<Value>)> {
    let mut reader = LedgerReader::new(bytes).ok()?;
    let (mut state, mut outcomes, mut refusals) = (None::<State>, Vec::new(), Vec::new());
    for record in reader.exported() {
        let Exported::Block(block, _) = record.ok()? else { return None };
        let Some(state) = &mut state else {
            state = Some(State::from_genesis_block(&block).ok()?);
            continue;
        };
        if block.header.height > last {
            break;
        }
        let effects = state.apply_block(&block, &mut VerifyAll).ok()?;
        for (index, (effect, transaction)) in effects.effects.iter().zip(&block.transactions).enumerate() {
            match effect {
                Effect::Cleared { round_id, outcome } => {
                    outcomes.push(json!({ "round_id": round_id, "outcome": outcome }));
                }
                Effect::Refused(refusal) => refusals.push(json!({
                    "height": effects.height, "index": index, "kind": transaction.kind(), "rule": rule_name(refusal),
                })),
                _ => {}
            }
        }
    }
    Some((outcomes, refusals))
}

#[test]
fn names_of_rules_are_their_variants() {
    use veilgrid_ledger::refusal::BlockFault;
    use veilgrid_ledger::rounds::refusal::RoundRefusal;
    let refusal = RoundRefusal::WrongOutcome { round: 1 }.into();
    let refused = ViolationRule::Block(BlockFault::Refused(Box::new(refusal)));
    assert_eq!(rule_name(&refused), "Block.Refused.WrongOutcome");
    assert_eq!(rule_name(&ViolationRule::Block(BlockFault::Body)), "Block.Body");
    assert_eq!(rule_name(&ViolationRule::Empty), "Empty");
}
