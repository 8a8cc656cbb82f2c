//! A gateway that is killed in the middle of calls, and the next one.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use exchange::mischief::{Abrupt, Mischief, Socket};
use exchange::phone::{PhonePlan, Step};
use exchange::{EndedBy, Exchange, Status};
use gateway::journal::{Reader, Wanted};
use gateway::ledger::Ledger;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::contract::is_dial;
use crate::house::{OURS, THEIRS, exchange_of, free_address, soon};
use crate::ms;

/// A gateway in a process of its own, whose calls echo.
struct Serving(Child);

impl Serving {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }
}

impl Serving {
    /// Asks it to stop, as a service's keeper does, and waits until it has.
    fn stop(mut self) {
        let mut kill = Command::new("kill");
        let sent = kill.args(["-TERM", &self.0.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
        let ended = self.0.wait().expect("it is ours");
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An exchange, and the folder of a gateway for it that is not running yet.
struct Scene {
    exchange: Exchange,
    place: TempDir,
    here: SocketAddr,
}

impl Scene {
    async fn set(carrier: &str, abrupt: Abrupt) -> Self {
        let socket = Socket {
            abrupt,
            ..Socket::default()
        };
        let mischief = Mischief {
            socket,
            ..Mischief::default()
        };
        let stays = [Step::Wait(ms(5_000)), Step::HangUp];
        let exchange = exchange_of(carrier)
            .number(OURS, "http://127.0.0.1:9/")
            .phone(THEIRS, PhonePlan::answers(ms(300), stays))
            .mischief(mischief)
            .start()
            .await
            .expect("the exchange starts");
        let here = free_address();
        let (table, carrier) = (exchange.configuration(), exchange.carrier());
        let door = |name: &str| format!("http://{here}/{carrier}/{name}");
        exchange.set_number(OURS, &door("voice"), &door("status"));
        let place = tempfile::tempdir().expect("there is a temporary folder");
        let text = format!(
            "[server]\ndrain_seconds = 1\nlisten = \"{here}\"\npublic_url = \"http://{here}\"\n{table}\n\
             [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n[policy]\nanswer = [\"{THEIRS}\"]\ncall = [\"{THEIRS}\"]\nowner = [\"{THEIRS}\"]\n"
        );
        std::fs::write(place.path().join("offhook.toml"), text).expect("the folder is ours");
        Self {
            exchange,
            place,
            here,
        }
    }

    async fn serve(&self) -> Serving {
        let serving = Serving::start(self.command("serve"));
        let listens = async {
            while TcpStream::connect(self.here).await.is_err() {
                tokio::time::sleep(ms(20)).await;
            }
        };
        soon(listens).await;
        serving
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        let place = self.place.path();
        command.args([name, "--config"]);
        command.arg(place.join("offhook.toml"));
        command
            .env("XDG_STATE_HOME", place)
            .env("OFFHOOK_LOG", "off");
        command
    }

    fn reader(&self) -> Option<Reader> {
        Reader::of_folder(&self.place.path().join("offhook")).ok()
    }

    /// Waits until an event of this kind is in the journal so many times.
    async fn seen(&self, kind: &str, times: usize) {
        let kind = format!("\"{kind}\"");
        let seen = async {
            loop {
                if let Some(reader) = self.reader()
                    && let Ok(rows) = reader.after(&Wanted::default()).await
                    && rows.iter().filter(|it| it.entry.contains(&kind)).count() >= times
                {
                    return;
                }
                tokio::time::sleep(ms(20)).await;
            }
        };
        soon(seen).await;
    }

    /// That nobody was dialled, and that the journal is what was written.
    async fn is_sound(&self) {
        let requests = self.exchange.requests();
        assert!(!requests.iter().any(is_dial), "{requests:?}");
        let reader = self.reader().expect("it is there");
        assert_eq!(reader.verify().await.expect("it can be read").err(), None);
    }
}

/// Two kills in one call, and the person on the phone hangs up in the end.
pub(crate) async fn survives(carrier: &str, abrupt: Abrupt) {
    let scene = Scene::set(carrier, abrupt).await;
    let mut serving = scene.serve().await;
    let stays = vec![Step::Wait(ms(8_000)), Step::HangUp];
    let call = scene.exchange.call_in(THEIRS, OURS, stays).expect("ours");
    scene.seen("call.connected", 1).await;
    for kills in 1..=2 {
        // As hard as it gets: no destructor runs.
        drop(serving);
        serving = scene.serve().await;
        scene.seen("call.reconnected", kills).await;
    }
    let outcome = soon(scene.exchange.call(&call)).await;
    assert_eq!(outcome.status, Status::Completed);
    assert_eq!(outcome.ended_by, EndedBy::Caller, "{:?}", outcome.warnings);
    scene.seen("call.ended", 1).await;
    scene.is_sound().await;
}

/// A kill in a call that we made: its carrier may have given it a name of its own since it was dialled.
pub(crate) async fn survives_dialled(carrier: &str) {
    let scene = Scene::set(carrier, Abrupt::GoesOn).await;
    let first = scene.serve().await;
    let note = scene.place.path().join("offhook/gateway.json");
    let announced = async {
        while !note.exists() {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(announced).await;
    let mut dial = scene.command("call");
    dial.args(["--json", THEIRS]);
    dial.stdout(Stdio::null()).stderr(Stdio::null());
    let mut dial = dial.spawn().expect("it starts");
    scene.seen("call.connected", 1).await;
    drop(first);
    let _second = scene.serve().await;
    scene.seen("call.reconnected", 1).await;
    let outcome = soon(scene.exchange.next_outcome()).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller, "{:?}", outcome.warnings);
    scene.seen("call.ended", 1).await;
    let _ = dial.kill();
    let _ = dial.wait();
    let dials = scene.exchange.requests();
    assert_eq!(dials.iter().filter(|it| is_dial(it)).count(), 1);
    let reader = scene.reader().expect("it is there");
    assert_eq!(reader.verify().await.expect("it can be read").err(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_outlives_its_gateway_where_the_carrier_goes_on() {
    survives("twilio", Abrupt::GoesOn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_outlives_its_gateway_where_the_carrier_only_waits() {
    survives("twilio", Abrupt::Stays).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_when_its_gateway_is_stopped_and_started_again() {
    goes_on("twilio").await;
}

/// A polite stop and a start in the middle of a call.
pub(crate) async fn goes_on(carrier: &str) {
    // Nothing but a proper close leads on from here.
    let scene = Scene::set(carrier, Abrupt::Ends).await;
    let first = scene.serve().await;
    let stays = vec![Step::Wait(ms(8_000)), Step::HangUp];
    let call = scene.exchange.call_in(THEIRS, OURS, stays).expect("ours");
    scene.seen("call.connected", 1).await;
    tokio::task::spawn_blocking(|| first.stop())
        .await
        .expect("it stops");
    let _second = scene.serve().await;
    scene.seen("call.reconnected", 1).await;
    let outcome = soon(scene.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller, "{:?}", outcome.warnings);
    scene.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_did_not_outlive_its_gateway_ends_by_the_carriers_word() {
    let scene = Scene::set("twilio", Abrupt::Ends).await;
    let first = scene.serve().await;
    let stays = vec![Step::WaitForHangUp {
        timeout: ms(60_000),
    }];
    let call = scene.exchange.call_in(THEIRS, OURS, stays).expect("ours");
    scene.seen("call.connected", 1).await;
    drop(first);
    let outcome = soon(scene.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::SocketFailed);
    let _second = scene.serve().await;
    scene.seen("call.ended", 1).await;
    scene.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_meanwhile_is_ended_and_not_taken_up() {
    let scene = Scene::set("twilio", Abrupt::Stays).await;
    let first = scene.serve().await;
    let stays = vec![Step::WaitForHangUp {
        timeout: ms(60_000),
    }];
    let call = scene.exchange.call_in(THEIRS, OURS, stays).expect("ours");
    scene.seen("call.connected", 1).await;
    drop(first);
    let stopped = scene.command("stop-all").output().expect("it runs");
    let said = String::from_utf8_lossy(&stopped.stdout).into_owned();
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(said.contains("everything is stopped"), "{said}");
    let _second = scene.serve().await;
    let outcome = soon(scene.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Api, "{:?}", outcome.warnings);
    scene.seen("call.ended", 1).await;
    let reader = scene.reader().expect("it is there");
    let rows = reader.after(&Wanted::default()).await;
    let rows = rows.expect("it can be read");
    let again = rows.iter().any(|it| it.entry.contains("call.reconnected"));
    assert!(!again, "nobody talked on");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_stopped_though_the_gateway_does_not_say_so() {
    let scene = Scene::set("twilio", Abrupt::Stays).await;
    let note = scene.place.path().join("offhook/gateway.json");
    let serving = scene.serve().await;
    let announced = async {
        while !note.exists() {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(announced).await;
    drop(serving);
    // One that looks well and does nothing has its place.
    let listener = tokio::net::TcpListener::bind(scene.here).await;
    let listener = listener.expect("the port is free again");
    let broken = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 1_024];
            let _ = socket.read(&mut asked).await;
            let status = if asked.starts_with(b"GET") {
                "200 OK"
            } else {
                "500 Broken"
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let mut stop = scene.command("stop-all");
    let stopped = tokio::task::spawn_blocking(move || stop.output()).await;
    let stopped = stopped.expect("it does not break").expect("it runs");
    broken.abort();
    let said = String::from_utf8_lossy(&stopped.stdout).into_owned();
    assert!(
        said.contains("the gateway could not be told"),
        "{said} {stopped:?}"
    );
    let state = scene.place.path().join("offhook");
    let ledger = Ledger::open(&state, 0).expect("it is there");
    assert!(ledger.stopped().expect("it can be read").is_some());
}
