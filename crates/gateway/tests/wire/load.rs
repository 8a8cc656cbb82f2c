//! Many callers at once, over the wire of every carrier.

use std::path::Path;

use call::Event;
use call::event::{End, Party, Why};
use exchange::load::{LoadPlan, Sound};
use exchange::mischief::Mischief;

use crate::house::{House, OURS, events, free_address, soon};
use crate::{listener, ms};

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_every_carrier_hear_themselves() {
    for carrier in exchange::CARRIERS {
        let api = free_address().to_string();
        let other = |_: &Path, text: String| crowded(&text, &api);
        let house = House::of(carrier, listener(), Mischief::default(), other).await;
        let plan = LoadPlan {
            carrier: (*carrier).to_owned(),
            listen: api.clone(),
            gateway: house.public.clone(),
            public_url: house.public.clone(),
            voice_path: format!("/{carrier}/voice"),
            status_path: format!("/{carrier}/status"),
            account: String::new(),
            token: String::new(),
            to: OURS.to_owned(),
            calls: CALLS,
            duration: ms(1_000),
            ramp: ms(200),
            sound: Sound::Speech,
        };
        let report = soon(exchange::load::run(plan)).await;
        let report = report.expect("the callers can begin");
        assert_eq!(report.set_up, CALLS, "{carrier}: {report:?}");
        assert!(report.failed.is_empty(), "{carrier}: {report:?}");
        let odd = report.frames_repeated + report.odd_messages;
        assert_eq!(odd, 0, "{carrier}: {report:?}");
        // A machine that is busy with other things may be too late for a frame or two.
        assert!(
            report.frames_sent >= 45 * CALLS as u64
                && report.frames_lost * 10 <= report.frames_sent,
            "{carrier}: {report:?}"
        );
        let calls = house.gateway.board.calls();
        assert_eq!(calls.len(), CALLS, "{carrier}");
        for record in calls {
            soon(record.log.ended()).await;
            let end = End {
                by: Party::Caller,
                why: Why::HungUp,
            };
            assert_eq!(
                events(&record).last(),
                Some(&Event::Ended(end)),
                "{carrier}"
            );
        }
    }
}

/// The configuration for callers whoever they are, of an exchange whose API is at `api`.
fn crowded(text: &str, api: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("api_url", _)) => format!("api_url = \"http://{api}\"\n"),
        Some(("answer", _)) => "answer = [\"any\"]\n".to_owned(),
        Some(("max_calls", _)) => format!("max_calls = {CALLS}\n"),
        Some(_) | None => format!("{line}\n"),
    });
    lines.collect()
}

const CALLS: usize = 4;
