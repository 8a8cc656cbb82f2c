//! Conversations with small programs of the shell's.

use call::TurnId;
use ports::agent::Used;
use ports::{Value, code};

use super::*;
use crate::trial::{answers, ask, heard, introduction, matter, tell, turn};

#[tokio::test]
async fn a_program_is_run_for_each_turn_and_told_everything() {
    let more = [("instructions", Value::Text("Be brief.".into()))];
    let mut link = call("tr '\\n' '|'", &more).await;
    let said = ask(&mut link, 1, "When are you free?").await.concat();
    let asked = "Be brief.||What this call is for: Find a day.||caller: When are you free?|";
    assert_eq!(said, format!("works 45 s{asked}(finish)"));
    tell(&link, heard(1, "On Friday.")).await;
    let said = ask(&mut link, 2, "At nine?").await.concat();
    let past = "caller: When are you free?|agent: On Friday.|caller: At nine?|(finish)";
    assert!(said.ends_with(past), "{said}");
}

#[tokio::test]
async fn it_is_told_who_calls_and_sees_nothing_else() {
    let more = [("told", Value::Text("said".into()))];
    let script = "read said; echo \"$said $OFFHOOK_CONTACT $OFFHOOK_TURN $CARGO_PKG_NAME.\"; echo '[[hangup]]'";
    let mut link = call(script, &more).await;
    let said = ask(&mut link, 4, "Who am I?\nTell me.").await;
    assert_eq!(
        said.concat(),
        "works 45 sWho am I? Tell me. ann 4 .\n(hang up)"
    );
    let more = [
        ("told", Value::Text("said".into())),
        ("environment", Value::List(vec!["CARGO_PKG_NAME".into()])),
    ];
    let mut link = call(script, &more).await;
    let said = ask(&mut link, 4, "And I?").await.concat();
    assert!(said.contains("And I? ann 4 agents."), "{said}");
}

#[tokio::test]
async fn a_program_that_is_kept_answers_line_by_line() {
    let script = "n=0; while read said; do n=$((n+1)); echo \"$n: $said\"; echo; done";
    let mut link = call(script, &[("per", Value::Text("call".into()))]).await;
    assert_eq!(
        ask(&mut link, 1, "One?").await.concat(),
        "works 45 s1: One?\n(finish)"
    );
    // What it says to a turn that was taken back belongs to no other.
    tell(&link, turn(2, "Two")).await;
    tell(&link, Tell::Abandon(TurnId(2))).await;
    let said = ask(&mut link, 3, "Two and three?").await.concat();
    assert!(said.ends_with("3: Two and three?\n(finish)"), "{said}");
}

#[tokio::test]
async fn a_program_with_a_prompt_is_waited_for() {
    let script =
        "echo Welcome; printf '> '; while read said; do echo \"A.\n\nB.\"; printf '> '; done";
    let more = [
        ("per", Value::Text("call".into())),
        ("prompt", Value::Text("> ".into())),
    ];
    let mut link = call(script, &more).await;
    for turn in 1..3 {
        let said = ask(&mut link, turn, "Well?").await.concat();
        assert_eq!(said, "works 45 sA.\n\nB.\n(finish)");
    }
}

#[tokio::test]
async fn letters_are_exchanged_line_by_line() {
    // Waits for what was looked up before it answers.
    let script = r#"read call; read turn
        echo '{"type":"say","turn":1,"text":"Let me look."}'
        echo '{"type":"use","turn":1,"id":"a","tool":"calendar","takes":{}}'
        read used
        case "$used" in *'"done":"free"'*) echo '{"type":"say","turn":0,"text":"Stale."}
        {"type":"say","turn":1,"text":"Free."}
        {"type":"hang_up","turn":1}';; esac
        read ended"#;
    let more = [
        ("per", Value::Text("call".into())),
        ("speaks", Value::Text("json".into())),
    ];
    let mut link = call(script, &more).await;
    let said = ask(&mut link, 1, "Friday?").await;
    assert_eq!(
        said,
        ["works 45 s", "Let me look.", "(a uses calendar for {})"]
    );
    let (turn, id, used) = (TurnId(1), "a".to_owned(), Used::Done("free".into()));
    tell(&link, Tell::Used { turn, id, used }).await;
    assert_eq!(answers(&mut link).await, ["Free.", "(hang up)"]);
}

#[tokio::test]
async fn one_that_goes_is_started_again_and_told_what_was_said() {
    let script = r#"read call; read turn
        case "$call" in
            *One*) echo '{"type":"say","turn":2,"text":"I know."}'; echo '{"type":"finish","turn":2}'; read more;;
        esac"#;
    let more = [
        ("per", Value::Text("call".into())),
        ("speaks", Value::Text("json".into())),
    ];
    let mut link = call(script, &more).await;
    let said = ask(&mut link, 1, "One?").await.concat();
    assert_eq!(said, "works 45 s(agent.unreachable)");
    tell(&link, heard(1, "Sorry.")).await;
    let said = ask(&mut link, 2, "Two?").await.concat();
    assert_eq!(said, "works 45 sI know.(finish)");
}

