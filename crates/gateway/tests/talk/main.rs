//! Whole conversations: a caller's voice, the carrier's wire, ears, turn-taking, an agent, a voice.
//! They need the speech models, which `make test` fetches; without them they fail and say so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use exchange::Exchange;
use exchange::phone::{PhonePlan, Step};
use gateway::journal::{Reader, Wanted};
use serde_json::Value;
use speech::words::error_rate;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// One conversation at a time: two would have half a machine each, and talk past each other.
static QUIET: Mutex<()> = Mutex::const_new(());

#[test]
fn an_interrupted_caller_leaves_a_message() {
    let out = TempDir::new().expect("there is a temporary folder");
    let told = demo(out.path(), &[]);
    assert_eq!(told["ended"]["by"], "agent", "{told:#}");
    assert_eq!(told["ended"]["why"], "hung_up", "{told:#}");
    let turns = told["turns"].as_array().expect("turns are a list");
    assert!(turns.len() >= 4, "{told:#}");
    assert!(wer(&told, "heard_wer") <= 0.10, "{told:#}");
    assert!(wer(&told, "understood_wer") <= 0.25, "{told:#}");
    let cut = &told["barge_in"];
    assert!(
        !text(cut, "heard").is_empty() && !text(cut, "unheard").is_empty(),
        "{told:#}"
    );
    let message = text(&told["message"], "text");
    assert!(
        message.to_lowercase().contains("friday"),
        "what was said over the agent counts: {told:#}"
    );
    assert!(!text(&told["message"], "name").is_empty(), "{told:#}");
    for recording in ["recording", "gateway_recording"] {
        let path = out.path().join(text(&told, recording));
        let wav = hound::WavReader::open(path).expect("there is a recording");
        assert_eq!(wav.spec().channels, 2, "{recording}");
        assert!(
            wav.duration() > 8_000 * 10,
            "{recording} is {} samples long",
            wav.duration()
        );
    }
    runs_again(out.path(), &told);
    println!(
        "heard_wer {:.3}, turns {}",
        wer(&told, "heard_wer"),
        turns.len() - 1
    );
}

#[test]
fn a_human_voice_is_understood_over_the_line() {
    let prompts = [
        ("conf-extended", "The conference has been extended."),
        (
            "ss-noservice",
            "The number you have dialed is not in service. Please check the number and try again.",
        ),
        ("conf-nonextended", "The conference cannot be extended."),
        (
            "vm-nobodyavail",
            "Nobody is available to take your call at the moment.",
        ),
    ];
    let files: Vec<PathBuf> = prompts.iter().map(|(name, _)| prompt(name)).collect();
    let out = TempDir::new().expect("there is a temporary folder");
    let told = demo(out.path(), &files);
    let turns = told["turns"].as_array().expect("turns are a list");
    let heard: Vec<&str> = turns
        .iter()
        .filter_map(|it| it["caller_said"].as_str())
        .collect();
    let said: Vec<&str> = prompts.iter().map(|(_, words)| *words).collect();
    let wrong = error_rate(&said.join(" "), &heard.join(" "));
    println!(
        "a human voice over the line: {:.1} % of words wrong; heard {heard:?}",
        wrong * 100.0
    );
    assert!(wrong <= 0.10, "{told:#}");
}

/// Each is over before every copy of the voice is loaded, and must not fall over that.
#[tokio::test(flavor = "multi_thread")]
async fn short_notices_end_well_and_are_counted() {
    let _quiet = QUIET.lock().await;
    let listens = vec![Step::WaitForHangUp {
        timeout: Duration::from_secs(20),
    }];
    let exchange = Exchange::builder()
        .account("AC00000000000000000000000000000000", "a-token")
        .number("+15550001111", "http://127.0.0.1:9/")
        .phone(THEIRS, PhonePlan::answers(Duration::ZERO, listens))
        .start()
        .await
        .expect("the exchange starts");
    let place = TempDir::new().expect("there is a temporary folder");
    let path = place.path().join("offhook.toml");
    std::fs::write(&path, configuration(&exchange, 3)).expect("the folder is ours");
    let call = async || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(["call", THEIRS, "Hi.", "--config"]).arg(&path);
        command.env("XDG_STATE_HOME", place.path().join("state"));
        let ran = command.output().await.expect("it runs");
        let complained = String::from_utf8_lossy(&ran.stderr).into_owned();
        (ran.status.code(), complained)
    };
    for _ in 0..3 {
        let (code, complained) = call().await;
        assert_eq!(code, Some(0), "{complained}");
    }
    let asked = exchange.requests().len();
    let (code, complained) = call().await;
    assert_eq!(code, Some(2), "{complained}");
    assert!(complained.contains("calls_per_hour"), "{complained}");
    assert_eq!(exchange.requests().len(), asked);
}

fn configuration(exchange: &Exchange, calls_per_hour: usize) -> String {
    let port = exchange::free_port().expect("there is a free port");
    let here = format!("127.0.0.1:{port}");
    let (table, carrier) = (exchange.configuration(), exchange.carrier());
    format!(
        r#"
[server]
listen = "{here}"
public_url = "http://{here}"
{table}
[numbers."+15550001111"]
carrier = "{carrier}"
agent = "echo"
[agents.echo]
kind = "echo-test"
[policy]
call = ["{THEIRS}"]
calls_per_hour = {calls_per_hour}
"#
    )
}

const THEIRS: &str = "+15551234567";

/// Plays the demo in a folder, and returns what it prints on its last line.
fn demo(place: &Path, callers: &[PathBuf]) -> Value {
    let _quiet = QUIET.blocking_lock();
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(["demo", "--json", "--out", "some/where"]);
    command.current_dir(place);
    for caller in callers {
        command.arg("--caller").arg(caller);
    }
    let ran = command.output().expect("the demo runs");
    let printed = String::from_utf8_lossy(&ran.stdout);
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() || !callers.is_empty(),
        "{printed}\n{complained}"
    );
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {printed}\n{complained}"))
}

/// The call of a demo, run again, tells what the demo's journal holds, to the byte.
fn runs_again(place: &Path, told: &Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(["replay", "--json", text(told, "flight_recording")]);
    let ran = command.current_dir(place).output().expect("it runs");
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{complained}");
    let journal = Reader::of_folder(&place.join("some/where/state"));
    let journal = journal.expect("the demo left it");
    let rows = async { journal.after(&Wanted::default()).await };
    let runtime = tokio::runtime::Runtime::new().expect("there is room for one more");
    let rows = runtime.block_on(rows).expect("it can be read");
    let entries: Vec<&str> = rows.iter().map(|it| it.entry.as_str()).collect();
    let again = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(again.lines().collect::<Vec<_>>(), entries);
}

fn prompt(name: &str) -> PathBuf {
    let path = PathBuf::from(format!(
        "/usr/share/asterisk/sounds/en_US_f_Allison/{name}.wav"
    ));
    assert!(
        path.exists(),
        "install the Debian package asterisk-core-sounds-en-wav"
    );
    path
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} is missing in {value:#}"))
}

fn wer(told: &Value, key: &str) -> f64 {
    told[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} is missing in {told:#}"))
}
