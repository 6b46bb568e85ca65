//! `veilgrid registrar members`.

use super::MembersArgs;
use super::send::all_members;
use crate::failure::Failure;
use crate::output;
use veilgrid_api::MemberEntry;
use veilgrid_market::timestamp::format_utc;
use veilgrid_node::start::block_on;

pub(super) fn run(args: &MembersArgs) -> Result<(), Failure> {
    let client = args.reach.client(&args.url)?;
    let page = block_on(all_members(&client)).map_err(Failure::input)?.map_err(Failure::input)?;
    if args.json {
        return output::json(&page);
    }
    output::line(format!("ledger         {}", page.ledger_id));
    output::line(format!("height         {}", page.height));
    output::line(format!("registrar      key {}, next order {}", page.registrar_key, page.sequence));
    output::line(format!(
        "members        {} of {}, {} suspended",
        page.count, page.max_members, page.suspended
    ));
    let mut table = output::table(&[
        "account",
        "number",
        "role",
        "rights",
        "import Wh",
        "export Wh",
        "zone",
        "until",
        "",
    ]);
    for member in &page.members {
        table.add_row(row(member));
    }
    output::line(table);
    Ok(())
}

fn row(member: &MemberEntry) -> Vec<String> {
    let rights = match (member.buy, member.sell) {
        (true, true) => "both",
        (true, false) => "buy",
        _ => "sell",
    };
    vec![
        member.account.to_string()[..16].to_owned(),
        member.number.to_string(),
        member.role.to_string(),
        rights.to_owned(),
        member.import_wh.to_string(),
        member.export_wh.to_string(),
        member.zone.to_string(),
        member.to_unix_s.map_or_else(String::new, format_utc),
        if member.suspended { "suspended".to_owned() } else { String::new() },
    ]
}
