//! Disks that are full, folders that are not ours, journals that are damaged or locked with another
//! key, and two gateways in one place. Each gateway has a process of its own.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use exchange::phone::Step;
use exchange::{EndedBy, Exchange, Status};
use gateway::journal::{Reader, Summary};

use crate::house::{OURS, THEIRS, TOKEN, free_address, soon};
use crate::ms;

/// A phone company, and a folder with a configuration for its gateway, whose calls echo.
struct Place {
    exchange: Exchange,
    folder: tempfile::TempDir,
    url: String,
}

impl Place {
    async fn new(journal: &str) -> Self {
        let exchange = Exchange::builder()
            .account("AC00000000000000000000000000000000", TOKEN)
            .number(OURS, "http://127.0.0.1:9/")
            .start()
            .await
            .expect("the exchange starts");
        let here = free_address();
        let (table, carrier) = (exchange.configuration(), exchange.carrier());
        let door = |name: &str| format!("http://{here}/{carrier}/{name}");
        exchange.set_number(OURS, &door("voice"), &door("status"));
        let place = Self {
            exchange,
            folder: tempfile::tempdir().expect("there is a temporary folder"),
            url: format!("http://{here}"),
        };
        let text = format!(
            "[server]\nlisten = \"{here}\"\npublic_url = \"http://{here}\"\n{table}\n\
             [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n[policy]\nanswer = [\"{THEIRS}\"]\n{journal}\n"
        );
        std::fs::write(place.config(), text).expect("the folder is ours");
        place
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("offhook.toml")
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("offhook")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.args(arguments).arg("--config").arg(self.config());
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command.env("XDG_STATE_HOME", self.folder.path());
        command.env("OFFHOOK_LOG", "off").stdin(Stdio::null());
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it starts")
    }

    /// A gateway that survives files that may not grow, as it does a full disk.
    async fn serve(&self) -> Serving {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
        command.arg(env!("CARGO_BIN_EXE_offhook"));
        command.args(["serve", "--config"]).arg(self.config());
        self.surround(&mut command);
        command.stdout(Stdio::null());
        let serving = Serving(command.spawn().expect("it starts"));
        self.wait_for("/readyz", 200).await;
        serving
    }

    async fn wait_for(&self, path: &str, status: u16) {
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.expect("a provider is installed by the exchange");
        soon(async {
            loop {
                let answer = client.get(format!("{}{path}", self.url)).send().await;
                if answer.is_ok_and(|it| it.status().as_u16() == status) {
                    return;
                }
                tokio::time::sleep(ms(20)).await;
            }
        })
        .await;
    }

    fn call(&self, stays: u64) -> String {
        let timeout = ms(stays);
        let steps = vec![Step::WaitForHangUp { timeout }, Step::HangUp];
        self.exchange.call_in(THEIRS, OURS, steps).expect("ours")
    }

    async fn calls(&self, wanted: impl Fn(&[Summary]) -> bool) -> Vec<Summary> {
        soon(async {
            loop {
                if let Ok(reader) = Reader::of_folder(&self.state())
                    && let Ok(calls) = reader.calls(10).await
                    && wanted(&calls)
                {
                    return calls;
                }
                tokio::time::sleep(ms(20)).await;
            }
        })
        .await
    }
}

struct Serving(Child);

