//! A configuration that is saved while calls are up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use call::Event;
use call::event::{End, Party, Why};
use exchange::mischief::Mischief;
use exchange::phone::Step;
use exchange::{Answer, EndedBy};
use gateway::access::{Scope, Tokens};
use gateway::rulebook::{Reloaded, Rulebook, Trouble};
use gateway::switchboard::Record;
use ports::code;
use serde_json::Value;

use crate::house::{House, OURS, STRANGER, THEIRS, TOKEN, events, free_address, soon};
use crate::{listener, ms};

const FORBIDDEN: End = End {
    by: Party::Gateway,
    why: Why::Policy,
};

impl House {
    fn rulebook(&self) -> Arc<Rulebook> {
        let rulebook = self.gateway.rulebook.clone();
        rulebook.expect("it was started from a file")
    }

    fn save(&self, text: &str) {
        fs::write(self.file("offhook.toml"), text).expect("the folder is ours");
    }

    /// The configuration with one thing changed.
    fn other(&self, old: &str, new: &str) -> String {
        assert!(self.text.contains(old), "{old} is not in the configuration");
        self.text.replace(old, new)
    }

    /// Saves it and has it read at once, or as soon as whoever watches it has.
    async fn reload(&self, text: &str) -> Result<Reloaded, Vec<Trouble>> {
        // Else it may have read this already, by itself.
        self.rulebook().caught_up().await;
        self.save(text);
        self.rulebook().reload().await
    }

    /// Waits until the one in force, or its standing, is so.
    async fn until(&self, so: impl Fn(&Self) -> bool) {
        soon(async {
            while !so(self) {
                tokio::time::sleep(ms(10)).await;
            }
        })
        .await;
    }

    fn is_refused(&self) -> bool {
        self.rulebook().standing().refused.is_some()
    }

    fn max_calls(&self) -> usize {
        self.gateway.board.plan().rules.max_calls.value
    }

