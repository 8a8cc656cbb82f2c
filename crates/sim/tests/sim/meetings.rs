//! Meetings: who hears whom, and what becomes of those who wait.

use std::time::{Duration, Instant};

use call::event::{End, Party, Why};
use call::input::Meeting::{Muted, Speaking, StoppedSpeaking, Unmuted};
use call::input::{Agent, Carrier};
use call::meeting::{
    After, Announcing, Command, Consent, Input, Kind, MOST, Output, PartyId, Passage, Phrases,
    Transfer,
};
use call::{Direction, Meeting, Opening, Plan, Private, TurnId, input};
use expect_test::expect;
use sim::{Happening, World};

use crate::script::{check, conversation, hang_up, plan, speak};

const ANNA: PartyId = PartyId(0);
const BEN: PartyId = PartyId(1);
const HOST: PartyId = PartyId(2);

#[test]
fn people_hear_one_another_and_never_themselves() {
    let (mut meeting, now) = open();
    for (party, kind) in [
        (ANNA, Kind::Person),
        (BEN, Kind::Person),
        (HOST, Kind::Agent),
    ] {
        tell(&mut meeting, now, Input::Awaited(party, kind));
        assert!(tell(&mut meeting, now, Input::Joined(party)).contains(&Output::Hear));
    }
    assert_eq!(heard(&meeting, ANNA), [BEN, HOST]);
    assert_eq!(heard(&meeting, HOST), [ANNA, BEN]);
    tell(&mut meeting, now, Input::Command(Command::Mute(BEN)));
    assert_eq!(heard(&meeting, ANNA), [HOST]);
    assert_eq!(heard(&meeting, BEN), [ANNA, HOST], "who is muted hears");
    tell(&mut meeting, now, Input::Command(Command::Unmute(BEN)));
    assert_eq!(heard(&meeting, ANNA), [BEN, HOST]);
}

/// Someone who is still being asked whether they come is not told: they have something else to talk about.
#[test]
fn who_is_muted_before_they_come_is_told_when_they_do() {
    let (mut meeting, now) = transfer(After::End);
    let out = tell(&mut meeting, now, Input::Command(Command::Mute(BEN)));
    assert_eq!(out, [Output::Hear]);
    tell(&mut meeting, now, Input::Consented(BEN, Consent::Yes));
    let muted = Output::Tell(BEN, input::Input::Meeting(Muted));
    let out = tell(&mut meeting, now, Input::Joined(BEN));
    assert_eq!(out, [Output::Hear, muted]);
    assert_eq!(heard(&meeting, ANNA), []);
}

#[test]
fn a_meeting_that_everybody_left_is_over_and_the_agent_goes_too() {
    let (mut meeting, now) = open();
    tell(&mut meeting, now, Input::Awaited(ANNA, Kind::Person));
    tell(&mut meeting, now, Input::Awaited(HOST, Kind::Agent));
    tell(&mut meeting, now, Input::Joined(ANNA));
    tell(&mut meeting, now, Input::Joined(HOST));
    let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
    assert_eq!(out, [Output::Hear, dismiss(HOST), Output::Over]);
    assert!(meeting.is_over());
}

/// Of two, each knows of the other.
#[test]
fn at_a_table_of_three_it_is_said_who_comes_and_goes() {
    const CLEO: PartyId = PartyId(3);
    let (mut meeting, now) = open();
    for party in [ANNA, BEN] {
        tell(&mut meeting, now, Input::Awaited(party, Kind::Person));
        let out = tell(&mut meeting, now, Input::Joined(party));
        assert_eq!(announcements(&out), []);
    }
    tell(&mut meeting, now, Input::Awaited(HOST, Kind::Agent));
    let out = tell(&mut meeting, now, Input::Joined(HOST));
    assert_eq!(announcements(&out), [], "an agent speaks for itself");
    tell(&mut meeting, now, Input::Awaited(CLEO, Kind::Person));
    let out = tell(&mut meeting, now, Input::Joined(CLEO));
    assert_eq!(announcements(&out), [(CLEO, Passage::Joined)]);
    assert!(
        announced(&out, &[ANNA, BEN, HOST]),
        "all but herself: {out:?}"
    );
    let out = tell(&mut meeting, now, Input::Joined(CLEO));
    assert_eq!(announcements(&out), [], "once");
    let out = tell(&mut meeting, now, Input::Left(BEN, hung_up()));
    assert_eq!(announcements(&out), [(BEN, Passage::Left)]);
    assert!(announced(&out, &[ANNA, CLEO, HOST]), "{out:?}");
    let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
    assert_eq!(announcements(&out), [], "two were there");
}

