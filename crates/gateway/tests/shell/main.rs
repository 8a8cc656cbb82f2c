//! The shell, with every plug replaced by the other end of its link and the clock wound by hand.

mod fakes;
mod flights;

use std::time::Duration;

use call::event::{End, Event, Party, Why};
use call::{Keys, Mode, Opening, Private, input, output};
use fakes::{CALLER, Sent, World};
use gateway::presses::{Pressed, Presses};
use gateway::runner::{Control, Order};
use ports::agent::{Answer, Tell};
use ports::speech::{Hearing, Listen, Spoken};

fn conversation() -> Mode {
    Mode::Conversation {
        opening: Opening::Wait,
    }
}

/// The caller says something, the ears hear it, and the agent is asked.
async fn ask(world: &mut World, words: &str) -> call::TurnId {
    world.send(40, Sent::Speech).await;
    world.send(20, Sent::Silence).await;
    let last = Hearing::Final(words.into());
    world
        .transcriber
        .tx
        .send(last)
        .await
        .expect("the call has ears");
    world.send(60, Sent::Silence).await;
    world
        .told(|tell| {
            let Tell::Turn { turn, said } = tell else {
                return None;
            };
            assert_eq!(said.reveal(), words);
            Some(turn)
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_through_real_links() {
    let mut world = World::new(conversation()).await;
    let turn = ask(&mut world, "when do you open").await;
    let answer = Answer::Text(turn, "We open at nine.".into());
    world
        .brain
        .tx
        .send(answer)
        .await
        .expect("the call has an agent");
    world
        .brain
        .tx
        .send(Answer::Finish(turn))
        .await
        .expect("the call has an agent");
    world.speak(Duration::from_millis(500)).await;
    world.send(60, Sent::Silence).await;
    let said = Event::AgentSaid {
        text: "We open at nine.".into(),
    };
    assert!(
        world.log.after(0).iter().any(|it| it.event == said),
        "{}",
        world.story()
    );
    let timed = world.log.after(0).into_iter().find_map(|it| {
        if let Event::AgentTurnTimed(timed) = it.event {
            return Some(timed);
        }
        None
    });
    let timed = timed.expect("a turn that is over was timed");
    let (audio, ear) = (timed.first_audio_ms, timed.at_ear_ms);
    assert!(audio.is_some() && ear >= audio, "{timed:?}");
    world.hang_up().await;
    assert_eq!(
        world.log.after(0).last().expect("it ended").event,
        Event::Ended(CALLER)
    );
}

#[tokio::test(start_paused = true)]
async fn sound_that_comes_back_waits_for_no_timer() {
    let mut world = World::new(Mode::Loopback).await;
    for byte in 0..50u8 {
        let before = tokio::time::Instant::now();
        world
            .to_call
            .send(format!("audio {} {}", byte + 1, byte + 1))
            .expect("the line is up");
        loop {
            let message = world.from_call.recv().await.expect("the line is up");
            if message.starts_with("audio") {
                assert_eq!(message, format!("audio {}", byte + 1));
                break;
            }
        }
        assert_eq!(before.elapsed(), Duration::ZERO, "frame {byte}");
        tokio::time::advance(Duration::from_millis(20)).await;
    }
    world.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn the_agent_speaks_on_when_the_callers_frames_stop() {
    let mut world = World::new(conversation()).await;
    let turn = ask(&mut world, "hello").await;
    world
        .brain
        .tx
        .send(Answer::Text(turn, "Good morning.".into()))
        .await
        .expect("agent");
    world
        .brain
        .tx
        .send(Answer::Finish(turn))
        .await
        .expect("agent");
    world.sent();
    world.speak(Duration::from_secs(1)).await;
    world
        .until(|it| matches!(it, Event::AgentSaid { .. }))
        .await;
    let frames = world
        .sent()
        .iter()
        .filter(|it| it.starts_with("audio"))
        .count();
    assert_eq!(frames, 50, "a second of sound is fifty frames");
    world.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_interrupts_silences_the_agent_at_both_ends() {
    let mut world = World::new(conversation()).await;
    let turn = ask(&mut world, "tell me everything").await;
    let text = "We open at nine and close at five every day but Sunday.";
    world
        .brain
        .tx
        .send(Answer::Text(turn, text.into()))
        .await
        .expect("agent");
    world
        .brain
        .tx
        .send(Answer::Finish(turn))
        .await
        .expect("agent");
    let (id, _) = world.speak(Duration::from_secs(4)).await;
    world.send(60, Sent::Silence).await;
    world.sent();
    world.send(40, Sent::Speech).await;
    let cut = world
        .until(|it| matches!(it, Event::AgentInterrupted { .. }))
        .await;
    let Event::AgentInterrupted { heard, unheard } = cut else {
        unreachable!("just matched");
    };
    assert!(text.starts_with(heard.reveal().as_str()), "{heard:?}");
    assert!(text.ends_with(unheard.reveal().as_str()), "{unheard:?}");
    assert!(!heard.reveal().is_empty() && !unheard.reveal().is_empty());
    let told = world
        .told(|tell| {
            let Tell::Interrupted { heard, .. } = tell else {
                return None;
            };
            Some(heard)
        })
        .await;
    assert_eq!(told, heard);

    let sent = world.sent();
    let clear = sent
        .iter()
        .position(|it| it == "clear")
        .expect("the far end was cleared");
    let after = sent[clear..]
        .iter()
        .filter(|it| it.starts_with("audio"))
        .count();
    assert!(
        after <= 2,
        "only a short fade follows a cut, not {after} frames"
    );
    // A synthesizer that did not hear the cut speaks on, to nobody.
    world
        .synthesizer
        .tx
        .send(Spoken::Audio(id, vec![9_000; 8_000]))
        .await
        .expect("mouth");
    world.send(20, Sent::Silence).await;
    assert!(!world.sent().iter().any(|it| it.starts_with("audio")));
    world.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_said_waits_for_keys_that_the_carrier_presses() {
    let (presses, mut wanted) = tokio::sync::mpsc::channel(1);
    let mut world = World::pressed_by(conversation(), Presses::ByCarrier(presses)).await;
    let said = Control::Command(input::Command::Say("A very long story.".into()));
    world.control.send(said).await.expect("the call runs");
    world.speak(Duration::from_secs(9)).await;
    world.send(10, Sent::Silence).await;
    let speaks = |world: &mut World| world.sent().iter().any(|it| it.starts_with("audio"));
    assert!(speaks(&mut world));
    let keys = Keys::parse("12").expect("they are keys");
    let press = || Control::Command(input::Command::Press(keys.clone()));
    let control = world.control.clone();

    control.send(press()).await.expect("the call runs");
    assert_eq!(wanted.recv().await, Some(keys.clone()));
    speaks(&mut world);
    world.send(20, Sent::Silence).await;
    assert!(!speaks(&mut world), "nobody has said what becomes of them");
    let pressed = Control::Pressed(Pressed::ByCarrier(keys.clone()));
    control.send(pressed).await.expect("the call runs");
    world.send(14, Sent::Silence).await;
    assert!(
        !speaks(&mut world),
        "they take 400 ms, and it leaves 100 ms ahead"
    );
    world.send(10, Sent::Silence).await;
    assert!(speaks(&mut world), "and goes on");

    control.send(press()).await.expect("the call runs");
    assert_eq!(wanted.recv().await, Some(keys.clone()));
    speaks(&mut world);
    let refused = Control::Pressed(Pressed::ByNobody(keys.clone()));
    control.send(refused).await.expect("the call runs");
    world.send(5, Sent::Silence).await;
    assert!(speaks(&mut world), "then they are tones, at once");

    // Nobody takes them: the first of them waits, and the next have no room.
    for _ in 0..2 {
        control.send(press()).await.expect("the call runs");
    }
    world.send(5, Sent::Silence).await;
    speaks(&mut world);
    drop(wanted);
    world.send(400, Sent::Silence).await;
    assert!(speaks(&mut world), "not for ever");
    world.hang_up().await;
    let entries = world.log.after(0);
    let pressed = entries
        .iter()
        .filter(|it| matches!(it.event, Event::AgentPressed { .. }));
    assert_eq!(pressed.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_breaks_and_does_not_come_back_is_hung_up() {
    let mut world = World::new(conversation()).await;
    assert_eq!(
        world.orders.recv().await,
        Some(Order::Carrier(output::Carrier::Answer))
    );
    world.send(5, Sent::Silence).await;
    let (gone, _) = tokio::sync::mpsc::unbounded_channel();
    world.to_call = gone;
    assert_eq!(
        world.orders.recv().await,
        Some(Order::Carrier(output::Carrier::Reconnect))
    );
    assert_eq!(
        world.orders.recv().await,
        Some(Order::Carrier(output::Carrier::HangUp))
    );
    world.log.ended().await;
    let end = End {
        by: Party::Carrier,
        why: Why::Fault,
    };
    assert_eq!(
        world.log.after(0).last().expect("it ended").event,
        Event::Ended(end)
    );
    world.running.await.expect("the call did not panic");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_breaks_is_asked_for_and_the_call_goes_on() {
    let mut world = World::new(Mode::Loopback).await;
    assert_eq!(
        world.orders.recv().await,
        Some(Order::Carrier(output::Carrier::Answer))
    );
    world.send(5, Sent::Silence).await;
    world.reconnect().await;
    assert_eq!(
        world.orders.recv().await,
        Some(Order::Carrier(output::Carrier::Reconnect))
    );
    world.send(20, Sent::Speech).await;
    let echoed = world.sent().iter().any(|it| it.starts_with("audio"));
    assert!(echoed, "the sound comes back over the new line");
    world.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_hear_says_so_and_ends() {
    let mut world = World::new(conversation()).await;
    let (none, deaf) = ports::pair::<Hearing, Listen>(1);
    drop(deaf);
    world.transcriber = none;
    let (_, goodbye) = world.speak(Duration::from_millis(400)).await;
    assert!(!goodbye.is_empty());
    world.log.ended().await;
    let end = End {
        by: Party::Gateway,
        why: Why::Fault,
    };
    assert_eq!(
        world.log.after(0).last().expect("it ended").event,
        Event::Ended(end)
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_gone_is_apologised_for() {
    let mut world = World::new(conversation()).await;
    let (none, gone) = ports::pair::<Answer, Tell>(1);
    drop(gone);
    world.brain = none;
    world.send(40, Sent::Speech).await;
    world.send(20, Sent::Silence).await;
    world
        .transcriber
        .tx
        .send(Hearing::Final("hello".into()))
        .await
        .expect("ears");
    world.send(60, Sent::Silence).await;
    let (_, apology) = world.speak(Duration::from_millis(400)).await;
    assert_eq!(Private::from(apology), call::Phrases::default().apology);
    world.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_is_ready_is_heard_from_the_first_moment() {
    let text = "Hello, and welcome to the longest greeting that anyone has ever had to listen to.";
    let opening = Opening::Say(text.into());
    let mut world = World::new(Mode::Conversation { opening }).await;
    let (id, _) = world.clause().await;
    for _ in 0..36 {
        let piece = Spoken::Audio(id, vec![9_000; 1_600]);
        world
            .synthesizer
            .tx
            .send(piece)
            .await
            .expect("the call has a mouth");
    }
    let length = Duration::from_millis(7_200);
    world
        .synthesizer
        .tx
        .send(Spoken::Done(id, length))
        .await
        .expect("the call has a mouth");
    let began = tokio::time::Instant::now();
    world.send(400, Sent::Silence).await;
    let said = world
        .until(|it| matches!(it, Event::AgentSaid { .. }))
        .await;
    assert_eq!(said, Event::AgentSaid { text: text.into() });
    assert!(began.elapsed() < Duration::from_millis(8_100));
    world.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn keys_reach_the_agent() {
    let mut world = World::new(conversation()).await;
    world
        .to_call
        .send("press 5".into())
        .expect("the line is up");
    let key = world
        .told(|tell| {
            let Tell::Pressed(digit) = tell else {
                return None;
            };
            Some(digit.as_char())
        })
        .await;
    assert_eq!(key, '5');
    world.hang_up().await;
}
