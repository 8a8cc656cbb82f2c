//! A gateway that is killed in the middle of calls, and the next one.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use exchange::phone::Step;
use exchange::{Exchange, Status};
use gateway::journal::Reader;

use crate::house::{OURS, THEIRS, soon};
use crate::ms;

/// A gateway in a process of its own, whose calls echo.
struct Serving(Child);

impl Serving {
    fn start(place: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command
            .args(["serve", "--config"])
            .arg(place.join("offhook.toml"));
        command
            .env("XDG_STATE_HOME", place)
            .env("OFFHOOK_LOG", "off");
        command.stdout(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_killed_gateway_are_ended_and_nobody_is_dialled() {
    let exchange = Exchange::builder()
        .account("AC00000000000000000000000000000000", crate::house::TOKEN)
        .number(OURS, "http://127.0.0.1:9/")
        .start()
        .await
        .expect("the exchange starts");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let here = listener.local_addr().expect("it is bound");
    drop(listener);
    let (table, carrier) = (exchange.configuration(), exchange.carrier());
    let door = |name: &str| format!("http://{here}/{carrier}/{name}");
    exchange.set_number(OURS, &door("voice"), &door("status"));
    let place = tempfile::tempdir().expect("there is a temporary folder");
    let text = format!(
        "[server]\nlisten = \"{here}\"\npublic_url = \"http://{here}\"\n{table}\n\
         [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
         [agents.echo]\nkind = \"echo-test\"\n[policy]\nanswer = [\"{THEIRS}\"]\n"
    );
    std::fs::write(place.path().join("offhook.toml"), text).expect("the folder is ours");

    let state = place.path().join("offhook");
    let seen = async |wanted: &dyn Fn(&[gateway::journal::Summary]) -> bool| {
        loop {
            if let Ok(reader) = Reader::of_folder(&state)
                && let Ok(calls) = reader.calls(10).await
                && wanted(&calls)
            {
                return calls;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    let first = Serving::start(place.path());
    soon(async {
        while tokio::net::TcpStream::connect(here).await.is_err() {
            tokio::time::sleep(ms(20)).await;
        }
    })
    .await;
    let stays = vec![Step::WaitForHangUp {
        timeout: ms(60_000),
    }];
    let call = exchange.call_in(THEIRS, OURS, stays).expect("ours");
    soon(seen(&|calls| calls.iter().any(|it| it.seq >= 3))).await;
    // As hard as it gets: no destructor runs.
    drop(first);
    let up = soon(seen(&|calls| !calls.is_empty())).await;
    assert!(up[0].ended.is_none(), "{up:?}");

    let _second = Serving::start(place.path());
    let settled = soon(seen(&|calls| calls.iter().all(|it| it.ended.is_some()))).await;
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].seq, up[0].seq + 1);
    let outcome = soon(exchange.call(&call)).await;
    assert_eq!(outcome.status, Status::Completed);
    let dials = exchange.requests();
    assert!(dials.iter().all(|it| !it.path.ends_with("/Calls.json")));
    let reader = Reader::of_folder(&state).expect("it is there");
    assert!(reader.verify().await.expect("it can be read").is_ok());
}