#[test]
fn nothing_is_said_of_those_who_never_came_or_only_came_back_or_all_leave() {
    let (mut meeting, now) = open();
    for party in [ANNA, BEN, HOST] {
        tell(&mut meeting, now, Input::Back(party));
        let out = tell(&mut meeting, now, Input::Joined(party));
        assert_eq!(announcements(&out), [], "they were there before");
    }
    let cleo = PartyId(3);
    tell(&mut meeting, now, Input::Awaited(cleo, Kind::Person));
    let out = tell(&mut meeting, now, Input::Left(cleo, hung_up()));
    assert_eq!(announcements(&out), [], "she was not there");
    tell(&mut meeting, now, Input::Command(Command::End));
    let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
    assert_eq!(announcements(&out), []);
}

#[test]
fn it_is_told_who_speaks_and_that_they_do_not_any_more() {
    let (mut meeting, now) = open();
    for party in [ANNA, BEN] {
        tell(&mut meeting, now, Input::Awaited(party, Kind::Person));
        tell(&mut meeting, now, Input::Joined(party));
    }
    let news = |party, news| Output::Tell(party, input::Input::Meeting(news));
    let out = tell(&mut meeting, now, Input::Speaking(Some(ANNA)));
    assert_eq!(out, [news(ANNA, Speaking)]);
    let out = tell(&mut meeting, now, Input::Speaking(Some(BEN)));
    assert_eq!(out, [news(ANNA, StoppedSpeaking), news(BEN, Speaking)]);
    let out = tell(&mut meeting, now, Input::Speaking(None));
    assert_eq!(out, [news(BEN, StoppedSpeaking)]);
}

#[test]
fn one_who_waits_for_company_in_vain_is_let_go() {
    let (mut meeting, now) = open();
    tell(&mut meeting, now, Input::Awaited(ANNA, Kind::Person));
    tell(&mut meeting, now, Input::Joined(ANNA));
    let (due, _) = meeting.deadline().expect("nobody waits for ever");
    let out = meeting.handle(due, Input::Timeout);
    assert_eq!(out, [stand(ANNA, &phrases().alone)]);
}

#[test]
fn a_caller_is_put_through_to_someone_who_will() {
    let (mut meeting, now) = transfer(After::End);
    assert!(!meeting.seats().is_kept_company(ANNA), "music");
    let out = tell(&mut meeting, now, Input::Consented(BEN, Consent::Yes));
    assert_eq!(out, [Output::Seat(BEN)]);
    tell(&mut meeting, now, Input::Joined(BEN));
    assert_eq!(heard(&meeting, ANNA), [BEN]);
    assert_eq!(heard(&meeting, BEN), [ANNA]);
    assert_eq!(meeting.deadline(), None);
    let out = tell(&mut meeting, now, Input::Left(BEN, hung_up()));
    assert_eq!(out, [Output::Hear, dismiss(ANNA)]);
    let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
    assert_eq!(out.last(), Some(&Output::Over));
}

