//! What is said about a round that is over.

use crate::http_support::{World, options, run};
use veilgrid_client::ledger_view::{LedgerView, RoundEnds};

#[test]
fn a_node_that_was_started_again_says_how_a_round_ended_if_it_has_replayed_it() {
    run(async || {
        let mut w = World::new(options());
        w.end_round();
        let mut ends = RoundEnds::default();
        w.effects.iter().flat_map(|block| &block.effects).for_each(|effect| ends.note(effect));
        let ask = async |view: &LedgerView| -> serde_json::Value {
            let server = w.show(view);
            let url = format!("http://{}/v1/rounds/1", server.addresses()[0]);
            let answer = w.client.get(url).send().await.expect("an answer");
            serde_json::from_slice(&answer.bytes().await.expect("body")).expect("JSON")
        };
        let before = ask(&w.ledger).await;
        assert_eq!((&before["stage"], &before["void_reason"]), (&"void".into(), &"TooFewBids".into()));
        assert_eq!(ask(&LedgerView::resumed(w.state.clone(), ends, w.blocks.clone())).await, before);
        let unknown = ask(&LedgerView::new(w.state.clone(), w.blocks.clone())).await;
        assert_eq!(
            (&unknown["stage"], &unknown["void_reason"]),
            (&"finished".into(), &serde_json::Value::Null)
        );
    });
}
