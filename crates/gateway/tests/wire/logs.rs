//! What a gateway logs, and what of it is kept.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::house::{OURS, THEIRS, free_address, soon};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_logs_can_be_read_and_names_nobody() {
    let here = free_address();
    let place = tempfile::tempdir().expect("there is a temporary folder");
    let secret = "0f0e0d0c0b0a09080706050403020100";
    let text = format!(
        "[server]\nlisten = \"{here}\"\npublic_url = \"http://{here}\"\n[carriers.twilio]\n\
         account_sid = \"AC00000000000000000000000000000000\"\nauth_token = \"{secret}\"\n\
         api_url = \"http://127.0.0.1:9\"\n[numbers.\"{OURS}\"]\ncarrier = \"twilio\"\n\
         agent = \"echo\"\n[agents.echo]\nkind = \"echo-test\"\n[policy]\ncall = [\"{THEIRS}\"]\n"
    );
    let config = place.path().join("offhook.toml");
    std::fs::write(&config, text).expect("the folder is ours");
    let offhook = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(arguments).arg("--config").arg(&config);
        command
            .env("XDG_STATE_HOME", place.path())
            .env_remove("OFFHOOK_LOG");
        command.stderr(Stdio::null());
        command
    };
    let mut serving = offhook(&["serve"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let ready = async {
        while tokio::net::TcpStream::connect(here).await.is_err() {}
        while !place.path().join("offhook/gateway.json").exists() {
            tokio::task::yield_now().await;
        }
    };
    soon(ready).await;
    // The carrier cannot be reached, which is worth a line.
    let called = offhook(&["call", THEIRS]).stdout(Stdio::null()).status();
    assert_eq!(called.expect("it runs").code(), Some(1));
    let _ = serving.kill();
    let _ = serving.wait();
    let logs = offhook(&["logs", "--json"]).output().expect("it runs");
    let logs = String::from_utf8(logs.stdout).expect("it is text");
    let lines: Vec<Value> = logs
        .lines()
        .map(|it| serde_json::from_str(it).expect("a line is JSON"))
        .collect();
    let call = lines.iter().find(|it| it["message"] == "a call begins");
    let call = call.and_then(|it| it["call"].as_str()).expect("it is told");
    assert!(
        !logs.contains(&THEIRS[3..]) && !logs.contains(&OURS[3..]),
        "{logs}"
    );
    assert!(!logs.contains(secret), "{logs}");
    let only = offhook(&["logs", "--json", "--level", "warn", "--call", &call[20..]]).output();
    let only = String::from_utf8(only.expect("it runs").stdout).expect("it is text");
    assert!(only.lines().count() < lines.len(), "{only}");
    assert!(
        only.lines()
            .all(|it| it.contains(call) && !it.contains("INFO")),
        "{only}"
    );
}