#[test]
fn a_caller_comes_back_from_whoever_will_not() {
    let ends = [
        (Why::Busy, phrases().regrets.busy),
        (Why::NoAnswer, phrases().regrets.nobody),
        (Why::Rejected, phrases().regrets.declined),
        (Why::Fault, phrases().regrets.nobody),
    ];
    for (why, text) in ends {
        let (mut meeting, now) = transfer(After::Return);
        let by = Party::Caller;
        let out = tell(&mut meeting, now, Input::Left(BEN, End { by, why }));
        assert!(out.contains(&stand(ANNA, &text)), "{out:?}");
    }
    let (mut meeting, now) = transfer(After::Return);
    let out = tell(&mut meeting, now, Input::Consented(BEN, Consent::No));
    assert!(out.contains(&stand(ANNA, &phrases().regrets.declined)));
    let (mut meeting, _) = transfer(After::Return);
    let (due, _) = meeting.deadline().expect("there is a limit to it");
    let out = meeting.handle(due, Input::Timeout);
    assert!(out.contains(&dismiss(BEN)) && out.contains(&stand(ANNA, &phrases().regrets.nobody)));
}

/// The agent that a caller goes back to does not sit at the table any more when they do.
#[test]
fn an_agent_that_stayed_leaves_before_its_caller_comes_back() {
    let (mut meeting, now) = together(After::Return);
    assert_eq!(heard(&meeting, ANNA), [BEN, HOST]);
    assert_eq!(heard(&meeting, HOST), [ANNA, BEN]);
    let out = tell(&mut meeting, now, Input::Left(BEN, hung_up()));
    let left = stand(ANNA, &phrases().left);
    assert_eq!(out, [Output::Hear, dismiss(HOST), left]);
    assert_eq!(heard(&meeting, ANNA), [], "not even its goodbye");
    let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
    assert_eq!(out, [Output::Hear, Output::Over]);
    let (mut meeting, now) = together(After::End);
    let out = tell(&mut meeting, now, Input::Command(Command::End));
    let back = stand(ANNA, &String::new().into());
    assert_eq!(
        out,
        [Output::Hear, dismiss(HOST), back, dismiss(BEN)],
        "Ben has nobody to go back to"
    );
    let out = tell(&mut meeting, now, Input::Left(BEN, hung_up()));
    assert_eq!(out, [Output::Hear], "and is nobody's loss any more");
}

#[test]
fn an_agent_that_stayed_keeps_no_meeting_alive_and_ends_none() {
    for (first, second) in [(ANNA, BEN), (BEN, ANNA)] {
        let (mut meeting, now) = together(After::End);
        let out = tell(&mut meeting, now, Input::Left(first, hung_up()));
        assert_eq!(out, [Output::Hear, dismiss(second)]);
        let out = tell(&mut meeting, now, Input::Left(second, hung_up()));
        assert_eq!(out, [Output::Hear, dismiss(HOST), Output::Over]);
    }
    let (mut meeting, now) = together(After::Return);
    let out = tell(&mut meeting, now, Input::Left(HOST, hung_up()));
    assert_eq!(out, [Output::Hear], "the two go on");
    assert_eq!(heard(&meeting, ANNA), [BEN]);
}

/// The gateway of two who talked is lost: they talk on, whoever comes back first.
#[test]
fn two_who_were_parted_by_a_lost_gateway_talk_on() {
    for (first, second) in [(ANNA, BEN), (BEN, ANNA)] {
        let (mut meeting, now) = parted(After::End);
        let out = tell(&mut meeting, now, Input::Joined(first));
        assert_eq!(out, [Output::Hear]);
        tell(&mut meeting, now, Input::Joined(second));
        assert_eq!(heard(&meeting, first), [second]);
        assert_eq!(meeting.deadline(), None);
        let out = tell(&mut meeting, now, Input::Left(first, hung_up()));
        assert_eq!(out, [Output::Hear, dismiss(second)], "as `after` says");
    }
}

