//! When a carrier is asked after a dial without an answer, and what its answer comes to.

use std::time::{Duration, Instant};

use call::{Inquiry, Pace, Remedy, Sighting};

#[test]
fn a_carrier_is_asked_twice_before_it_is_believed_that_there_is_no_call() {
    let (now, pace) = (Instant::now(), Pace::default());
    let mut inquiry = Inquiry::new(now, Duration::ZERO, pace, Duration::from_secs(600));
    assert_eq!(inquiry.due(), now + pace.first);
    let then = inquiry.due() + pace.answer;
    assert_eq!(inquiry.answer(then, Sighting::Missing), Remedy::Ask);
    assert_eq!(inquiry.due(), now + pace.first + pace.second);
    let then = inquiry.due() + pace.answer;
    assert_eq!(inquiry.answer(then, Sighting::Missing), Remedy::NotPlaced);
    assert_eq!(then, now + pace.longest());
}

/// It may have been answered, and over, before anybody asked.
#[test]
fn a_carrier_that_knows_only_what_is_up_does_not_say_that_there_was_no_call() {
    let now = Instant::now();
    let mut inquiry = Inquiry::new(now, Duration::ZERO, Pace::default(), Duration::ZERO);
    assert_eq!(inquiry.answer(inquiry.due(), Sighting::NotUp), Remedy::Ask);
    assert_eq!(
        inquiry.answer(inquiry.due(), Sighting::NotUp),
        Remedy::NotUp
    );
}

#[test]
fn what_may_be_it_is_ended_unless_it_says_so_by_itself() {
    let now = Instant::now();
    let mut inquiry = Inquiry::new(now, Duration::ZERO, Pace::default(), Duration::ZERO);
    assert_eq!(
        inquiry.answer(inquiry.due(), Sighting::Several),
        Remedy::Ask
    );
    assert_eq!(
        inquiry.answer(inquiry.due(), Sighting::Several),
        Remedy::EndAll
    );
    let mut inquiry = Inquiry::new(now, Duration::ZERO, Pace::default(), Duration::ZERO);
    assert_eq!(inquiry.answer(now, Sighting::One), Remedy::Adopt);
}

#[test]
fn a_carrier_that_does_not_say_is_asked_for_as_long_as_the_call_could_be_up() {
    let (now, limit) = (Instant::now(), Duration::from_secs(600));
    let mut inquiry = Inquiry::new(now, Duration::ZERO, Pace::default(), limit);
    let mut asked = 0;
    loop {
        let then = inquiry.due();
        asked += 1;
        match inquiry.answer(then, Sighting::Unsaid) {
            Remedy::Ask => assert!(inquiry.due() > then),
            Remedy::GiveUp => break assert!(then >= now + limit),
            other @ (Remedy::Adopt | Remedy::EndAll | Remedy::NotPlaced | Remedy::NotUp) => {
                panic!("{other:?}: it said nothing")
            }
        }
    }
    assert!(asked > 100, "{asked}");
    assert_eq!(inquiry.answer(now + limit, Sighting::One), Remedy::Adopt);
}

/// Gateways die one after the other, each before it would have asked twice.
#[test]
fn a_dial_is_settled_however_often_who_asks_after_it_dies() {
    let (sent, pace) = (Instant::now(), Pace::default());
    let (mut now, lives) = (sent, Duration::from_secs(2));
    let settled = loop {
        let ago = now.duration_since(sent);
        let mut inquiry = Inquiry::new(now, ago, pace, Duration::from_secs(600));
        let mut remedy = Remedy::Ask;
        while remedy == Remedy::Ask && inquiry.due() <= now + lives {
            remedy = inquiry.answer(inquiry.due(), Sighting::Missing);
        }
        if remedy != Remedy::Ask {
            break remedy;
        }
        now += lives;
    };
    assert_eq!(settled, Remedy::NotPlaced);
    let took = now.duration_since(sent);
    // What was on its way when the first one died had its time, and the lists theirs.
    assert!(took + lives >= pace.request + pace.first + pace.second);
    assert!(took <= Duration::from_secs(60), "{took:?}");
}
