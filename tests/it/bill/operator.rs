//! What the community's operator gets: totals that members opened, and nothing that tells the others'.

use super::place::{Place, example_order, tree};
use super::{DATE, OPENED};
use crate::cli::json;
use serde_json::Value;
use veilgrid_billing::standing::Opens;

fn operator(place: &Place) -> String {
    let files = tree(&place.path("bills/2026-03/operator"));
    files.into_iter().map(|(_, bytes)| String::from_utf8(bytes).expect("text")).collect()
}

#[test]
fn only_what_members_opened_is_told() {
    let place = Place::new();
    let run = place.bill_final("2026-03", DATE);
    let told = operator(&place);
    for bill in run["bills"].as_array().expect("bills") {
        let (account, number) =
            (bill["account"].as_str().expect("text"), bill["number"].as_str().expect("text"));
        let is_opened = OPENED.iter().any(|(_, opened)| *opened == account);
        assert_eq!(told.contains(&format!("\"{account}\"")), is_opened, "{account}");
        assert_eq!(told.contains(number), is_opened, "{number}");
    }
    // No meter, no energy, no line of a bill.
    for word in ["AT-10", "kwh", "q16", "bought", "sold", "measured", "2026-03-2"] {
        assert!(!told.to_lowercase().contains(&word.to_lowercase()), "{word}: {told}");
    }
    assert_eq!(run["operator"]["not_opened"], 3);
    assert_eq!(run["operator"]["withheld"], Value::Array(vec![]));
    let how = |account: &str| {
        let bills = run["bills"].as_array().expect("bills");
        bills.iter().find(|bill| bill["account"] == account).expect("a bill")["how"].clone()
    };
    assert_eq!(["flat-1", "house-4", "barn", "school"].map(how), ["debit", "credit", "ask", "transfer"]);
}

#[test]
fn who_takes_its_order_back_is_told_no_more_and_sums_that_would_show_it_are_withheld() {
    let place = Place::new();
    // All but one opened: the sums would say what the last one's bill is.
    for (at, account) in [(5, "barn"), (6, "school")] {
        let order = serde_json::to_string(&example_order(account, at, 1, Opens::Total)).expect("JSON");
        std::fs::write(place.path(&format!("orders/{account}.json")), order).expect("written");
        let key = hex::encode(super::example_key(at).verifying_key().to_bytes());
        let line = place
            .read("accounts.csv")
            .lines()
            .find(|line| line.starts_with(account))
            .expect("a line")
            .to_owned();
        place.replace("accounts.csv", &line, &line.replacen(",AT,6,,", &format!(",AT,6,{key},"), 1));
    }
    let all_but_one = place.preview("2026-03");
    let operator = &all_but_one["operator"];
    assert_eq!((&operator["not_opened"], &operator["community_ct"]), (&1.into(), &Value::Null));
    assert_eq!(operator["fees"], Value::Array(vec![]));
    assert!(operator["withheld"][0].as_str().expect("text").contains("at least 3"), "{operator}");
    let order = serde_json::to_string(&example_order("barn", 5, 2, Opens::Nothing)).expect("JSON");
    std::fs::write(place.path("orders/barn-2.json"), order).expect("written");
    let two = place.preview("2026-03");
    assert_eq!(two["operator"]["not_opened"], 2);
    assert!(!two["operator"]["totals"].to_string().contains("barn"));
    assert_eq!(json(&place.bill("2026-03", &["--preview"]))["operator"], two["operator"]);
}