#[tokio::test]
async fn what_fails_fails_the_turn() {
    let mut link = call("exit 3", &[]).await;
    let said = ask(&mut link, 1, "Well?").await.concat();
    assert_eq!(said, "works 45 s(agent.refused)");
    for (script, code) in [
        ("sleep 600", "(agent.timeout)"),
        ("echo hm; sleep 600", "(agent.timeout)"),
    ] {
        let more = [
            ("first_token_timeout_s", Value::Number(1)),
            ("token_timeout_s", Value::Number(1)),
        ];
        let mut link = call(script, &more).await;
        let said = ask(&mut link, 1, "Well?").await;
        assert_eq!(said.last().map(String::as_str), Some(code), "{script}");
    }
    let nowhere = Value::List(vec!["/nowhere/agent".into()]);
    let mut link = open(settings(nowhere, &[])).await;
    assert_eq!(
        ask(&mut link, 1, "Well?").await.concat(),
        "works 45 s(agent.unreachable)"
    );
}

/// Also what it started: a pipe that such a one holds open is closed.
#[tokio::test]
async fn a_call_that_is_over_ends_the_program_and_its_children() {
    let folder = std::env::temp_dir().join(format!("offhook-command-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("pids");
    let script = format!(
        "sleep 600 & echo $$ $! > {0}.new; mv {0}.new {0}; sleep 600",
        path.display()
    );
    let link = call(&script, &[]).await;
    tell(&link, turn(1, "Well?")).await;
    let pids = loop {
        match std::fs::read_to_string(&path) {
            Ok(pids) => break pids,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    drop(link);
    for pid in pids.split_whitespace() {
        // One that has ended may still be on the list until it is asked how.
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|it| !it.contains(") Z "))
        };
        while lives() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}

#[tokio::test]
async fn a_program_that_speaks_json_is_asked_what_came_of_a_call_and_no_other() {
    let judged = r#"{"type":"judged","call":"c1","goal":"met"}"#;
    let script = format!(
        "read asked; case $asked in *'\"type\":\"judge\"'*'On Friday at nine.'*) ;; \
         *'On Friday at nine.'*'\"type\":\"judge\"'*) ;; *) exit 1;; esac; \
         echo '{{\"type\":\"finish\",\"turn\":1}}'; echo '{judged}'; read more"
    );
    let judge = |speaks: &str| {
        let command = ["sh", "-c", &script].map(str::to_owned);
        let speaks = [("speaks", Value::Text(speaks.into()))];
        let built = build(&settings(Value::List(command.into()), &speaks));
        let Ok(Answerer::Words { agent, .. }) = built else {
            panic!("it is an agent with words");
        };
        agent.judge()
    };
    assert!(judge("text").is_none(), "what it writes is spoken");
    let mut judge = judge("json").expect("it can");
    let answer = judge.judge(&matter()).await.expect("it answers");
    assert_eq!(answer.reveal(), judged);
    let command = ["sh", "-c", "read asked"].map(str::to_owned);
    let silent = settings(
        Value::List(command.into()),
        &[("speaks", Value::Text("json".into()))],
    );
    let Ok(Answerer::Words { agent, .. }) = build(&silent) else {
        panic!("it is an agent with words");
    };
    let mut judge = agent.judge().expect("it could");
    let fault = judge.judge(&matter()).await.expect_err("it has gone");
    assert_eq!(fault.code, code::AGENT_UNREACHABLE);
}

#[test]
fn wrong_settings_are_named() {
    let settings = settings(
        Value::List(Vec::new()),
        &[
            ("per", Value::Text("day".into())),
            ("speaks", Value::Text("latin".into())),
        ],
    );
    let problems = build(&settings).err().expect("three things are wrong");
    let keys: Vec<&str> = problems.iter().map(|it| it.key).collect();
    assert_eq!(keys, ["per", "speaks", "command"]);
}

fn settings(command: Value, more: &[(&'static str, Value)]) -> Settings {
    let settings = Settings::default().with("command", command);
    more.iter()
        .fold(settings, |all, (key, value)| all.with(key, value.clone()))
}

async fn call(script: &str, more: &[(&'static str, Value)]) -> Link<Tell, Answer> {
    let command = ["sh", "-c", script].map(str::to_owned);
    open(settings(Value::List(command.into()), more)).await
}

async fn open(settings: Settings) -> Link<Tell, Answer> {
    let Ok(Answerer::Words { agent, .. }) = build(&settings) else {
        panic!("it is an agent with words");
    };
    agent
        .open(introduction())
        .await
        .expect("it is there at once")
}
