//! Calls that are recorded in flight, and run again.

use std::time::Duration;

use call::{Event, Mode, Opening};
use gateway::flight::{Recording, replay, story};
use gateway::journal::Entry;
use ports::agent::Answer;
use ports::speech::Hearing;
use ports::{Blame, Fault, code};

use crate::fakes::{Sent, World};
use crate::{ask, conversation};

/// The log of a call's, as the journal would hold it, and what its recording tells.
async fn both(world: &World) -> (Vec<String>, Vec<String>) {
    let public = |entry: &Entry| serde_json::to_string(entry).expect("an entry is plain data");
    let log = world.log.after(0);
    let log = log.iter().map(public).collect();
    let recording = world.recording().await;
    let replayed = replay(&recording);
    assert_eq!(replayed.differs(&recording), None);
    assert_eq!(replayed.broke, None);
    (log, replayed.entries.iter().map(public).collect())
}

/// The agent says something, and the caller talks over it.
async fn interrupted() -> World {
    let mut world = World::new(conversation()).await;
    let turn = ask(&mut world, "tell me everything").await;
    for text in [
        "We open at nine ",
        "and close at five ",
        "every day but Sunday.",
    ] {
        let answer = Answer::Text(turn, text.into());
        world.brain.tx.send(answer).await.expect("an agent");
    }
    let answer = Answer::Finish(turn);
    world.brain.tx.send(answer).await.expect("an agent");
    world.speak(Duration::from_secs(4)).await;
    world.send(60, Sent::Silence).await;
    world.send(40, Sent::Speech).await;
    world
        .until(|it| matches!(it, Event::AgentInterrupted { .. }))
        .await;
    let partial = Hearing::Partial("\"wait\", no".into());
    world.transcriber.tx.send(partial).await.expect("ears");
    world.send(20, Sent::Silence).await;
    world.hang_up().await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_run_again_tells_the_same_to_the_byte() {
    let world = interrupted().await;
    let (log, again) = both(&world).await;
    assert!(
        log.iter().any(|it| it.contains("agent.interrupted")),
        "{log:#?}"
    );
    assert_eq!(log, again);
}

#[tokio::test(start_paused = true)]
async fn what_failed_in_flight_fails_again() {
    let opening = Opening::Say("Good morning.".into());
    let mut world = World::new(Mode::Conversation { opening }).await;
    world.speak(Duration::from_millis(700)).await;
    let turn = ask(&mut world, "hello").await;
    let fault = Fault::new(Blame::Agent, code::AGENT_REFUSED, "no");
    let failed = Answer::Failed(turn, fault);
    world.brain.tx.send(failed).await.expect("an agent");
    world.speak(Duration::from_millis(400)).await;
    let fault = Fault::new(Blame::Vendor, code::SPEECH_OVERLOADED, "no");
    let deaf = Hearing::Failed(fault);
    world.transcriber.tx.send(deaf).await.expect("ears");
    world.speak(Duration::from_millis(400)).await;
    world.log.ended().await;
    let (log, again) = both(&world).await;
    assert!(
        log.iter().any(|it| it.contains(code::SPEECH_OVERLOADED)),
        "{log:#?}"
    );
    assert_eq!(log, again);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_up_hands_out_what_it_was_told_so_far() {
    let mut world = World::new(conversation()).await;
    ask(&mut world, "hello").await;
    let recording = world.so_far().await;
    let replayed = replay(&recording);
    assert_eq!(replayed.differs(&recording), None);
    assert!(
        replayed
            .entries
            .iter()
            .all(|it| !matches!(it.event, Event::Ended(_)))
    );
    assert!(replayed.entries.len() >= 5, "{:#?}", replayed.entries);
    world.hang_up().await;
    let (log, again) = both(&world).await;
    assert_eq!(log, again);
}

#[tokio::test(start_paused = true)]
async fn a_recording_becomes_the_same_story_every_time() {
    let recording = interrupted().await.recording().await;
    let told = story(&recording).expect("it has a beginning");
    assert_eq!(Some(&told), story(&recording).ok().as_ref());
    for line in [
        "let call = Recorded::start(ms(0), plan)",
        ".amid(",
        "Media::Cut(Some(Cut {",
        r#"Speech::Partial("\"wait\", no".into())"#,
        r#""type":"agent.interrupted""#,
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let figures = told.matches("done: false").count();
    let steps = recording.steps.len();
    assert!(
        figures * 3 < steps,
        "{figures} figures of {steps} steps are left: {told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_was_changed_or_cut_short_is_refused() {
    let world = World::new(conversation()).await;
    world.hang_up().await;
    let sealed = world.sealed().await;
    assert!(Recording::read(&sealed).is_ok());
    for at in 0..sealed.len() {
        let code = |bytes: &[u8]| Recording::read(bytes).err().map(|it| it.code);
        let cut = code(&sealed[..at]);
        assert_eq!(cut, Some(code::FLIGHT_BROKEN), "cut at {at}");
        for bit in [0x01, 0x20, 0x80] {
            let mut flipped = sealed.clone();
            flipped[at] ^= bit;
            assert!(code(&flipped).is_some(), "byte {at} may be {}", flipped[at]);
        }
    }
}
