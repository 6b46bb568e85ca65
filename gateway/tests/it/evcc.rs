//! evcc: its tariff's forecast, and its plans as orders.

use crate::house::House;
use crate::played::{Answers, free_port, get, serve, wait_for};
use std::net::SocketAddr;
use veilgrid_household::format_utc;

#[test]
fn evcc_reads_prices_that_validators_agree_on_and_its_plan_becomes_orders() {
    let (mut house, evcc) = (House::new(), Answers::default());
    let listen: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().expect("an address");
    let plan = "/api/loadpoints/1/plan";
    evcc.set(plan, "garbage");
    house.start(
        &format!("evcc = {{ listen = \"{listen}\" }}"),
        &format!(
            "[[accounts.evcc_loadpoints]]\nplan_url = \"http://{}{plan}\"\nlimit_ct_per_kwh = \"30.125\"",
            serve(&evcc)
        ),
    );
    // No validator answers: no forecast, rather than an empty one.
    wait_for("an answer without prices", || get(listen, "/evcc/buy").filter(|(code, _)| *code == 503));

    // Round 1 and 2 are cleared, one validator lies about both; round 3 without a trade; round 4 takes bids.
    house.last_round(4);
    for validator in 0..4 {
        let lie = (validator == 0).then_some(99_000);
        house.cleared(validator, 1, lie.or(Some(28_755)));
        house.cleared(validator, 2, lie.or(Some(-1)));
        house.cleared(validator, 3, lie);
    }
    let entry = |round: i64, value: &str| {
        let (start, end) = (format_utc(house.start_of(round)), format_utc(house.start_of(round + 1)));
        format!("{{\"start\":\"{start}\",\"end\":\"{end}\",\"value\":{value}}}")
    };
    let expected = format!("[{},{}]", entry(1, "0.28755"), entry(2, "-0.00001"));
    wait_for(&expected, || get(listen, "/evcc/buy").filter(|(code, body)| *code == 200 && *body == expected));
    assert_eq!(get(listen, "/evcc/sell").expect("an answer").1, expected);

    // Half a slot of 8 kW an hour ahead, and a whole one in the slot that is traded; garbage before has changed nothing.
    let plan_of = |stretches: &str| {
        format!(
            r#"{{"planId":1,"planTime":"0001-01-01T00:00:00Z","duration":450,"plan":{stretches},"power":8000}}"#
        )
    };
    let half = format_utc(house.start_of(8) + 450);
    evcc.set(
        plan,
        plan_of(&format!(
            r#"[{{"start":"{}","end":"{}","value":0.3}},{{"start":"{half}","end":"{}","value":0.3,"power":4140.5}}]"#,
            format_utc(house.start_of(4)),
            format_utc(house.start_of(5)),
            format_utc(house.start_of(9)),
        )),
    );
    house.wait_for_row(&format!("{},buy,30.125,2.000", house.time_of(4)), true);
    house.wait_for_row(&format!("{},buy,30.125,0.517", house.time_of(8)), true);
    // Rows for every slot count beside a wish too.
    house.wait_for_row(&format!("{},buy,20,0.5", house.time_of(8)), true);
    // The next round: what was asked for in the one before is not in the file any more, or it would be bid tomorrow.
    house.last_round(5);
    house.wait_for_row(&format!("{},buy,30.125,2.000", house.time_of(4)), false);
    house.wait_for_row(&format!("{},buy,30.125,0.517", house.time_of(8)), true);
    // evcc is silent: its plan counts. It drops the plan: it does not.
    evcc.set(plan, "garbage again");
    std::thread::sleep(std::time::Duration::from_secs(3));
    house.wait_for_row(&format!("{},buy,30.125,0.517", house.time_of(8)), true);
    evcc.set(plan, plan_of("null"));
    house.wait_for_row(&format!("{},buy,30.125,0.517", house.time_of(8)), false);
    evcc.set(
        plan,
        plan_of(&format!(
            r#"[{{"start":"{}","end":"{}","value":0.3}}]"#,
            format_utc(house.start_of(6)),
            format_utc(house.start_of(7))
        )),
    );
    house.wait_for_row(&format!("{},buy,30.125,2.000", house.time_of(6)), true);
    house.stop();
}