    /// Someone calls, and stays on the line.
    async fn caller(&self, from: &str) -> Arc<Record> {
        let before = self.gateway.board.calls().len();
        let stays = vec![Step::WaitForHangUp {
            timeout: ms(60_000),
        }];
        self.exchange.call_in(from, OURS, stays).expect("ours");
        self.until(|it| it.gateway.board.calls().len() > before)
            .await;
        let record = self.gateway.board.calls()[0].clone();
        soon(async {
            while !record.log.is_connected() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        record
    }
}

/// An agent that talks, and anyone may call.
fn talkative(_: &Path, text: String) -> String {
    text.replace("kind = \"echo-test\"", "kind = \"answering-service\"")
        .replace("max_calls = 2", "max_calls = 5")
        .replace(
            &format!("answer = [\"{THEIRS}\"]"),
            &format!("answer = [\"{THEIRS}\", \"{STRANGER}\"]"),
        )
        // Nobody has to be told first who speaks.
        .replace("owner = [", &format!("owner = [\"{STRANGER}\", "))
        + "[phrases]\ngoodbye = \"Old bye.\"\n"
}

fn said(record: &Record) -> Vec<String> {
    let said = events(record).into_iter().filter_map(|event| {
        if let Event::AgentSaid { text } = event {
            Some(text.into_revealed())
        } else {
            None
        }
    });
    said.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_struck_off_is_said_goodbye_to_and_nobody_else_is() {
    let house = House::with(listener(), Mischief::default(), talkative).await;
    let stranger = house.caller(STRANGER).await;
    let friend = house.caller(THEIRS).await;
    // What one says at the end of a call belongs to how the call began.
    let text = house.other("Old bye.", "New bye.");
    let reloaded = house.reload(&text).await.expect("nothing is wrong");
    assert_eq!(
        (reloaded.changed, reloaded.ended),
        (vec!["phrases.goodbye".to_owned()], 0)
    );
    let later = house.caller(STRANGER).await;
    let stricter = text.replace(&format!(", \"{STRANGER}\""), "");
    let reloaded = house.reload(&stricter).await.expect("nothing is wrong");
    assert_eq!(
        (reloaded.changed, reloaded.ended),
        (vec!["policy.answer".to_owned()], 2)
    );
    for (record, bye) in [(&stranger, "Old bye."), (&later, "New bye.")] {
        soon(record.log.ended()).await;
        assert_eq!(events(record).last(), Some(&Event::Ended(FORBIDDEN)));
        assert_eq!(said(record).last().map(String::as_str), Some(bye));
    }
    assert!(!friend.log.is_closed(), "{:?}", events(&friend));
    let refused = house.exchange.call_in(STRANGER, OURS, [Step::HangUp]);
    let refused = soon(house.exchange.call(&refused.expect("ours"))).await;
    assert_eq!(refused.ended_by, EndedBy::Rejected);
    // Less time for everyone, then more again, which is for others.
    for (minutes, shortened) in [(5, 1), (40, 0)] {
        let text = stricter.replace("[turns]", &format!("max_minutes = {minutes}\n[turns]"));
        let reloaded = house.reload(&text).await.expect("nothing is wrong");
        assert_eq!(reloaded.changed, ["policy.max_minutes"]);
        assert_eq!((reloaded.shortened, reloaded.ended), (shortened, 0));
    }
    friend.hang_up().await;
    soon(friend.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_may_not_be_called_any_more_is_hung_up_on_in_mid_notice() {
    let house = House::new(listener(), Mischief::default()).await;
    let long = "This notice takes half a minute to be read out loud. ".repeat(12);
    let record = house.notify(THEIRS, &long).await.expect("listed");
    house.until(|_| record.log.is_connected()).await;
    let text = house.other(&format!("call = [\"{THEIRS}\"]"), "call = []");
    assert_eq!(house.reload(&text).await.expect("right").ended, 1);
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    soon(record.log.ended()).await;
    assert_eq!(events(&record).last(), Some(&Event::Ended(FORBIDDEN)));
    let fault = house.notify(THEIRS, "Hi").await.expect_err("not any more");
    assert_eq!(fault.code, code::POLICY_NOT_ALLOWED);
}

/// What replaces what in the file, and what the fault must name.
#[rustfmt::skip]
const POISON: &[(&str, &str, &[&str])] = &[
    ("max_calls = 2", "max_calls = \"2\"", &["`max_calls`", "offhook.toml:"]),
    ("max_calls = 2", "max_cals = 2", &["`max_cals`", "did you mean `max_calls`?"]),
    ("max_calls = 2", "max_calls = ", &["not TOML"]),
    ("kind = \"echo-test\"", "kind = \"ecko-test\"", &["`ecko-test`"]),
    ("agent = \"echo\"", "agent = \"nobody\"", &["`nobody`"]),
    ("call = [\"+15551234567\"]", "call = [\"911\"]", &["`call`", "never dialled"]),
    ("call = [\"+15551234567\"]", "call = [\"+1 555 123 4567\"]", &["`call`"]),
    ("linger_ms = 300", "linger_ms = 99999999", &["`linger_ms`"]),
    ("linger_ms = 300", "barge_in_ms = 100", &["`barge_in_ms`", "speech detector"]),
    ("public_url = \"http", "public_url = \"gopher", &["`public_url`"]),
    ("\"0123456789abcdef0123456789abcdef\"", "\"env:NOT_SET_ANYWHERE\"", &["`auth_token`", "NOT_SET_ANYWHERE"]),
    ("\"0123456789abcdef0123456789abcdef\"", "\"file:not-there\"", &["`auth_token`", "not-there"]),
    ("[policy]", "[recordings]\ndir = \"/dev/null/tapes\"\n[policy]", &["/dev/null/tapes"]),
    ("[server]", "\u{0}", &["not TOML"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn poison_changes_nothing_and_is_named() {
    let house = House::new(listener(), Mischief::default()).await;
    let friend = house.caller(THEIRS).await;
    let before = house.gateway.board.plan();
    let empty = [("", &["`public_url`"][..])];
    let replaced = POISON.iter();
    let replaced = replaced.map(|(old, new, named)| (house.other(old, new), *named));
    let empty = empty.map(|(text, named)| (text.to_owned(), named));
    for (text, named) in replaced.chain(empty) {
        let problems = house.reload(&text).await.expect_err("it is poisoned");
        let told: Vec<_> = problems
            .iter()
            .map(|it| format!("{} {} {}", it.at, it.message, it.hint))
            .collect();
        let told = told.join("\n");
        for named in named {
            assert!(told.contains(named), "{named} is not in {told}");
        }
        assert!(!told.contains(TOKEN), "{told}");
        assert!(Arc::ptr_eq(&before, &house.gateway.board.plan()), "{told}");
        let refused = house.rulebook().standing().refused.expect("it was");
        assert_eq!(refused.problems, problems);
    }
    fs::remove_file(house.file("offhook.toml")).expect("it is there");
    let problems = house.rulebook().reload().await.expect_err("it is gone");
    assert_eq!(problems[0].code, code::CONFIG_MISSING);
    let reloaded = house.reload(&house.text).await.expect("it is as it was");
    assert_eq!(reloaded.changed, Vec::<String>::new());
    assert!(!house.is_refused() && !friend.log.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_is_noticed_and_so_is_one_that_is_finished_later() {
    let house = House::new(listener(), Mischief::default()).await;
    // As editors do: another file takes its name.
    let other = house.file(".offhook.toml.swp");
    fs::write(&other, house.other("max_calls = 2", "max_calls = 7")).expect("ours");
    fs::rename(&other, house.file("offhook.toml")).expect("ours");
    house.until(|it| it.max_calls() == 7).await;
    // As others do: it is gone for a moment.
    fs::remove_file(house.file("offhook.toml")).expect("it is there");
    house.save(&house.other("max_calls = 2", "max_calls = 8"));
    house.until(|it| it.max_calls() == 8).await;
    // Half of it, and the rest when somebody has read that.
    let whole = house.other("max_calls = 2", "max_calls = 9");
    house.save(&whole[..whole.find("[policy]").expect("it is there") + 5]);
    house.until(House::is_refused).await;
    assert_eq!(house.max_calls(), 8);
    house.save(&whole);
    house.until(|it| it.max_calls() == 9).await;
    assert!(!house.is_refused());
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).expect("the folder is ours");
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path, mode).expect("the file is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_file_is_read_again_when_the_file_changes() {
    let wrong = "0".repeat(32);
    let house = House::with(listener(), Mischief::default(), |folder, text| {
        secret(&folder.join("token"), &wrong);
        let behind = format!("auth_token = \"file:token\"\nsecondary_auth_token = \"{TOKEN}\"");
        text.replace(&format!("auth_token = \"{TOKEN}\""), &behind)
    })
    .await;
    assert!(house.text.contains("file:token"), "{}", house.text);
    let record = house.notify(THEIRS, "Hi").await.expect("it may be tried");
    soon(record.log.ended()).await;
    let fault = record.fault().expect("the token is wrong");
    assert_eq!(fault.code, code::CARRIER_CREDENTIALS);
    // Its notices are signed with the other token, so it comes about.
    let friend = house.caller(THEIRS).await;
    let before = house.gateway.board.plan();
    secret(&house.file("token"), TOKEN);
    house
        .until(|it| !Arc::ptr_eq(&before, &it.gateway.board.plan()))
        .await;
    // What it began with would not be enough to hang it up.
    friend.hang_up().await;
    soon(friend.log.ended()).await;
    assert!(friend.fault().is_none(), "{:?}", friend.fault());
    assert_eq!(house.outcome().await.ended_by, EndedBy::Api);
    let record = house.notify(THEIRS, "Hi").await.expect("listed");
    soon(record.log.ended()).await;
    assert!(record.fault().is_none(), "{:?}", record.fault());
    let before = house.gateway.board.plan();
    secret(&house.file("token"), &wrong);
    house
        .until(|it| !Arc::ptr_eq(&before, &it.gateway.board.plan()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_were_replaced_speak_of_earlier_calls_and_begin_none() {
    let house = House::new(listener(), Mischief::default()).await;
    let friend = house.caller(THEIRS).await;
    let text = house.other(TOKEN, &"f".repeat(32));
    let reloaded = house.reload(&text).await.expect("nothing is wrong");
    let carrier = house.exchange.carrier();
    assert_eq!(reloaded.changed, [format!("carriers.{carrier}.auth_token")]);
    // Neither plainly, nor at an address that names a call which may be spoken of.
    let named = format!("{}?call={}", house.door("voice"), friend.id);
    for door in [house.door("voice"), named] {
        house
            .exchange
            .set_number(OURS, &door, &house.door("status"));
        let other = house.exchange.call_in(THEIRS, OURS, [Step::HangUp]);
        soon(house.exchange.call(&other.expect("ours"))).await;
        assert_eq!(house.gateway.board.calls().len(), 1, "{door}");
    }
    let deliveries = house.exchange.deliveries();
    let refused = deliveries.iter();
    let refused = refused.filter(|it| it.answer == Answer::Status(403));
    assert!(refused.count() >= 2, "{deliveries:?}");
    // Both the order to hang up and the notice that it was done are in the old credentials.
    friend.hang_up().await;
    soon(friend.log.ended()).await;
    let end = End {
        by: Party::Owner,
        why: Why::HungUp,
    };
    assert_eq!(events(&friend).last(), Some(&Event::Ended(end)));
    assert!(friend.fault().is_none(), "{:?}", friend.fault());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_may_ask_for_it_and_is_told_what_changed_or_why_not() {
    let house = House::new(listener(), Mischief::default()).await;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a provider is installed by the exchange");
    let make = |scope| {
        let mut tokens = Tokens::open(house.gateway.board.state()).expect("the folder is ours");
        let made = tokens.create(scope, jiff::Timestamp::now());
        made.expect("it can be written").1
    };
    let (admin, call) = (make(Scope::Admin), make(Scope::Call));
    let ask = async |post: bool, path: &str, token: &str| {
        let url = format!("{}{path}", house.public);
        let request = if post {
            client.post(url)
        } else {
            client.get(url)
        };
        let answer = soon(request.bearer_auth(token).send()).await;
        let answer = answer.expect("it answers");
        let status = answer.status().as_u16();
        let body: Value = soon(answer.json()).await.expect("it is JSON");
        (status, body)
    };
    let (status, body) = ask(true, "/v1/reload", &admin).await;
    assert_eq!(
        (status, &body["changed"]),
        (200, &Value::from([""; 0].to_vec()))
    );
    let text = house.other("max_calls = 2", "max_calls = 3\nmax_minutes = 9");
    // The same port in other words would be no change; another cannot be had while running.
    let listen = "listen = \"127.0.0.1:1\"";
    let line = text.lines().find(|it| it.starts_with("listen"));
    house.save(&text.replace(line.expect("it is there"), listen));
    assert_eq!(ask(true, "/v1/reload", &call).await.0, 403);
    let (status, body) = ask(true, "/v1/reload", &admin).await;
    assert_eq!(status, 200, "{body}");
    // Whoever watches the file may have been faster.
    let changed = body["changed"].as_array().expect("a list").len();
    assert!(changed == 0 || changed == 2, "{body}");
    assert_eq!(body["at_next_start"][0], "server.listen");
    assert_eq!(house.max_calls(), 3);
    house.save(&text.replace("max_calls", "max_cals"));
    let (status, body) = ask(true, "/v1/reload", &admin).await;
    assert_eq!(
        (status, &body["code"]),
        (422, &Value::from(code::CONFIG_INVALID))
    );
    let message = body["problems"][0]["message"].as_str().expect("a text");
    assert!(message.contains("`max_cals`"), "{body}");
    let (status, standing) = ask(false, "/v1/config", &call).await;
    assert_eq!(status, 200);
    assert_eq!(standing["refused"]["problems"], body["problems"]);
    assert!(!standing.to_string().contains(TOKEN), "{standing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_say_what_became_of_a_saved_file() {
    let place = tempfile::tempdir().expect("there is a temporary folder");
    let path = place.path().join("offhook.toml");
    let here = free_address();
    let text = format!(
        "[server]\nlisten = \"{here}\"\npublic_url = \"http://{here}\"\n\
         [policy]\nanswer = [\"{THEIRS}\"]\nmax_calls = 2\n"
    );
    fs::write(&path, &text).expect("the folder is ours");
    let offhook = |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.arg("--config").arg(&path).args(arguments);
        command
            .env("XDG_STATE_HOME", place.path())
            .env("OFFHOOK_LOG", "off");
        command.kill_on_drop(true);
        command
    };
    let run = async |arguments: &[&str]| {
        let out = soon(offhook(arguments).output()).await.expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let mut serving = offhook(&["serve"]);
    let mut serving = serving
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    soon(async {
        while run(&["status"]).await.0 != Some(0) {
            tokio::time::sleep(ms(20)).await;
        }
    })
    .await;
    // What would end another program is how this one is asked.
    let pid = serving.id().expect("it runs").to_string();
    let mut asking = tokio::process::Command::new("kill");
    let asked = asking.args(["-HUP", &pid]).status().await;
    let asked = asked.expect("every Unix has it");
    assert!(asked.success());
    let (code, told, _) = run(&["reload"]).await;
    assert_eq!((code, told.as_str()), (Some(0), "nothing changed\n"));

    fs::write(&path, text.replace("max_calls", "max_cals")).expect("ours");
    let (code, told, wrong) = run(&["reload"]).await;
    assert_eq!((code, told.as_str()), (Some(2), ""));
    for part in [
        "error: ",
        "`max_cals`",
        "offhook.toml:6",
        "hint: did you mean",
    ] {
        assert!(wrong.contains(part), "{part} is not in {wrong}");
    }
    let (code, told, wrong) = run(&["status"]).await;
    assert_eq!(code, Some(0));
    assert!(told.contains("is not in force"), "{told}");
    assert!(wrong.contains("`max_cals`"), "{wrong}");

    let elsewhere = text.replace(&here.to_string(), "127.0.0.1:1");
    fs::write(&path, elsewhere).expect("ours");
    let (code, told, _) = run(&["reload"]).await;
    assert_eq!(code, Some(0));
    assert!(told.contains("at the next start: server.listen"), "{told}");
    let (_, told, _) = run(&["status", "--json"]).await;
    let status: Value = serde_json::from_str(&told).expect("it is JSON");
    assert_eq!(status["config"]["refused"], Value::Null);
    assert_eq!(status["config"]["at_next_start"][0], "server.listen");
    assert!(serving.try_wait().expect("it can be asked").is_none());
}
