//! More than two on one line, and lines of more than one carrier.

use std::sync::Arc;
use std::time::Duration;

use call::Referral;
use call::meeting::After;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Exchange, Outcome};
use expect_test::expect;
use gateway::cli::lists;
use gateway::config::{self, AgentThen};
use gateway::gateway::Gateway;
use gateway::meeting::Room;
use gateway::rulebook::Source;
use gateway::switchboard::{Guest, LoadVoice, Meet, Record, Referred, Target, Wish};
use tempfile::TempDir;

use crate::house::{events, exchange_of, free_address, hearing, soon, voice};
use crate::ms;

/// One carrier's side of the town: its exchange, our number there, and someone's phone.
struct Side {
    exchange: Exchange,
    ours: String,
    theirs: String,
}

/// A gateway with a line from every carrier.
struct Town {
    sides: Vec<Side>,
    gateway: Gateway,
    _files: TempDir,
}

impl Town {
    /// One phone for each carrier, in the order of the carriers' names.
    async fn new(phones: [PhonePlan; 3]) -> Self {
        Self::of(&lines(), phones, voice).await
    }

    /// The same with lines as they are named here, and these ears and mouths.
    async fn of(lines: &[String], phones: [PhonePlan; 3], voice: fn() -> LoadVoice) -> Self {
        let port = free_address().port();
        let public = format!("http://127.0.0.1:{port}");
        let (mut sides, mut text) = (Vec::new(), String::new());
        for (index, (carrier, phone)) in lines.iter().zip(phones).enumerate() {
            let side = Side::new(carrier, index, phone, &public).await;
            text += &side.exchange.configuration();
            let carrier = side.exchange.carrier();
            text += &format!(
                "[numbers.\"{}\"]\ncarrier = \"{carrier}\"\nagent = \"service\"\n",
                side.ours
            );
            sides.push(side);
        }
        let (ben, from) = (sides[1].theirs.clone(), sides[1].ours.clone());
        let theirs: Vec<_> = sides.iter().map(|it| format!("{:?}", it.theirs)).collect();
        let theirs = theirs.join(", ");
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:{port}"
public_url = "{public}"
{text}
[agents.service]
kind = "answering-service"
owner = "Robert"
transfer_to = ["ben"]
[transfers.ben]
number = "{ben}"
from = "{from}"
spoken = "Ben"
after = "return"
[transfers.ben-beside-us]
number = "{ben}"
from = "{from}"
spoken = "Ben"
agent = "stays"
[policy]
call = [{theirs}]
answer = [{theirs}]
max_calls = 8
[turns]
ring_s = 5
"#
        );
        let files = TempDir::new().expect("there is a temporary folder");
        let path = files.path().join("offhook.toml");
        std::fs::write(&path, &text).expect("the folder can be written");
        let loaded =
            config::load(&path, &lists()).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let source = Source {
            path,
            lists: lists(),
            voice: Arc::new(move |_| voice()),
        };
        let (gateway, _) = Gateway::start_from(source, loaded, files.path().join("state"))
            .await
            .expect("the gateway starts");
        Self {
            sides,
            gateway,
            _files: files,
        }
    }

    fn guest(&self, index: usize, name: &str) -> Guest {
        Guest {
            name: Some(name.to_owned()),
            to: self.sides[index].theirs.clone(),
            from: Some(self.sides[index].ours.clone()),
        }
    }

    async fn meet(&self, agent: Option<&str>) -> Arc<Room> {
        let names = ["Anna", "Ben", "Cleo"];
        let guests = (0..3).map(|index| self.guest(index, names[index]));
        let meet = Meet {
            guests: guests.collect(),
            agent: agent.map(str::to_owned),
        };
        self.gateway.board.meet(meet).await.expect("they may meet")
    }

    async fn outcomes(&self) -> Vec<Arc<Outcome>> {
        let mut outcomes = Vec::new();
        for side in &self.sides {
            outcomes.push(soon(side.exchange.next_outcome()).await);
        }
        outcomes
    }
}

