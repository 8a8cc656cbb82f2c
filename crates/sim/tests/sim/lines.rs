//! What bad lines do: nothing to the story.

use call::Event;
use sim::{Network, World};

use crate::script::*;

#[test]
fn a_bad_line_tells_the_same_story() {
    let good = story(Network::default());
    assert!(good.len() > 15, "there is a story to tell: {good:?}");
    for bad in [
        Network {
            lose_every: Some(33),
            ..Network::default()
        },
        Network {
            swap_every: Some(7),
            ..Network::default()
        },
        Network {
            repeat_every: Some(5),
            ..Network::default()
        },
        Network {
            lose_every: Some(29),
            swap_every: Some(7),
            repeat_every: Some(11),
        },
    ] {
        assert_eq!(good, story(bad), "{bad:?}");
    }
}

/// Without what was heard of an interrupted clause: that depends on the moment, to the word.
fn story(network: Network) -> Vec<Event> {
    let world: World = conversation(&[
        "Good morning to you. We open at nine and close at five every day but Sunday.",
        "You are welcome.",
    ])
    .network(network)
    .at(1_000, speak(1_200, "good morning"))
    .at(6_000, speak(900, "thank you very much"))
    .at(8_500, pressed('7'))
    .at(12_000, hang_up())
    .run(15_000);
    world
        .events()
        .into_iter()
        // A bad line costs time, which is all that these tell.
        .filter(|event| !matches!(event, Event::AgentTurnTimed(_)))
        .map(|event| match event {
            Event::AgentInterrupted { .. } => Event::AgentInterrupted {
                heard: "".into(),
                unheard: "".into(),
            },
            event @ (Event::Dialed
            | Event::Offered
            | Event::Ringing
            | Event::Answered
            | Event::Connected
            | Event::AnsweredBy(_)
            | Event::GreetingEnded { .. }
            | Event::Disconnected
            | Event::Reconnected { .. }
            | Event::Ended(_)
            | Event::CallerSpeechStarted
            | Event::CallerSpeechEnded
            | Event::CallerHearing { .. }
            | Event::CallerSaid { .. }
            | Event::CallerPressed { .. }
            | Event::CallerOptedOut
            | Event::CallerProved
            | Event::CallerFailedProof
            | Event::CallerInEmergency
            | Event::AgentRefused(_)
            | Event::AgentTurnStarted { .. }
            | Event::AgentSaid { .. }
            | Event::AgentCalledTool { .. }
            | Event::AgentTookMessage { .. }
            | Event::AgentNoted { .. }
            | Event::AgentTurnTimed(_)
            | Event::AgentPressed { .. }
            | Event::Transferring { .. }
            | Event::HandedOver { .. }
            | Event::Transferred { .. }
            | Event::TransferFailed { .. }
            | Event::MeetingJoined { .. }
            | Event::MeetingLeft { .. }
            | Event::MeetingSpeaking
            | Event::MeetingStoppedSpeaking
            | Event::MeetingMuted
            | Event::MeetingUnmuted
            | Event::PolicyAllowed { .. }
            | Event::PolicyRefused { .. }
            | Event::PolicyPurpose { .. }
            | Event::PolicyHeld { .. }
            | Event::Outcome(_)
            | Event::AgentStalled
            | Event::AgentFailed { .. }
            | Event::SpeechFailed { .. }
            | Event::DisclosurePlayed { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingRefused { .. }) => event,
        })
        .collect()
}
