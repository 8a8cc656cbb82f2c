//! When a carrier is asked about a call, and what its answers mean.

use std::time::{Duration, Instant};

use call::event::{End, Party, Why};
use call::{Finding, Hold, Liveness, Release, Signs, Word};

const S: Duration = Duration::from_secs(1);
const END: End = End {
    by: Party::Caller,
    why: Why::HungUp,
};

fn signs(word: Instant) -> Signs {
    Signs {
        sound: Some(word),
        probe: None,
        word,
    }
}

#[test]
fn only_silence_makes_anyone_ask() {
    let start = Instant::now();
    let liveness = Liveness::new(start);
    for hour in 0..100 {
        let heard = start + hour * 3_600 * S;
        assert_eq!(liveness.due(&signs(heard)), heard + 4 * S);
    }
}

#[test]
fn only_the_carrier_ends_a_call() {
    let start = Instant::now();
    let mut liveness = Liveness::new(start);
    let (mut now, signs) = (start, signs(start));
    for _ in 0..1_000 {
        now = liveness.due(&signs);
        let patience = liveness.ask(now);
        assert!((4 * S..=15 * S).contains(&patience));
        now += patience;
        let finding = liveness.answer(now, Word::Nothing, &signs);
        assert_eq!(finding, Finding::Well);
    }
    let finding = liveness.answer(now, Word::Over(END), &signs);
    assert_eq!(finding, Finding::Over(END));
}

#[test]
fn a_socket_that_answers_probes_may_be_silent_for_ever() {
    let start = Instant::now();
    let mut liveness = Liveness::new(start);
    let mut signs = signs(start);
    for _ in 0..1_000 {
        let now = liveness.due(&signs);
        let _ = liveness.ask(now);
        assert_eq!(liveness.answer(now, Word::Up, &signs), Finding::Well);
        signs.probe = Some(now + S / 10);
    }
}

#[test]
fn a_socket_that_answers_nothing_is_stranded_if_the_call_is_up() {
    let start = Instant::now();
    let mut liveness = Liveness::new(start);
    let signs = signs(start);
    let mut found = Vec::new();
    let mut now = start;
    while now < start + 60 * S {
        now = liveness.due(&signs);
        let _ = liveness.ask(now);
        if liveness.answer(now, Word::Up, &signs) == Finding::Stranded {
            found.push((now - start).as_secs());
        }
    }
    assert_eq!(found[0], 6, "{found:?}");
    assert_eq!(
        found.windows(2).filter(|it| it[1] - it[0] < 4).count(),
        0,
        "{found:?}"
    );
}

#[test]
fn a_call_that_rings_has_no_socket_to_lose() {
    let start = Instant::now();
    let mut liveness = Liveness::new(start);
    let signs = Signs {
        sound: None,
        ..signs(start)
    };
    for word in [Word::Waits, Word::Up, Word::Up, Word::Waits, Word::Up] {
        let now = liveness.due(&signs);
        let _ = liveness.ask(now);
        assert_eq!(liveness.answer(now, word, &signs), Finding::Well);
    }
}

#[test]
fn a_hang_up_is_repeated_until_the_carrier_confirms() {
    let start = Instant::now();
    let release = Release::new(start, 600 * S);
    for word in [Word::Nothing, Word::Up, Word::Waits] {
        assert_eq!(release.answer(start + 599 * S, word), Hold::Again);
        assert_eq!(release.answer(start + 600 * S, word), Hold::GivenUp);
    }
    let over = release.answer(start + 5 * S, Word::Over(END));
    assert_eq!(over, Hold::Released);
}