#[test]
fn one_who_comes_back_alone_does_not_wait_for_ever() {
    let ends = [
        (After::End, dismiss(ANNA)),
        (After::Return, stand(ANNA, &phrases().left)),
    ];
    for (after, end) in ends {
        // He does not come back, or is known to be gone.
        for gone in [None, Some(Input::Left(BEN, hung_up()))] {
            let (mut meeting, now) = parted(after);
            tell(&mut meeting, now, Input::Joined(ANNA));
            let (due, _) = meeting.deadline().expect("there is a limit to it");
            let out = meeting.handle(due, gone.unwrap_or(Input::Timeout));
            assert!(out.contains(&end), "{out:?}");
            let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
            assert_eq!(out.last(), Some(&Output::Over));
        }
    }
    let (mut meeting, now) = parted(After::End);
    tell(&mut meeting, now, Input::Joined(BEN));
    let (due, _) = meeting.deadline().expect("there is a limit to it");
    assert!(meeting.handle(due, Input::Timeout).contains(&dismiss(BEN)));
    let out = tell(&mut meeting, now, Input::Left(BEN, hung_up()));
    assert_eq!(out.last(), Some(&Output::Over));
    let (mut meeting, _) = parted(After::End);
    let (due, _) = meeting.deadline().expect("there is a limit to it");
    let out = meeting.handle(due, Input::Timeout);
    assert_eq!(out.last(), Some(&Output::Over), "nobody comes back at all");
}

#[test]
fn nobody_is_fetched_for_a_caller_who_has_hung_up() {
    let (mut meeting, now) = transfer(After::End);
    let out = tell(&mut meeting, now, Input::Left(ANNA, hung_up()));
    assert!(out.contains(&dismiss(BEN)));
    // What comes too late changes nothing.
    let late = tell(&mut meeting, now, Input::Consented(BEN, Consent::Yes));
    assert_eq!(late, []);
    let out = tell(&mut meeting, now, Input::Left(BEN, hung_up()));
    assert_eq!(out.last(), Some(&Output::Over));
}

/// A hundred thousand absurd things, and what is promised whatever happens.
#[test]
fn strange_meetings_keep_their_promises() {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 16) % below
    };
    for round in 0..2_000_u32 {
        let mut now = Instant::now();
        let mut meeting = match round % 3 {
            0 => Meeting::open(now, phrases(), Duration::from_secs(60), Announcing::On),
            1 => parted(After::End).0,
            _ => transfer(After::Return).0,
        };
        for _ in 0..50 {
            now += Duration::from_millis(next(20_000));
            let party = PartyId(u8::try_from(next(18)).expect("small"));
            let input = match next(12) {
                0 => Input::Awaited(party, Kind::Person),
                1 => Input::Awaited(party, Kind::Agent),
                2 | 3 => Input::Joined(party),
                4 => Input::Left(party, hung_up()),
                5 => Input::Consented(party, Consent::Yes),
                6 => Input::Command(Command::Mute(party)),
                7 => Input::Command(Command::Remove(party)),
                8 => Input::Back(party),
                9 => Input::Speaking(party.0.is_multiple_of(2).then_some(party)),
                10 => Input::Command(Command::End),
                _ => Input::Timeout,
            };
            let was_over = meeting.is_over();
            let out = meeting.handle(now, input);
            assert!(out.is_empty() || !was_over, "it is over once");
            let over = out.iter().filter(|it| **it == Output::Over).count();
            assert_eq!(over == 1, meeting.is_over() && !was_over);
            let seats = meeting.seats();
            for output in &out {
                if let Output::Announce(audience, party, _) = output {
                    assert!(!audience.has(*party), "nobody is told of themselves");
                }
            }
            for listener in (0..MOST).map(PartyId) {
                let audience = seats.heard_by(listener);
                assert!(!audience.has(listener), "nobody hears themselves");
                for other in (0..MOST).map(PartyId).filter(|it| audience.has(*it)) {
                    assert!(seats.is_heard(other) && seats.is_seated(listener));
                }
            }
        }
    }
}

