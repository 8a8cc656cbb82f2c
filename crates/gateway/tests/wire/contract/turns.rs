//! Taking turns over a carrier's wire: who is heard, how much of it, and how soon they fall silent.

use std::path::Path;

use call::Event;
use exchange::mischief::Mischief;
use exchange::phone::Step;
use exchange::stopwatch::Clear;
use exchange::{EndedBy, Outcome};

use super::told;
use crate::house::{House, OURS, THEIRS, events, soon};
use crate::{listener, ms};

pub(super) async fn an_opening_line(carrier: &str) {
    let house = with_opening(carrier, "Good morning, who is it?").await;
    let script = [Step::Wait(ms(2_500)), Step::HangUp];
    let outcome = called(&house, script).await;
    let spoke = outcome.report.agent_spoke;
    assert!(spoke.abs_diff(ms(24 * 50)) < ms(80), "{spoke:?}");
    let story = told(&house.gateway.board.calls()[0]).await;
    let said = r#"{"type":"agent.said","text":"Good morning, who is it?"}"#;
    assert!(story.contains(said), "{story}");
}

/// The caller takes the floor: what the far end still has to play is thrown away, and what is known
/// to have been heard is what the ear heard.
pub(super) async fn a_barge_in(carrier: &str) {
    let opening = "Good morning and welcome to this very long greeting that nobody wants to hear to its end, and which goes on and on.";
    let house = with_opening(carrier, opening).await;
    let script = [
        Step::InterruptAfter {
            speech: ms(1_500),
            timeout: ms(8_000),
        },
        Step::Say(hush(1_500)),
        Step::Wait(ms(400)),
        Step::HangUp,
    ];
    let outcome = called(&house, script).await;
    let [interruption] = &outcome.report.interruptions[..] else {
        panic!("they interrupted once: {:?}", outcome.report);
    };
    assert!(interruption.stop <= ms(350), "{interruption:?}");
    assert!(
        matches!(interruption.clear, Clear::Sent { .. }),
        "the far end still has it: {interruption:?}"
    );
    let told = events(&house.gateway.board.calls()[0]);
    let cut = told.iter().find_map(|it| {
        let Event::AgentInterrupted { heard, unheard } = it else {
            return None;
        };
        Some((heard.reveal(), unheard.reveal()))
    });
    let (heard, unheard) = cut.expect("what was heard is told");
    assert_eq!(format!("{heard} {unheard}"), opening);
    // A letter is hummed for 50 ms, and what is heard is known to a word.
    let at_ear = outcome.report.agent_spoke;
    let told = ms(50) * u32::try_from(heard.len()).expect("it is short");
    assert!(
        told.abs_diff(at_ear) <= ms(500),
        "{told:?}, and {at_ear:?} at the ear"
    );
}

/// Someone who says "Shhh": no tone of theirs is like any of ours, so that nobody takes it for an echo.
fn hush(length: u32) -> Vec<i16> {
    let mut noise = 1_u32;
    let sample = |_| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        (noise as i16) / 4
    };
    (0..length * 8).map(sample).collect()
}

async fn with_opening(carrier: &str, opening: &str) -> House {
    let service = |_: &Path, text: String| {
        let agent = format!(
            "[agents.service]\nkind = \"answering-service\"\nowner = \"Robert\"\nopening = \"{opening}\"\n"
        );
        let text = text.replace("agent = \"echo\"", "agent = \"service\"");
        text.replace("[policy]", &format!("{agent}[policy]"))
    };
    House::of(carrier, listener(), Mischief::default(), service).await
}

async fn called(house: &House, script: impl Into<Vec<Step>>) -> std::sync::Arc<Outcome> {
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    outcome
}
