//! The wire contract: the JSON of every event. If this changes, so does what strangers read.

use call::event::{
    Answered, Consent, End, Event, Goal, Judge, JudgedBy, Outcome, Party, Proof, Reached, Refused,
    Speaker, Timed, Unrecorded, What, Who, Why,
};
use call::{Data, Digit, Number, Private, Trust, TurnId};
use expect_test::expect;

#[test]
fn every_event_is_written_like_this() {
    let lines: Vec<String> = every_event().iter().map(json).collect();
    expect![[r#"
        {"type":"call.dialed"}
        {"type":"call.offered"}
        {"type":"call.ringing"}
        {"type":"call.answered"}
        {"type":"call.connected"}
        {"type":"call.answered_by","who":"machine","by":"gateway","judged_ms":3900,"speech_ms":600,"greeting_ms":3300,"pause_ms":420,"silence_ms":0,"bursts":9,"beep_ms":3500,"beep_hz":1000}
        {"type":"call.answered_by","who":"human","by":"carrier"}
        {"type":"call.greeting_ended","beep":true}
        {"type":"call.disconnected"}
        {"type":"call.reconnected","gap_ms":1250}
        {"type":"call.ended","by":"caller","why":"hung_up"}
        {"type":"disclosure.played","text":"words","sha256":"c0ffee","bytes":64000}
        {"type":"recording.started","consent":"announced"}
        {"type":"recording.refused","why":"no_answer"}
        {"type":"caller.speech_started"}
        {"type":"caller.speech_ended"}
        {"type":"caller.hearing","text":"words"}
        {"type":"caller.said","text":"words"}
        {"type":"caller.pressed","digit":"5"}
        {"type":"caller.opted_out"}
        {"type":"agent.turn_started","text":"words"}
        {"type":"agent.said","text":"words"}
        {"type":"agent.interrupted","heard":"some","unheard":"words"}
        {"type":"agent.pressed","digits":"12#"}
        {"type":"agent.called_tool","name":"weather"}
        {"type":"agent.took_message","name":"a name","text":"words"}
        {"type":"agent.noted","text":"words"}
        {"type":"agent.turn_timed","turn":2,"transcribed_ms":210,"told_ms":600,"first_token_ms":700,"first_clause_ms":800,"first_audio_ms":900,"at_ear_ms":1000}
        {"type":"agent.turn_timed","turn":3,"told_ms":600}
        {"type":"caller.proved"}
        {"type":"caller.failed_proof"}
        {"type":"caller.in_emergency"}
        {"type":"agent.refused","code":"policy.trust","needs":"proven","trust":"caller-id"}
        {"type":"agent.stalled"}
        {"type":"call.transferring","to":"ben"}
        {"type":"call.handed_over","to":"ben"}
        {"type":"call.transferred","to":"ben"}
        {"type":"call.transfer_failed","to":"ben","why":"busy"}
        {"type":"meeting.joined","meeting":"0192"}
        {"type":"meeting.left","meeting":"0192"}
        {"type":"meeting.speaking"}
        {"type":"meeting.stopped_speaking"}
        {"type":"meeting.muted"}
        {"type":"meeting.unmuted"}
        {"type":"policy.allowed","what":"transfer","rule":"`call` in [policy], offhook.toml:9"}
        {"type":"policy.refused","what":"dial","code":"policy.not_allowed","rule":"`call` in [policy], offhook.toml:9"}
        {"type":"policy.refused","what":"answer","code":"policy.caller","rule":"`answer` in [policy], offhook.toml:9","more":17}
        {"type":"policy.purpose","purpose":"words","agreed_to":"words"}
        {"type":"policy.held","what":"dial","rule":"`approve` in [policy], offhook.toml:9"}
        {"type":"call.outcome","reached":"person","goal":"met","judged_by":"agent","summary":"words","facts":{"day":"words","free":true,"none":null,"numbers":[3,-3,0.5]},"proof":[{"of":"goal","line":2,"who":"caller","text":"words","ms":4200}],"unproven":["day"]}
        {"type":"call.outcome","reached":"nobody","goal":"not_met","judged_by":"gateway","unjudged":"agent.timeout"}
        {"type":"agent.failed","code":"agent.timeout"}
        {"type":"speech.failed","code":"speech.failed"}
    "#]]
    .assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn every_end_is_written_like_this() {
    let parties = [
        Party::Caller,
        Party::Agent,
        Party::Owner,
        Party::Carrier,
        Party::Gateway,
    ];
    let whys = [
        Why::HungUp,
        Why::Completed,
        Why::Busy,
        Why::NoAnswer,
        Why::Rejected,
        Why::Canceled,
        Why::Silence,
        Why::TimeLimit,
        Why::Machine,
        Why::Policy,
        Why::Loop,
        Why::Fault,
    ];
    let lines = parties.iter().map(json).chain(whys.iter().map(json));
    expect![[r#"
        "caller" "agent" "owner" "carrier" "gateway" "hung_up" "completed" "busy" "no_answer" "rejected" "canceled" "silence" "time_limit" "machine" "policy" "loop" "fault"
    "#]].assert_eq(&(lines.collect::<Vec<_>>().join(" ") + "\n"));
}

#[test]
fn what_is_private_is_not_printed() {
    let printed = format!(
        "{:?} {:?} {:?} {:?}",
        Event::CallerSaid {
            text: "my secret".into()
        },
        call::output::Agent::Turn {
            turn: TurnId(1),
            said: "my secret".into()
        },
        Digit::new('7').unwrap(),
        Number::parse("+15551234567").unwrap(),
    );
    for secret in ["secret", "7)", "1234567"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("it is plain data")
}

fn outcome() -> Outcome {
    let facts = [
        ("day", Data::Text("words".to_owned())),
        ("free", Data::Truth(true)),
        ("none", Data::Nothing),
        (
            "numbers",
            Data::List(vec![
                Data::Whole(3),
                Data::Below(-3),
                Data::Real(0.5.into()),
            ]),
        ),
    ];
    let facts = facts.map(|(name, it)| (name.to_owned(), it));
    Outcome {
        reached: Reached::Person,
        goal: Goal::Met,
        judged_by: JudgedBy::Agent,
        summary: Some("words".into()),
        facts: Some(Private::new(Data::Named(facts.into()))),
        proof: vec![Proof {
            of: "goal".into(),
            line: 2,
            who: Speaker::Caller,
            text: "words".into(),
            ms: 4_200,
        }],
        unproven: vec!["day".into()],
        unjudged: None,
    }
}

fn nobody_there() -> Outcome {
    Outcome {
        reached: Reached::Nobody,
        goal: Goal::NotMet,
        judged_by: JudgedBy::Gateway,
        summary: None,
        facts: None,
        proof: Vec::new(),
        unproven: Vec::new(),
        unjudged: Some("agent.timeout"),
    }
}

fn heard() -> Timed {
    Timed {
        turn: 2,
        transcribed_ms: Some(210),
        told_ms: 600,
        first_token_ms: Some(700),
        first_clause_ms: Some(800),
        first_audio_ms: Some(900),
        at_ear_ms: Some(1_000),
    }
}

fn unheard() -> Timed {
    Timed {
        turn: 3,
        transcribed_ms: None,
        first_token_ms: None,
        first_clause_ms: None,
        first_audio_ms: None,
        at_ear_ms: None,
        ..heard()
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn every_event() -> Vec<Event> {
    let text = || Private::from("words");
    let all = vec![
        Event::Dialed,
        Event::Offered,
        Event::Ringing,
        Event::Answered,
        Event::Connected,
        Event::AnsweredBy(Answered {
            who: Who::Machine,
            by: Judge::Gateway,
            judged_ms: Some(3_900),
            speech_ms: Some(600),
            greeting_ms: Some(3_300),
            pause_ms: Some(420),
            silence_ms: Some(0),
            bursts: Some(9),
            beep_ms: Some(3_500),
            beep_hz: Some(1_000),
        }),
        Event::AnsweredBy(Answered {
            who: Who::Human,
            by: Judge::Carrier,
            judged_ms: None,
            speech_ms: None,
            greeting_ms: None,
            pause_ms: None,
            silence_ms: None,
            bursts: None,
            beep_ms: None,
            beep_hz: None,
        }),
        Event::GreetingEnded { beep: true },
        Event::Disconnected,
        Event::Reconnected { gap_ms: 1_250 },
        Event::Ended(End {
            by: Party::Caller,
            why: Why::HungUp,
        }),
        Event::DisclosurePlayed {
            text: text(),
            sha256: "c0ffee".to_owned(),
            bytes: 64_000,
        },
        Event::RecordingStarted {
            consent: Consent::Announced,
        },
        Event::RecordingRefused {
            why: Unrecorded::NoAnswer,
        },
        Event::CallerSpeechStarted,
        Event::CallerSpeechEnded,
        Event::CallerHearing { text: text() },
        Event::CallerSaid { text: text() },
        Event::CallerPressed {
            digit: Private::new('5'),
        },
        Event::CallerOptedOut,
        Event::AgentTurnStarted { text: text() },
        Event::AgentSaid { text: text() },
        Event::AgentInterrupted {
            heard: "some".into(),
            unheard: text(),
        },
        Event::AgentPressed {
            digits: "12#".into(),
        },
        Event::AgentCalledTool {
            name: "weather".into(),
        },
        Event::AgentTookMessage {
            name: "a name".into(),
            text: text(),
        },
        Event::AgentNoted { text: text() },
        Event::AgentTurnTimed(heard()),
        Event::AgentTurnTimed(unheard()),
        Event::CallerProved,
        Event::CallerFailedProof,
        Event::CallerInEmergency,
        Event::AgentRefused(Refused {
            code: "policy.trust",
            needs: Trust::Proven,
            trust: Trust::CallerId,
        }),
        Event::AgentStalled,
        Event::Transferring {
            to: "ben".to_owned(),
        },
        Event::HandedOver {
            to: "ben".to_owned(),
        },
        Event::Transferred {
            to: "ben".to_owned(),
        },
        Event::TransferFailed {
            to: "ben".to_owned(),
            why: Why::Busy,
        },
        Event::MeetingJoined {
            meeting: "0192".to_owned(),
        },
        Event::MeetingLeft {
            meeting: "0192".to_owned(),
        },
        Event::MeetingSpeaking,
        Event::MeetingStoppedSpeaking,
        Event::MeetingMuted,
        Event::MeetingUnmuted,
        Event::PolicyAllowed {
            what: What::Transfer,
            rule: "`call` in [policy], offhook.toml:9".to_owned(),
        },
        Event::PolicyRefused {
            what: What::Dial,
            code: "policy.not_allowed",
            rule: "`call` in [policy], offhook.toml:9".to_owned(),
            more: 0,
        },
        Event::PolicyRefused {
            what: What::Answer,
            code: "policy.caller",
            rule: "`answer` in [policy], offhook.toml:9".to_owned(),
            more: 17,
        },
        Event::PolicyPurpose {
            purpose: Some("words".into()),
            consent: Some("words".into()),
        },
        Event::PolicyHeld {
            what: What::Dial,
            rule: "`approve` in [policy], offhook.toml:9".to_owned(),
        },
        Event::Outcome(Box::new(outcome())),
        Event::Outcome(Box::new(nobody_there())),
        Event::AgentFailed {
            code: "agent.timeout",
        },
        Event::SpeechFailed {
            code: "speech.failed",
        },
    ];
    // Here the compiler asks whoever adds an event to add it above too.
    for event in &all {
        match event {
            Event::Dialed
            | Event::Offered
            | Event::Ringing
            | Event::Answered
            | Event::Connected
            | Event::AnsweredBy(_)
            | Event::GreetingEnded { beep: _ }
            | Event::Disconnected
            | Event::Reconnected { .. }
            | Event::Ended(_)
            | Event::DisclosurePlayed { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingRefused { .. }
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
            | Event::AgentInterrupted { .. }
            | Event::AgentPressed { .. }
            | Event::AgentCalledTool { .. }
            | Event::AgentTookMessage { .. }
            | Event::AgentNoted { .. }
            | Event::AgentTurnTimed(_)
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
            | Event::PolicyHeld { .. }
            | Event::Outcome(_)
            | Event::PolicyPurpose { .. }
            | Event::AgentStalled
            | Event::AgentFailed { .. }
            | Event::SpeechFailed { .. } => {}
        }
    }
    all
}
