//! Keys that somebody else presses at the far end: what is being said waits for them.

use std::time::Duration;

use media::Rate;

use crate::line::{Call, ms, setup, tone};

/// A call in which a second of speech has begun, a fifth of it was sent, and keys are asked for.
fn held() -> Call {
    let mut call = Call::new(setup());
    call.silence(ms(1_000));
    call.says(1, &tone(Rate::Hz8000, 400.0, 8_000.0, ms(1_000)));
    call.silence(ms(100));
    assert_eq!(sent(&call), ms(200));
    call.session.hold(call.now);
    assert!(call.session.is_held(call.now));
    call
}

fn sent(call: &Call) -> Duration {
    ms(20) * call.sent.len() as u32
}

#[test]
fn speech_goes_on_behind_the_keys_and_nothing_of_it_is_lost() {
    let mut call = held();
    call.silence(ms(300));
    assert_eq!(
        sent(&call),
        ms(200),
        "nobody has said yet what becomes of them"
    );
    let from = call.now;
    call.session.make_room(from, ms(400));
    call.silence(ms(300));
    assert_eq!(
        sent(&call),
        ms(200),
        "they sound, and it leaves 100 ms ahead"
    );
    assert!(call.session.is_held(call.now));
    call.silence(ms(20));
    assert!(sent(&call) > ms(200));
    assert!(
        !call.session.is_held(call.now),
        "what would be cleared is ours"
    );
    call.silence(ms(1_500));
    assert_eq!(sent(&call), ms(1_000));
    let (mark, end) = (call.marks.last(), call.sent.last());
    let (marked, sent) = (mark.expect("it is marked").0, end.expect("it is sent").0);
    assert_eq!(marked, sent);
    assert_eq!(sent, from + ms(400 + 800 - 100));
    assert_eq!(call.session.counts().underruns, 0);
}

#[test]
fn keys_that_nobody_presses_delay_nothing() {
    let mut call = held();
    call.silence(ms(60));
    call.session.make_room(call.now, Duration::ZERO);
    call.session.press("5");
    call.speak();
    assert!(!call.session.is_held(call.now));
    assert!(sent(&call) > ms(200), "our own tone leaves at once");
    call.silence(ms(2_000));
    assert_eq!(sent(&call), ms(1_000) + media::KEY_TONE + media::KEY_GAP);
    assert_eq!(call.session.counts().underruns, 0);
}

#[test]
fn keys_behind_keys_are_waited_for_too() {
    let mut call = held();
    let from = call.now;
    call.session.hold(call.now);
    call.session.make_room(call.now, ms(6_000));
    call.silence(ms(6_200));
    call.session.make_room(call.now, ms(600));
    call.silence(ms(2_000));
    // The second ones sound from when somebody says so, which is later than the first are over.
    let first = call.sent.iter().find(|it| it.0 > from);
    let first = first.expect("it goes on").0;
    assert_eq!(first, from + ms(6_200 + 600 - 80));
}

#[test]
fn whoever_never_answers_is_not_waited_for_for_ever() {
    let mut call = held();
    call.silence(ms(4_800));
    assert_eq!(sent(&call), ms(200));
    call.silence(ms(2_000));
    assert_eq!(sent(&call), ms(1_000));
    // An answer that comes that late moves nothing back.
    call.session.make_room(call.now, ms(200));
    call.says(2, &tone(Rate::Hz8000, 400.0, 8_000.0, ms(200)));
    call.silence(ms(600));
    assert_eq!(sent(&call), ms(1_200));
}

#[test]
fn a_cut_leaves_the_keys_alone() {
    let mut call = held();
    call.silence(ms(200));
    let before = sent(&call);
    let cut = call.cut(1).expect("it was being said");
    assert_eq!(cut.played, ms(200));
    assert_eq!(sent(&call), before, "there is nothing to fade");
    assert!(call.session.is_held(call.now));
    call.session.make_room(call.now, ms(400));
    call.says(2, &tone(Rate::Hz8000, 400.0, 8_000.0, ms(200)));
    call.silence(ms(280));
    assert_eq!(sent(&call), before, "they still sound");
    call.silence(ms(400));
    assert_eq!(sent(&call), before + ms(200));
}