fn open() -> (Meeting, Instant) {
    let now = Instant::now();
    let patience = Duration::from_secs(60);
    let meeting = Meeting::open(now, phrases(), patience, Announcing::On);
    (meeting, now)
}

fn parted(after: After) -> (Meeting, Instant) {
    let now = Instant::now();
    let patience = Duration::from_secs(15);
    let meeting = Meeting::parted(now, phrases(), of_two(after), patience);
    (meeting, now)
}

fn of_two(after: After) -> Transfer {
    Transfer {
        caller: ANNA,
        target: BEN,
        after,
    }
}

fn transfer(after: After) -> (Meeting, Instant) {
    let now = Instant::now();
    let transfer = of_two(after);
    let mut meeting = Meeting::transfer(now, phrases(), transfer, Duration::from_secs(40));
    tell(&mut meeting, now, Input::Joined(ANNA));
    (meeting, now)
}

/// The two talk, and the agent has stayed.
fn together(after: After) -> (Meeting, Instant) {
    let (mut meeting, now) = transfer(after);
    tell(&mut meeting, now, Input::Consented(BEN, Consent::Yes));
    tell(&mut meeting, now, Input::Joined(BEN));
    tell(&mut meeting, now, Input::Awaited(HOST, Kind::Agent));
    tell(&mut meeting, now, Input::Joined(HOST));
    (meeting, now)
}

fn tell(meeting: &mut Meeting, now: Instant, input: Input) -> Vec<Output> {
    meeting.handle(now, input)
}

fn heard(meeting: &Meeting, listener: PartyId) -> Vec<PartyId> {
    let audience = meeting.seats().heard_by(listener);
    (0..MOST)
        .map(PartyId)
        .filter(|it| audience.has(*it))
        .collect()
}

fn announcements(out: &[Output]) -> Vec<(PartyId, Passage)> {
    let announced = out.iter().filter_map(|it| match it {
        Output::Announce(_, party, passage) => Some((*party, *passage)),
        Output::Hear | Output::Seat(_) | Output::Tell(..) | Output::Say(..) | Output::Over => None,
    });
    announced.collect()
}

/// Whether what is announced is for these.
fn announced(out: &[Output], audience: &[PartyId]) -> bool {
    let mut all = (0..MOST).map(PartyId);
    out.iter().any(|it| {
        matches!(it, Output::Announce(told, ..)
            if all.all(|party| told.has(party) == audience.contains(&party)))
    })
}

fn hung_up() -> End {
    End {
        by: Party::Caller,
        why: Why::HungUp,
    }
}

fn phrases() -> Phrases {
    Phrases {
        regrets: call::Regrets {
            nobody: "nobody".to_owned().into(),
            busy: "busy".to_owned().into(),
            declined: "declined".to_owned().into(),
        },
        left: "left".to_owned().into(),
        alone: "alone".to_owned().into(),
    }
}

fn stand(party: PartyId, text: &Private<String>) -> Output {
    let command = input::Command::Stand(text.clone());
    Output::Tell(party, input::Input::Command(command))
}

fn dismiss(party: PartyId) -> Output {
    Output::Tell(party, input::Input::Command(input::Command::Dismiss))
}