impl Side {
    async fn new(line: &str, index: usize, phone: PhonePlan, public: &str) -> Self {
        let ours = format!("+1555000111{index}");
        let theirs = format!("+1555123456{index}");
        let exchange = exchange_of(line)
            .number(&ours, "http://127.0.0.1:9/")
            .phone(&theirs, phone)
            .mischief(Mischief::default())
            .start()
            .await
            .expect("the exchange starts");
        let carrier = exchange.carrier();
        exchange.set_number(
            &ours,
            &format!("{public}/{carrier}/voice"),
            &format!("{public}/{carrier}/status"),
        );
        Self {
            exchange,
            ours,
            theirs,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_carriers_meet_and_nobody_hears_themselves() {
    meets_and_hears(&lines()).await;
}

/// One line is wideband, the others are not: the meeting runs at the better rate.
#[tokio::test(flavor = "multi_thread")]
async fn lines_of_two_rates_meet() {
    let mut lines = lines();
    lines[1] += "_wide";
    meets_and_hears(&lines).await;
}

async fn meets_and_hears(lines: &[String]) {
    let phones = TONES.map(|hz| {
        PhonePlan::answers(
            ms(200),
            [
                Step::Wait(ms(1_500)),
                Step::Say(tone(hz, ms(2_000))),
                Step::Wait(ms(800)),
                Step::HangUp,
            ],
        )
    });
    let town = Town::of(lines, phones, voice).await;
    let room = town.meet(None).await;
    soon(room.until(|view| view.people.iter().filter(|it| it.here).count() == 3)).await;
    let outcomes = town.outcomes().await;
    for (index, outcome) in outcomes.iter().enumerate() {
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        let ear = outcome.ear.agent();
        // Somewhere in the middle of what everybody says at once.
        let middle = &ear[8 * 2_300..8 * 3_000];
        for (other, hz) in TONES.into_iter().enumerate() {
            let level = power_at(middle, hz);
            if other == index {
                assert!(level < 0.02, "{index} hears themselves: {level}");
            } else {
                assert!(level > 0.2, "{index} does not hear {other}: {level}");
            }
        }
    }
    soon(room.until(|view| view.over)).await;
    soon(async {
        while !town.gateway.board.meetings().is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    })
    .await;
}

/// An agent at the table is told what was said and by whom, and everybody hears what it says.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_at_a_meeting_knows_who_speaks() {
    let stays = [Step::Wait(ms(9_000)), Step::HangUp];
    let asks = [
        Step::WaitForAgent {
            quiet: ms(700),
            timeout: ms(6_000),
        },
        Step::Say(tone(TONES[1], ms(1_000))),
        Step::Wait(ms(4_500)),
        Step::HangUp,
    ];
    let phones = [
        PhonePlan::answers(ms(200), stays.clone()),
        PhonePlan::answers(ms(200), asks),
        PhonePlan::answers(ms(200), stays),
    ];
    let town = Town::of(&lines(), phones, || hearing("when do you open")).await;
    let room = town.meet(Some("service")).await;
    let told = async {
        loop {
            let calls = town.gateway.board.calls();
            let agent = calls.iter().find(|it| it.carrier == "house");
            let asked = agent.and_then(|it| {
                events(it).into_iter().find_map(|event| {
                    let call::Event::AgentTurnStarted { text } = event else {
                        return None;
                    };
                    Some(text.into_revealed())
                })
            });
            if let Some(asked) = asked {
                return asked;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    let told = soon(told).await;
    assert_eq!(told, "Ben: when do you open");
    for (index, outcome) in town.outcomes().await.iter().enumerate() {
        let ear = outcome.ear.agent();
        let hummed = ear.chunks(8 * 100).filter(|it| power_at(it, HUM) > 0.3);
        let hummed = hummed.count();
        assert!(
            hummed >= 20,
            "{index} heard the agent for {hummed} tenths of a second"
        );
    }
    soon(room.until(|view| view.over)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_put_through_to_another_carriers_phone() {
    let listens = Step::WaitForHangUp {
        timeout: ms(15_000),
    };
    let phones = [
        PhonePlan::answers(
            ms(200),
            [
                Step::Wait(ms(6_000)),
                Step::Say(tone(TONES[0], ms(2_000))),
                Step::Wait(ms(500)),
                Step::HangUp,
            ],
        ),
        PhonePlan::answers(
            ms(300),
            [
                Step::Wait(ms(3_000)),
                Step::Press('1'),
                Step::Wait(ms(1_500)),
                Step::Say(tone(TONES[1], ms(3_000))),
                listens,
            ],
        ),
        PhonePlan::never_talks(Pickup::Busy),
    ];
    let town = Town::new(phones).await;
    let record = town.talk(0).await;
    let target = town.target(1, "Ben");
    let room = town
        .gateway
        .board
        .put_through(&record, target)
        .await
        .expect("he may be called");
    soon(room.until(|view| view.people.iter().filter(|it| it.here).count() == 2)).await;
    let caller = soon(town.sides[0].exchange.next_outcome()).await;
    let target = soon(town.sides[1].exchange.next_outcome()).await;
    let hears = |ear: &[i16], hz: f64| {
        let windows = ear
            .chunks(8 * 200)
            .filter(|it| power_at(it, hz) > 0.3)
            .count();
        ms(200) * u32::try_from(windows).expect("few")
    };
    assert!(
        hears(caller.ear.agent(), TONES[1]) >= ms(1_000),
        "the caller hears the target"
    );
    assert!(
        hears(target.ear.agent(), TONES[0]) >= ms(1_000),
        "the target hears the caller"
    );
    assert!(
        hears(caller.ear.agent(), TONES[0]) == ms(0),
        "nobody hears themselves"
    );
    let told: Vec<_> = events(&record).iter().map(|it| format!("{it:?}")).collect();
    assert!(
        told.iter().any(|it| it.contains("MeetingJoined")),
        "{told:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_comes_back_to_the_agent_from_a_phone_that_is_busy() {
    let phones = [
        PhonePlan::answers(ms(200), [Step::Wait(ms(8_000)), Step::HangUp]),
        PhonePlan::never_talks(Pickup::Busy),
        PhonePlan::never_talks(Pickup::Busy),
    ];
    let town = Town::new(phones).await;
    let record = town.talk(0).await;
    let target = town.target(1, "Ben");
    let room = town
        .gateway
        .board
        .put_through(&record, target)
        .await
        .expect("he may be called");
    soon(room.until(|view| view.over)).await;
    let explained = async {
        loop {
            let said = events(&record).into_iter().any(|it| {
                matches!(it, call::Event::AgentSaid { text } if text.reveal().contains("Ben is on another call"))
            });
            if said {
                return;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(explained).await;
    let told: Vec<_> = events(&record).iter().map(|it| format!("{it:?}")).collect();
    assert!(
        told.iter().any(|it| it.contains("MeetingLeft")),
        "{told:#?}"
    );
    record.hang_up().await;
}

/// The agent sits with the two it has brought together: it knows what was said before, is told who
/// says what, and both hear what it says. It keeps no call up.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_stays_with_the_caller_it_put_through() {
    let town = Town::of(&lines(), put_through(), || hearing("this is Anna")).await;
    let record = town.talk(0).await;
    soon(answered(&record)).await;
    let referral = Referral {
        to: "ben-beside-us".to_owned(),
        about: "the order".to_owned().into(),
    };
    let referred = town.gateway.board.refer(&record, referral).await;
    let Ok(Referred::Here(room)) = referred else {
        panic!("{referred:?}");
    };
    let caller = soon(town.sides[0].exchange.next_outcome()).await;
    let ben = soon(town.sides[1].exchange.next_outcome()).await;
    assert_eq!(caller.ended_by, EndedBy::Api, "as `after` says");
    soon(room.until(|view| view.over)).await;
    soon(town.all_over()).await;
    let agent = town.host().expect("it sat there");
    let said = said(&agent);
    let expected = expect![[r#"
        caller: Ben: this is Anna
        agent: Thank you.
        agent: The message from Anna is: Ben: this is Anna.
        agent: Is that right?
    "#]];
    expected.assert_eq(&said);
    let ear = caller.ear.agent();
    let tone = last(ear, TONES[1]).expect("the caller hears Ben");
    assert!(hummed(&ear[tone..]) >= 10, "and then the agent");
    let ear = ben.ear.agent();
    let spoke = ben.ear.utterances().last().expect("he spoke").to;
    let spoke = usize::try_from(spoke.as_millis() * 8).expect("short");
    assert!(hummed(&ear[spoke..]) >= 10, "as Ben does");
}

/// The agent that sits there leaves before its caller comes back to it.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stayed_has_its_caller_back() {
    let town = Town::of(&lines(), put_through(), || hearing("this is Anna")).await;
    let record = town.talk(0).await;
    soon(answered(&record)).await;
    let target = Target {
        after: After::Return,
        agent: AgentThen::Stays,
        ..town.target(1, "Ben")
    };
    let board = &town.gateway.board;
    let room = board.put_through(&record, target).await;
    let room = room.expect("he may be called");
    soon(room.until(|view| view.people.iter().any(|it| it.agent && it.here))).await;
    soon(room.until(|view| view.over)).await;
    let back = async {
        while !said(&record).ends_with("agent: Ben has hung up.\n") {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(back).await;
    let host = town.host().expect("it sat there");
    soon(host.log.ended()).await;
    assert!(!record.log.is_closed());
    record.hang_up().await;
    soon(town.all_over()).await;
}

/// An agent that only listens hears all of it and says nothing, until it may.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_listens_says_nothing() {
    let town = Town::of(&lines(), put_through(), || hearing("this is Anna")).await;
    let record = town.talk(0).await;
    soon(answered(&record)).await;
    let target = Target {
        agent: AgentThen::Listens,
        ..town.target(1, "Ben")
    };
    let board = &town.gateway.board;
    let room = board.put_through(&record, target).await;
    room.expect("he may be called");
    let caller = soon(town.sides[0].exchange.next_outcome()).await;
    soon(town.all_over()).await;
    let host = town.host().expect("it sat there");
    assert!(events(&host).contains(&call::Event::Connected));
    assert_eq!(said(&host), "");
    let ear = caller.ear.agent();
    let tone = last(ear, TONES[1]).expect("the caller hears Ben");
    assert_eq!(hummed(&ear[tone..]), 0);
}

/// Whoever does not take the call brings no agent to the table, nor does one who is to leave.
#[tokio::test(flavor = "multi_thread")]
async fn no_agent_sits_where_none_is_wanted() {
    let [caller, ben, nobody] = put_through();
    let refuses = [Step::Wait(ms(1_000)), Step::HangUp];
    let refuses = PhonePlan::answers(ms(300), refuses);
    for (ben, agent) in [(refuses, AgentThen::Stays), (ben, AgentThen::Leaves)] {
        let phones = [caller.clone(), ben, nobody.clone()];
        let town = Town::of(&lines(), phones, || hearing("this is Anna")).await;
        let record = town.talk(0).await;
        soon(answered(&record)).await;
        let target = Target {
            agent,
            ..town.target(1, "Ben")
        };
        let room = town.gateway.board.put_through(&record, target).await;
        let room = room.expect("he may be called");
        soon(room.until(|view| view.over)).await;
        record.hang_up().await;
        soon(town.all_over()).await;
        assert!(town.host().is_none(), "{agent:?}");
    }
}

/// A caller who says something to the agent and then waits, and one who takes the call, says
/// something too and hangs up once that was answered.
fn put_through() -> [PhonePlan; 3] {
    let answer = Step::WaitForAgent {
        quiet: ms(700),
        timeout: ms(6_000),
    };
    let timeout = ms(25_000);
    let caller = [
        answer.clone(),
        Step::Say(tone(TONES[0], ms(1_000))),
        Step::WaitForHangUp { timeout },
    ];
    let ben = [
        Step::Wait(ms(1_500)),
        Step::Press('1'),
        answer,
        Step::Wait(ms(500)),
        Step::Say(tone(TONES[1], ms(1_000))),
        Step::Wait(ms(5_000)),
        Step::HangUp,
    ];
    [
        PhonePlan::answers(ms(200), caller),
        PhonePlan::answers(ms(300), ben),
        PhonePlan::never_talks(Pickup::Busy),
    ]
}

/// Waits until the agent has answered the caller's first words.
async fn answered(record: &Record) {
    let answer = |said: String| {
        said.split_once("caller: ")?
            .1
            .split_once("agent: ")
            .map(drop)
    };
    while answer(said(record)).is_none() {
        tokio::time::sleep(ms(10)).await;
    }
}

/// What was asked and answered on a call, a line each.
fn said(record: &Record) -> String {
    let lines = events(record).into_iter().filter_map(|event| {
        if let call::Event::AgentTurnStarted { text } = event {
            return Some(format!("caller: {}\n", text.reveal()));
        }
        if let call::Event::AgentSaid { text } = event {
            return Some(format!("agent: {}\n", text.reveal()));
        }
        None
    });
    lines.collect()
}

/// For how many tenths of a second an agent's voice is heard.
fn hummed(samples: &[i16]) -> usize {
    let tenths = samples.chunks(8 * 100);
    tenths.filter(|it| power_at(it, HUM) > 0.3).count()
}

/// The end of the last tenth of a second in which that tone is heard.
fn last(samples: &[i16], hz: f64) -> Option<usize> {
    let mut tenths = samples.chunks(8 * 100).enumerate();
    let heard = tenths.rfind(|(_, it)| power_at(it, hz) > 0.3)?;
    Some((heard.0 + 1) * 8 * 100)
}

impl Town {
    /// The call of the agent that sits at a meeting.
    fn host(&self) -> Option<Arc<Record>> {
        let mut calls = self.gateway.board.calls().into_iter();
        calls.find(|it| it.carrier == "house")
    }

    /// Waits until no call is up, and no meeting.
    async fn all_over(&self) {
        for record in self.gateway.board.calls() {
            record.log.ended().await;
        }
        while !self.gateway.board.meetings().is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    }

    /// A conversation with the phone of that carrier.
    async fn talk(&self, index: usize) -> Arc<Record> {
        let wish = Wish {
            to: self.sides[index].theirs.clone(),
            from: Some(self.sides[index].ours.clone()),
            ..Wish::default()
        };
        let record = self
            .gateway
            .board
            .dial(wish)
            .await
            .expect("it may be dialled");
        soon(record.log.connected()).await;
        record
    }

    fn target(&self, index: usize, name: &str) -> Target {
        Target {
            name: name.to_owned(),
            guest: self.guest(index, name),
            about: "the order of last week".to_owned().into(),
            after: After::End,
            agent: AgentThen::Leaves,
            patience: Duration::from_secs(15),
        }
    }
}

/// How much of a sound's power is at that frequency: a pure tone's is 1.
pub(crate) fn power_at(samples: &[i16], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 1.0);
    for (index, sample) in samples.iter().enumerate() {
        let (sample, angle) = (f64::from(*sample), step * index as f64);
        re += sample * angle.cos();
        im += sample * angle.sin();
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (samples.len() as f64 * all)
}

pub(crate) fn tone(hz: f64, length: Duration) -> Vec<i16> {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    let count = u32::try_from(length.as_millis() * 8).expect("short");
    (0..count)
        .map(|at| (6_000.0 * (f64::from(at) * step).sin()) as i16)
        .collect()
}

/// A line of every carrier's.
fn lines() -> Vec<String> {
    exchange::CARRIERS
        .iter()
        .map(|it| (*it).to_owned())
        .collect()
}

/// What a mouth in this house hums, in hertz.
const HUM: f64 = 440.0;

const TONES: [f64; 3] = [500.0, 750.0, 1_150.0];
