//! Calls whose end nothing tells, and calls that are well and of which nothing is heard, in virtual time.
//!
//! A carrier's answer to a question may be late or lost. About a call whose end is lost it is so one time in
//! ten, and never twice in a row; about a call that is well as often as it likes, and for as long.

use std::time::Duration;

use call::event::Why;
use call::{Direction, Machine, Mode, Opening, Phrases, Plan, Policy, Recording};
use serde_json::json;
use sim::{Account, Fate, Line, Told, Wish, live_through};

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
fn main() {
    let short = std::env::args().any(|it| it == "--short");
    let (ends, healthy) = if short { (50, 500) } else { (500, 10_000) };
    let mut dice = Dice(0x0ff_400c);
    let (mut late, mut longest, mut unseen) = (0, Duration::ZERO, 0);
    for number in 0..ends {
        let (fate, account) = lost_end(&mut dice, number);
        match (account.ended, account.over) {
            (Some((ended, _)), Some(over)) => {
                let more = ended.saturating_sub(over);
                longest = longest.max(more);
                if more > MOST {
                    late += 1;
                    eprintln!("{more:?} too long: {fate:?} {account:?}");
                }
            }
            _ => unseen += 1,
        }
    }
    let (mut apart, mut held, mut kept) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..ends {
        let (back, account) = lost_hang_up(&mut dice);
        let gaps = account.hang_ups.windows(2).map(|it| it[1] - it[0]);
        apart = gaps.fold(apart, Duration::max);
        match account.over {
            Some(over) => held = held.max(over.saturating_sub(back)),
            None => kept += 1,
        }
    }
    let (mut reaped, mut silenced, mut asked, mut hours) = (0, 0, 0, 0.0);
    for number in 0..healthy {
        let (fate, account) = well(&mut dice, number);
        let over = fate.over.unwrap_or_default();
        let to_its_end = account
            .ended
            .is_some_and(|(at, end)| at >= over && end.why == Why::HungUp);
        if !to_its_end {
            reaped += 1;
            eprintln!("reaped: {fate:?} {account:?}");
        }
        silenced += u32::from(account.disconnected > 0);
        asked += account.asked;
        hours += over.as_secs_f64() / 3_600.0;
    }
    let exactly = |most: f64| json!({ "at_most": most });
    println!(
        "{}",
        json!([
            { "what": "every end lost", "figure": f64::from(ends), "goal": { "at_least": f64::from(ends) } },
            { "what": "over by more than 15 s", "figure": f64::from(late), "goal": exactly(0.0) },
            { "what": "never noticed", "figure": f64::from(unseen), "goal": exactly(0.0) },
            { "what": "longest over-run, s", "figure": longest.as_secs_f64(), "goal": exactly(15.0) },
            { "what": "hang-ups lost", "figure": f64::from(ends), "goal": "none" },
            { "what": "between two tries, s", "figure": apart.as_secs_f64(), "goal": exactly(30.0) },
            { "what": "until one works, s", "figure": held.as_secs_f64(), "goal": exactly(30.0) },
            { "what": "never hung up", "figure": f64::from(kept), "goal": exactly(0.0) },
            { "what": "healthy calls", "figure": f64::from(healthy), "goal": { "at_least": f64::from(healthy) } },
            { "what": "their hours", "figure": hours, "goal": "none" },
            { "what": "questions asked", "figure": f64::from(asked), "goal": "none" },
            { "what": "healthy calls reaped", "figure": f64::from(reaped), "goal": exactly(0.0) },
            { "what": "interrupted", "figure": f64::from(silenced), "goal": exactly(0.0) },
        ])
    );
}