/// The agent puts the caller through once its words were heard; the caller comes back and is told why.
#[test]
fn a_caller_is_put_through_and_comes_back() {
    let referral = call::Referral {
        to: "ben".to_owned(),
        about: "the order".into(),
    };
    let place = call::Place {
        meeting: "0192".to_owned(),
        name: "the caller".into(),
        agent: None,
        announcing: Announcing::On,
        through: None,
    };
    let put_through = Agent::PutThrough(TurnId(1), referral);
    let stand = input::Command::Stand("I am sorry, Ben does not answer.".into());
    let world = conversation(&["One moment, I will try.", "Of course."])
        .at(1_000, speak(800, "put me through to Ben"))
        .at(3_000, Happening::Agent(put_through))
        .at(6_000, Happening::Command(input::Command::Sit(place)))
        .at(7_000, speak(600, "hello"))
        .at(20_000, Happening::Command(stand))
        .at(24_000, speak(600, "take a message then"))
        .at(28_000, hang_up())
        .run(30_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "put me through to Ben"
        002580  agent.turn_started "put me through to Ben"
        002580    agent: 1 turn "put me through to Ben"
        004280  agent.said "One moment, I will try."
        004280    agent: 1 heard "One moment, I will try."
        004280  call.transferring to="ben"
        006000  meeting.joined meeting="0192"
        007040  caller.speech_started
        007780  caller.speech_ended
        007980  caller.said "hello"
        020000  meeting.left meeting="0192"
        022140  agent.said "I am sorry, Ben does not answer."
        024040  caller.speech_started
        024780  caller.speech_ended
        025380  caller.said "take a message then"
        025380  agent.turn_started "take a message then"
        025380    agent: 2 turn "take a message then"
        026300  agent.said "Of course."
        026300    agent: 2 heard "Of course."
        028000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

/// An agent at a table is muted in the middle of a sentence: it is told what was heard of that, is given no
/// turn while nobody would hear it, and says nothing, not even for its owner. Then it answers again.
#[test]
fn a_muted_agent_says_nothing_and_is_not_taken_for_heard() {
    let world = conversation(&[
        "We open at nine, and we close at five in the afternoon.",
        "At nine.",
    ])
    .at(1_000, speak(600, "when do you open"))
    .at(3_500, Happening::Meeting(Muted))
    .at(
        4_000,
        Happening::Command(input::Command::Say("Hear me.".into())),
    )
    .at(5_000, speak(600, "did it say something"))
    .at(9_000, Happening::Meeting(Unmuted))
    .at(13_000, speak(600, "what was that"))
    .at(18_000, hang_up())
    .run(20_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001780  caller.speech_ended
            002380  caller.said "when do you open"
            002380  agent.turn_started "when do you open"
            002380    agent: 1 turn "when do you open"
            003500  meeting.muted
            003500  agent.interrupted heard="We open at" unheard="nine, and we close at five in the afternoon."
            003500    agent: 1 interrupted "We open at"
            005040  caller.speech_started
            005780  caller.speech_ended
            006380  caller.said "did it say something"
            009000  meeting.unmuted
            009700  agent.said "Hear me."
            013040  caller.speech_started
            013780  caller.speech_ended
            014380  caller.said "what was that"
            014380  agent.turn_started "did it say something what was that"
            014380    agent: 2 turn "did it say something what was that"
            015180  agent.said "At nine."
            015180    agent: 2 heard "At nine."
            018000  call.ended by="caller" why="hung_up"
        "#]],
    );
}

/// A goodbye that nobody would hear keeps nobody waiting.
#[test]
fn a_muted_agent_leaves_without_a_word() {
    let world = conversation(&[])
        .at(1_000, Happening::Meeting(Muted))
        .at(2_000, Happening::Command(input::Command::Dismiss))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001000  meeting.muted
        002000    carrier: HangUp
        007000  call.ended by="gateway" why="completed"
    "#]],
    );
}

/// A meeting that is over before someone has picked up has no more use for them.
#[test]
fn a_phone_that_rings_for_a_meeting_stops_when_the_meeting_does() {
    let place = call::Place {
        meeting: "0192".to_owned(),
        name: "Anna".into(),
        agent: None,
        announcing: Announcing::On,
        through: None,
    };
    let plan = Plan {
        mode: call::Mode::Seat(place),
        ..plan(Direction::Outbound, Opening::Wait)
    };
    let stand = input::Command::Stand(String::new().into());
    let world = World::new(Instant::now(), plan, Vec::new())
        .at(500, Happening::Carrier(Carrier::Ringing))
        .at(1_000, Happening::Command(stand))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000500  call.ringing
        001000    carrier: HangUp
        006000  call.ended by="gateway" why="canceled"
    "#]],
    );
}
