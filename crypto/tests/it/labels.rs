//! The specification's table of labels and the code's are the same.

use std::collections::BTreeSet;
use veilgrid_crypto::labels::{ALL, PROTOCOL_VERSION};

const TABLE: &str = include_str!("../../../protocol-spec/labels.md");

/// Rows `| NAME | `text` | use |`.
fn rows() -> Vec<[String; 3]> {
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()
    };
    TABLE
        .lines()
        .filter(|line| line.starts_with('|') && line.contains('`'))
        .map(|line| cells(line).try_into().unwrap_or_else(|_| panic!("three cells a row: {line}")))
        .collect()
}

#[test]
fn the_specification_lists_the_labels_of_the_code_in_their_order() {
    let specified: Vec<(String, String)> =
        rows().into_iter().map(|[name, text, _]| (name, text.trim_matches('`').to_string())).collect();
    let used: Vec<(String, String)> = ALL
        .iter()
        .map(|(name, text)| (name.to_string(), String::from_utf8(text.to_vec()).expect("labels are ASCII")))
        .collect();
    assert_eq!(specified, used, "protocol-spec/labels.md against labels.rs");
}

#[test]
fn every_label_is_distinct_versioned_ascii_and_explained() {
    let distinct: BTreeSet<&[u8]> = ALL.iter().map(|(_, text)| *text).collect();
    assert_eq!(distinct.len(), ALL.len());
    let prefix = format!("veilgrid/{PROTOCOL_VERSION}/");
    assert!(ALL.iter().all(|(_, text)| text.starts_with(prefix.as_bytes()) && text.is_ascii()));
    assert!(rows().iter().all(|[_, _, usage]| usage.len() > 10), "each row says what its label is for");
    assert!(TABLE.contains(&format!("version {PROTOCOL_VERSION}")), "the page names its version");
}
