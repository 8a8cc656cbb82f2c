//! `offhook setup`, from nothing to a phone that rings, over every carrier's wire.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use exchange::phone::{PhonePlan, Step};
use exchange::{Exchange, Outcome, Status};
use gateway::cli::lists;
use gateway::config;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt as _};
use tokio::process::Command;

use crate::house::{OURS, THEIRS, free_address, soon};
use crate::ms;

/// Tells every story over every carrier's wire.
macro_rules! every {
    ($($carrier:ident),*) => {
        $(mod $carrier {
            #[tokio::test(flavor = "multi_thread")]
            async fn somebody_answers_every_question() {
                super::somebody_answers_every_question(stringify!($carrier)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn flags_answer_every_question() {
                super::flags_answer_every_question(stringify!($carrier)).await;
            }
        })*
    };
}

every! { plivo, telnyx, twilio }

async fn somebody_answers_every_question(carrier: &str) {
    let desk = Desk::new(carrier, true).await;
    let mut answers = vec!["acme".to_owned(), carrier.to_owned()];
    answers.extend(desk.keys.iter().map(|(_, value)| value.clone()));
    // A number that is not on the list; the only one; a phone that is none; one that is.
    answers.extend(["99", "", "five", THEIRS].map(str::to_owned));
    answers.extend([desk.public.clone(), "y".to_owned(), "yes".to_owned()]);
    let api = format!("api_url={}", desk.exchange.base_url());
    let done = desk.setup(&["--set", &api], &answers).await;
    let (told, asked) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{told}\n{asked}");
    assert!(asked.contains("there is plivo, telnyx, twilio"), "{asked}");
    assert!(asked.contains("it is not on the list"), "{asked}");
    assert!(
        told.contains("rings, called from"),
        "it says what it is about to do: {told}"
    );
    let outcome = desk.rang().await;
    assert_eq!(outcome.status, Status::Completed);
    assert!(
        outcome.report.agent_spoke >= ms(300),
        "the echo: {:?}",
        outcome.report
    );
    desk.is_set_up(&told);
    // What was typed as a secret is in a file for its owner alone, and nowhere else.
    let written = std::fs::read_to_string(desk.file("offhook.toml")).expect("it is there");
    for (key, value) in &desk.keys {
        if key == "auth_token" || key == "api_key" {
            assert!(!written.contains(value), "{written}");
            assert!(!told.contains(value) && !asked.contains(value));
            let file = desk.file(&format!("offhook-secrets/{carrier}_{key}"));
            assert_eq!(mode(&file), 0o600);
            assert_eq!(std::fs::read_to_string(file).expect("it is there"), *value);
        }
    }
}

async fn flags_answer_every_question(carrier: &str) {
    let desk = Desk::new(carrier, true).await;
    let args = desk.flags();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // Without a permission nothing is changed and nobody is called.
    let done = desk.setup(&args, &[]).await;
    assert!(
        done.status.success(),
        "{}{}",
        text(&done.stdout),
        text(&done.stderr)
    );
    let told: Value = serde_json::from_slice(&done.stdout).expect("it is JSON");
    assert_eq!(
        (&told["pointed"], &told["call"]),
        (&"left".into(), &"none".into())
    );
    let (voice, _) = desk.exchange.addresses(OURS).expect("it is the account's");
    assert_eq!(voice, "http://127.0.0.1:9/");
    let changes = desk
        .exchange
        .requests()
        .into_iter()
        .filter(|it| it.method != "GET");
    assert_eq!(changes.count(), 0, "it only looked");

    // A configuration that is there is left alone.
    let before = std::fs::read_to_string(desk.file("offhook.toml")).expect("it is there");
    let refused = desk.setup(&args, &[]).await;
    assert!(!refused.status.success());
    assert!(
        text(&refused.stderr).contains("is left as it is"),
        "{}",
        text(&refused.stderr)
    );
    let after = std::fs::read_to_string(desk.file("offhook.toml")).expect("it is there");
    assert_eq!(before, after);

    let mut all = args.clone();
    all.extend(["--replace", "--point", "--call"]);
    let done = desk.setup(&all, &[]).await;
    assert!(
        done.status.success(),
        "{}{}",
        text(&done.stdout),
        text(&done.stderr)
    );
    let told: Value = serde_json::from_slice(&done.stdout).expect("it is JSON");
    assert_eq!(
        (&told["pointed"], &told["call"]),
        (&"now".into(), &"answered".into())
    );
    assert_eq!(desk.rang().await.status, Status::Completed);
    desk.is_set_up("");
    let kept = std::fs::read_to_string(desk.file("offhook.toml.old1")).expect("it is kept");
    assert_eq!(kept, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_refused_are_asked_for_again() {
    let desk = Desk::new("twilio", true).await;
    let sid = desk.keys[0].1.clone();
    let token = desk.keys[1].1.clone();
    let wrong = "00000000000000000000000000000000".to_owned();
    let answers = [
        sid.clone(),
        wrong,
        sid,
        token,
        "".to_owned(),
        "".to_owned(),
        desk.public.clone(),
    ];
    let api = format!("api_url={}", desk.exchange.base_url());
    let flags = ["--carrier", "twilio", "--set", &api];
    // The input ends before it is asked whether the number may be pointed: then it may not.
    let done = desk.setup(&flags, &answers).await;
    let (told, asked) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{told}\n{asked}");
    assert!(
        asked.contains("Twilio refused the account's credentials"),
        "{asked}"
    );
    assert!(told.contains("--point changes it"), "{told}");
}

/// On a terminal, which shows what is typed unless it is told not to.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_typed_is_not_shown() {
    let desk = Desk::new("twilio", true).await;
    let (sid, token) = (desk.keys[0].1.clone(), desk.keys[1].1.clone());
    let line = format!(
        "{} setup --listen {} --carrier twilio --set api_url={}",
        env!("CARGO_BIN_EXE_offhook"),
        desk.listen,
        desk.exchange.base_url()
    );
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]);
    let mut child = desk
        .at_home(&mut command)
        .spawn()
        .expect("bsdutils is installed");
    let mut stdin = child.stdin.take().expect("it was piped");
    let mut stdout = child.stdout.take().expect("it was piped");
    let mut shown = String::new();
    for (prompt, answer) in [("account_sid", &sid), ("(not shown)", &token)] {
        soon(until(&mut stdout, &mut shown, prompt)).await;
        let line = format!("{answer}\n");
        stdin.write_all(line.as_bytes()).await.expect("it takes it");
        stdin.flush().await.expect("it takes it");
    }
    soon(until(&mut stdout, &mut shown, "took the credentials")).await;
    assert!(shown.contains(&sid), "what is no secret is shown: {shown}");
    assert!(!shown.contains(&token), "{shown}");
    child.kill().await.expect("it is ours");
}

async fn until(from: &mut (impl AsyncReadExt + Unpin), shown: &mut String, wanted: &str) {
    let mut buffer = [0; 1_024];
    while !shown.contains(wanted) {
        let length = from.read(&mut buffer).await.expect("it goes on");
        assert!(length > 0, "it ended: {shown}");
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_on_says_what_to_do() {
    let desk = Desk::new("twilio", false).await;
    let sid = format!("account_sid={}", desk.keys[0].1);
    let api = format!("api_url={}", desk.exchange.base_url());
    let base = [
        "--carrier",
        "twilio",
        "--set",
        &sid,
        "--set",
        &api,
        "--non-interactive",
    ];
    let with = |more: &[&str]| -> Vec<String> {
        base.iter().chain(more).map(|&it| it.to_owned()).collect()
    };
    let cases = [
        (with(&[]), "auth_token=… is missing"),
        (
            with(&["--set", "auth_token=sesame"]),
            "a secret does not belong on a command line",
        ),
        (with(&["--set", "auth_tokn=x"]), "twilio has no such key"),
        (
            with(&["--set", "auth_token=env:TEST_TOKEN"]),
            "Phone Numbers, Manage, Buy a number",
        ),
    ];
    for (args, expected) in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = desk.setup(&args, &[]).await;
        assert!(!done.status.success());
        let told = text(&done.stderr);
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!desk.file("offhook.toml").exists(), "nothing was written");
    }
}

/// A folder to set things up in, and an exchange to set them up with.
struct Desk {
    exchange: Exchange,
    /// What the carrier has to be told, in the order it is asked for.
    keys: Vec<(String, String)>,
    public: String,
    listen: String,
    folder: TempDir,
}

impl Desk {
    async fn new(carrier: &str, has_number: bool) -> Self {
        let listen = free_address().to_string();
        let script = [
            Step::Wait(ms(300)),
            Step::Say(tone()),
            Step::Wait(ms(600)),
            Step::HangUp,
        ];
        let mut exchange = Exchange::builder()
            .carrier(carrier)
            .phone(THEIRS, PhonePlan::answers(ms(100), script));
        if has_number {
            exchange = exchange.number(OURS, "http://127.0.0.1:9/");
        }
        let exchange = exchange.start().await.expect("the exchange starts");
        let table: toml::Table = exchange.configuration().parse().expect("it is TOML");
        let entry = lists().carriers.iter().find(|it| it.name == carrier);
        let keys = entry
            .expect("it is on the list")
            .keys
            .iter()
            .filter_map(|key| {
                let value = table["carriers"][carrier].get(key.name)?.as_str()?;
                (key.name != "api_url").then(|| (key.name.to_owned(), value.to_owned()))
            });
        Self {
            keys: keys.collect(),
            exchange,
            public: format!("http://{listen}"),
            listen,
            folder: tempfile::tempdir().expect("a folder can be made"),
        }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Everything that is to be known, the secret in the environment.
    fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--non-interactive".to_owned(), "--json".to_owned()];
        let mut add = |flag: &str, value: String| flags.extend([flag.to_owned(), value]);
        add("--carrier", self.exchange.carrier().to_owned());
        add("--set", format!("api_url={}", self.exchange.base_url()));
        for (key, value) in &self.keys {
            let secret = key == "auth_token" || key == "api_key";
            add(
                "--set",
                match secret {
                    true => format!("{key}=env:TEST_TOKEN"),
                    false => format!("{key}={value}"),
                },
            );
        }
        add("--number", OURS.to_owned());
        add("--phone", THEIRS.to_owned());
        add("--public-url", self.public.clone());
        add("--agent", "echo-test".to_owned());
        flags
    }

    async fn setup(&self, flags: &[&str], answers: &[String]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command
            .args(["setup", "--listen", &self.listen])
            .args(flags);
        let command = self.at_home(&mut command);
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("it was piped");
        let lines = answers
            .iter()
            .map(|it| format!("{it}\n"))
            .collect::<String>();
        stdin
            .write_all(lines.as_bytes())
            .await
            .expect("it takes them");
        drop(stdin);
        let patience = ms(60_000);
        let done = tokio::time::timeout(patience, child.wait_with_output()).await;
        done.expect("it ends").expect("it is ours")
    }

    /// In the folder, with the secret in its environment.
    fn at_home<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let is_secret = |key: &str| key == "auth_token" || key == "api_key";
        let secret = self.keys.iter().find(|(key, _)| is_secret(key));
        command
            .current_dir(self.folder.path())
            .env_remove("OFFHOOK_CONFIG")
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.file("state"))
            .env("OFFHOOK_LOG", "off")
            .env("TEST_TOKEN", secret.map_or("", |(_, value)| value))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
    }

    /// The call to the owner's phone.
    async fn rang(&self) -> std::sync::Arc<Outcome> {
        soon(self.exchange.next_outcome()).await
    }

    fn is_set_up(&self, told: &str) {
        let path = self.file("offhook.toml");
        assert_eq!(mode(&path), 0o600);
        let (voice, _) = self.exchange.addresses(OURS).expect("it is the account's");
        assert_eq!(
            voice,
            format!("{}/{}/voice", self.public, self.exchange.carrier()),
            "{told}"
        );
        assert!(!self.file("offhook.toml.new").exists(), "the draft is gone");
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(&format!("[numbers.\"{OURS}\"]")), "{text}");
        // A secret in the environment of the command is not in that of this test.
        let text = text.replace("env:TEST_TOKEN", &self.keys[1].1);
        std::fs::write(&path, text).expect("it can be written");
        let loaded = config::load(&path, &lists());
        let plan = loaded.unwrap_or_else(|them| panic!("{them:#?}")).plan;
        assert_eq!(plan.numbers.len(), 1);
        assert_eq!(
            plan.rules.call.value.named().count(),
            1,
            "the owner's phone alone"
        );
    }
}

fn mode(path: &Path) -> u32 {
    let found = std::fs::metadata(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    found.permissions().mode() & 0o777
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A second of 400 Hz.
fn tone() -> Vec<i16> {
    let step = std::f32::consts::TAU * 400.0 / 8_000.0;
    (0..8_000_u16)
        .map(|at| ((f32::from(at) * step).sin() * 8_000.0) as i16)
        .collect()
}