/// A call that nothing says is over.
fn lost_end(dice: &mut Dice, number: u32) -> (Fate, Account) {
    let connected = s(dice.between(0.2, 20.0));
    let length = s(dice.spread(0.5, 3_600.0));
    let over = connected + length;
    let mut fate = Fate {
        connected: Some(connected),
        over: Some(over),
        told: Told::Nothing,
        line: Line::Steady,
        wish: None,
    };
    match number % 6 {
        0 => {}
        1 => fate.told = Told::NothingBehindAProxy,
        2 => fate.line = thrifty(dice),
        3 => fate.line = Line::Freezes(over - length.min(s(dice.between(0.0, 60.0)))),
        4 => {
            fate.connected = None;
            fate.over = Some(s(dice.between(0.5, 40.0)));
        }
        _ => {
            let after = s(dice.between(0.5, 20.0));
            let at = connected + s(1.0);
            fate.wish = Some((at, Wish::PutThrough(after)));
            fate.over = Some(at + after + length);
        }
    }
    let mut missed = false;
    let mut api = dice.another();
    let account = live_through(plan(&fate), fate, move |_| {
        missed = !missed && api.percent(10);
        (!missed).then(|| s(api.between(0.05, 0.9)))
    });
    (fate, account)
}

/// A call that we hang up while its carrier takes no request, and when it does again.
fn lost_hang_up(dice: &mut Dice) -> (Duration, Account) {
    let connected = s(dice.between(0.2, 20.0));
    let wanted = connected + s(dice.spread(0.5, 600.0));
    let back = wanted + s(dice.between(0.0, 300.0));
    let fate = Fate {
        connected: Some(connected),
        over: None,
        told: Told::Nothing,
        line: Line::Steady,
        wish: Some((wanted, Wish::HangUp)),
    };
    let mut api = dice.another();
    let account = live_through(plan(&fate), fate, move |at| {
        (at >= back).then(|| s(api.between(0.05, 0.9)))
    });
    (back, account)
}

/// A call that is well until the carrier says otherwise.
fn well(dice: &mut Dice, number: u32) -> (Fate, Account) {
    let connected = s(dice.between(0.2, 40.0));
    let mut fate = Fate {
        connected: Some(connected),
        over: Some(connected + s(dice.spread(1.0, 8.0 * 3_600.0))),
        told: Told::All,
        line: Line::Steady,
        wish: None,
    };
    match number % 4 {
        0 => {}
        1 | 2 => fate.line = thrifty(dice),
        _ => {
            let after = s(dice.between(0.5, 40.0));
            fate.wish = Some((connected + s(1.0), Wish::PutThrough(after)));
            fate.over = fate.over.map(|it| it + s(1.0) + after);
        }
    }
    let lost = [0, 10, 60, 100][dice.below(4) as usize];
    let slow = [0.9, 5.0, 20.0][dice.below(3) as usize];
    let mut api = dice.another();
    let account = live_through(plan(&fate), fate, move |_| {
        (!api.percent(lost)).then(|| s(api.between(0.05, slow)))
    });
    (fate, account)
}

fn thrifty(dice: &mut Dice) -> Line {
    Line::Thrifty(s(dice.spread(0.1, 30.0)), s(dice.spread(0.5, 900.0)))
}

fn plan(fate: &Fate) -> Plan {
    let ever = s(24.0 * 3_600.0);
    Plan {
        direction: Direction::Outbound,
        mode: match fate.wish {
            Some((_, Wish::PutThrough(_))) => Mode::Conversation {
                opening: Opening::Wait,
            },
            Some((_, Wish::HangUp)) | None => Mode::Loopback,
        },
        machine: Machine::Talk,
        policy: Policy {
            limit: ever,
            silence: ever,
            ..Policy::default()
        },
        phrases: Phrases::default(),
        announcement: None,
        recording: Recording::Never,
    }
}

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The longest that a call may outlive its carrier's.
const MOST: Duration = Duration::from_secs(15);

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn another(&mut self) -> Self {
        Self(self.roll())
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * (self.roll() as f64 / u64::MAX as f64)
    }

    /// As many short ones as long ones, by factors.
    fn spread(&mut self, least: f64, most: f64) -> f64 {
        self.between(least.ln(), most.ln()).exp()
    }
}