impl Serving {
    /// How large its files may become, from now on.
    fn limit_files(&self, bytes: &str) {
        let mut command = Command::new("prlimit");
        let process = self.0.id().to_string();
        command.args(["--pid", &process, &format!("--fsize={bytes}:unlimited")]);
        let limited = command.status().expect("util-linux is on every Debian");
        assert!(limited.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_no_call_begins_and_those_that_are_up_go_on() {
    let place = Place::new("").await;
    let serving = place.serve().await;
    let up = place.call(6_000);
    place
        .calls(|calls| calls.iter().any(|it| it.seq >= 3))
        .await;
    serving.limit_files("8192");
    // The first to notice: this call's events wait for room, and it goes on as well.
    let second = place.call(1_000);
    place.wait_for("/readyz", 503).await;
    let refused = place.call(1_000);
    let outcome = soon(place.exchange.call(&refused)).await;
    assert_eq!(outcome.ended_by, EndedBy::Rejected, "{outcome:?}");
    for call in [&second, &up] {
        let outcome = soon(place.exchange.call(call)).await;
        assert_eq!(outcome.status, Status::Completed);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    }
    serving.limit_files("unlimited");
    place.wait_for("/readyz", 200).await;
    let again = place.call(300);
    let outcome = soon(place.exchange.call(&again)).await;
    assert_eq!(outcome.status, Status::Completed);
    let over = |calls: &[Summary]| calls.len() == 3 && calls.iter().all(|it| it.ended.is_some());
    place.calls(over).await;
    let verified = place.run(&["journal", "verify"]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_keep_a_journal_says_why_and_does_not_start() {
    let place = Place::new("").await;
    // Nobody makes folders there, not even root.
    let mut nowhere = place.command(&["serve"]);
    let refused = nowhere.env("XDG_STATE_HOME", "/proc").output();
    let refused = refused.expect("it starts");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("hint: set XDG_STATE_HOME"),
        "{}",
        said(&refused)
    );

    let serving = place.serve().await;
    let began = std::time::Instant::now();
    // Elsewhere, so that it is not the address that is taken.
    let text = std::fs::read_to_string(place.config()).expect("it is there");
    let other = place.folder.path().join("other.toml");
    let here = place.url.trim_start_matches("http://");
    let text = text.replace(&format!("listen = \"{here}\""), "listen = \"127.0.0.1:0\"");
    std::fs::write(&other, text).expect("the folder is ours");
    let mut second = Command::new(env!("CARGO_BIN_EXE_offhook"));
    second.args(["serve", "--config"]).arg(&other);
    place.surround(&mut second);
    let second = second.output().expect("it starts");
    println!("a second gateway was refused after {:?}", began.elapsed());
    assert_eq!(second.status.code(), Some(2));
    assert!(
        said(&second).contains("code: journal.taken"),
        "{}",
        said(&second)
    );
    drop(serving);

    // Its beginning overwritten, its tables gone, and nothing in it at all.
    let file = place.state().join("journal.db");
    let whole = std::fs::read(&file).expect("it is there");
    for damaged in [&[7; 4_096][..], &whole[..1_000], &[]] {
        std::fs::write(&file, damaged).expect("it is ours");
        let _ = std::fs::remove_file(place.state().join("journal.db-wal"));
        // Some of it was acknowledged.
        std::fs::write(place.state().join("journal.lock"), "7").expect("it is ours");
        let refused = place.run(&["serve"]);
        let text = said(&refused);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(
            text.contains("code: journal.broken") && text.contains("hint: "),
            "{text}"
        );
        let verified = place.run(&["journal", "verify"]);
        assert_eq!(verified.status.code(), Some(1), "{}", said(&verified));
        assert!(said(&verified).starts_with("entry "), "{}", said(&verified));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_journal_is_read_with_its_key() {
    let keys = tempfile::tempdir().expect("there is a temporary folder");
    let key = keys.path().join("key");
    let place = Place::new(&format!("[journal]\nkey = \"file:{}\"", key.display())).await;
    let made = place.run(&["journal", "key", &key.display().to_string()]);
    assert!(made.status.success(), "{}", said(&made));
    let serving = place.serve().await;
    place.call(300);
    place
        .calls(|calls| calls.iter().any(|it| it.ended.is_some()))
        .await;
    assert!(said(&place.run(&["calls"])).contains(THEIRS));
    drop(serving);
    assert!(said(&place.run(&["calls"])).contains(THEIRS));

    let with = |text: &str| std::fs::write(place.config(), text).expect("the folder is ours");
    let right = std::fs::read_to_string(place.config()).expect("it is there");
    // Without it: nothing to read for us, and nothing to write on for a gateway.
    with(
        right
            .split("[journal]")
            .next()
            .expect("there is a beginning"),
    );
    let blind = place.run(&["calls"]);
    assert!(blind.status.success());
    let text = said(&blind);
    assert!(
        !text.contains(THEIRS) && text.contains("••• is encrypted"),
        "{text}"
    );
    assert!(place.run(&["journal", "verify"]).status.success());
    let refused = place.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("code: journal.key"),
        "{}",
        said(&refused)
    );

    let inside = place.state().join("key");
    std::fs::copy(&key, &inside).expect("the folder is ours");
    with(&right.replace(&path(&key), &path(&inside)));
    let refused = place.run(&["serve"]);
    assert!(
        said(&refused).contains("kept beside the journal"),
        "{}",
        said(&refused)
    );
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
