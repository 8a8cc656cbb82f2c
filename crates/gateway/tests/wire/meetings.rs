//! More than two on one line, and lines of more than one carrier.

mod announced;
mod halfway;
mod machines;
mod mutes;
mod restarts;
mod seats;
mod stays;

use std::sync::Arc;
use std::time::Duration;

use call::meeting::{After, Announcing};
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{Exchange, Outcome};
use gateway::config::{AgentThen, Plan};
use gateway::gateway::Gateway;
use gateway::meeting::Room;
use gateway::switchboard::{Guest, LoadVoice, Meet, Record, Target, Wish};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::house::{
    apart, events, exchange_of, free_address, hearing, soon, start, start_again, voice,
};
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
    public: String,
    voice: fn() -> LoadVoice,
    files: TempDir,
    apart: Option<Runtime>,
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
owner = [{theirs}]
max_calls = 8
[turns]
ring_s = 5
"#
        );
        let files = TempDir::new().expect("there is a temporary folder");
        let path = files.path().join("offhook.toml");
        std::fs::write(&path, &text).expect("the folder can be written");
        let gateway = start(files.path(), voice()).await;
        Self {
            sides,
            gateway: gateway.expect("the gateway starts"),
            public,
            voice,
            files,
            apart: None,
        }
    }

    /// The same with a gateway that can be killed: all that it does, and that is [asked](Self::asks)
    /// of it, runs apart from the test.
    async fn mortal(phones: [PhonePlan; 3], voice: fn() -> LoadVoice) -> Self {
        let town = Self::of(&lines(), phones, voice).await;
        town.gateway.close(Duration::from_secs(1)).await;
        let apart = apart();
        let folder = town.files.path().to_owned();
        let started = apart.spawn(async move { start_again(&folder, voice()).await });
        Self {
            gateway: started.await.expect("it does not break"),
            apart: Some(apart),
            ..town
        }
    }

    /// Has the gateway do this where it lives.
    async fn asks<T: Send + 'static>(&self, what: impl Future<Output = T> + Send + 'static) -> T {
        let apart = self.apart.as_ref().expect("it is mortal");
        apart.spawn(what).await.expect("it does not break")
    }

    /// The gateway is gone in the middle of whatever it was doing, and there is another one.
    async fn with_its_gateway_killed(mut self) -> Self {
        let apart = self.apart.take().expect("it is mortal");
        apart.shutdown_background();
        drop(self.gateway);
        let gateway = start_again(self.files.path(), (self.voice)()).await;
        Self { gateway, ..self }
    }

    /// The gateway has let go of its calls, as it does when it is stopped, and there is another one.
    async fn with_its_gateway_stopped(mut self) -> Self {
        let apart = self.apart.take().expect("it is mortal");
        let left = self.gateway.hand_over(Duration::ZERO, async {}).await;
        assert!(left > 0, "there were calls");
        apart.shutdown_background();
        let gateway = start_again(self.files.path(), (self.voice)()).await;
        Self { gateway, ..self }
    }

    fn guest(&self, index: usize, name: &str) -> Guest {
        Guest {
            name: Some(name.to_owned()),
            to: self.sides[index].theirs.clone(),
            from: Some(self.sides[index].ours.clone()),
            purpose: None,
        }
    }

    /// All three meet, and it is not said who comes and goes.
    async fn meet(&self, agent: Option<&str>) -> Arc<Room> {
        self.meet_as(agent, Announcing::Off).await
    }

    async fn meet_as(&self, agent: Option<&str>, announcing: Announcing) -> Arc<Room> {
        let names = ["Anna", "Ben", "Cleo"];
        let guests = (0..3).map(|index| self.guest(index, names[index]));
        let meet = Meet {
            guests: guests.collect(),
            agent: agent.map(str::to_owned),
            announcing,
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
    let board = &town.gateway.board;
    let tightened = board.adopt(Plan::clone(&board.plan()));
    assert_eq!(tightened.forbidden, 0, "nobody has to allow the agent");
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

impl Town {
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
