//! Tunnels that are run beside the gateway: programs that print what the real ones print, and pass on nothing.
//! The exchange finds its way to their addresses by itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use exchange::phone::Step;
use exchange::{EndedBy, Exchange, Status};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;

use crate::house::{OURS, THEIRS, free_address, soon};
use crate::ms;

/// Each prints what its real one does, and has another address the next time.
const PROGRAMS: [(&str, &str, &str); 3] = [
    (
        "cloudflared",
        r#"echo "2026-10-30T10:15:16Z INF Requesting new quick Tunnel on trycloudflare.com..." >&2
echo "2026-10-30T10:15:18Z INF +--------------------------------------------------------------------------------------------+" >&2
echo "2026-10-30T10:15:18Z INF |  Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):  |" >&2
echo "2026-10-30T10:15:18Z INF |  https://purple-rain-$n.trycloudflare.com                                                   |" >&2
echo "2026-10-30T10:15:18Z INF +--------------------------------------------------------------------------------------------+" >&2"#,
        "https://purple-rain-N.trycloudflare.com",
    ),
    (
        "ngrok",
        r#"echo '{"lvl":"info","msg":"no configuration paths supplied","t":"2026-10-30T10:15:16+0000"}'
echo '{"addr":"http://127.0.0.1:1","lvl":"info","msg":"started tunnel","name":"command_line","obj":"tunnels","t":"2026-10-30T10:15:17+0000","url":"https://ab1'$n'.ngrok-free.app"}'"#,
        "https://ab1N.ngrok-free.app",
    ),
    (
        "tailscale",
        r#"echo 'Available on the internet:'
echo
echo "https://home$n.tail9f3a.ts.net/"
echo '|-- proxy http://127.0.0.1:1'
echo
echo 'Press Ctrl+C to exit.'"#,
        "https://homeN.tail9f3a.ts.net",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_told_kept_open_and_taken_along() {
    for (name, prints, address) in PROGRAMS {
        let bench = Bench::new(name, prints);
        let mut exposing = bench.expose(&[name, "--to", "127.0.0.1:8787"]);
        let line = exposing.line().await;
        assert_eq!(
            line,
            format!(
                "{} leads to http://127.0.0.1:8787",
                address.replace('N', "1")
            )
        );
        let asked = bench.asked();
        assert!(asked.contains("http://127.0.0.1:8787"), "{asked}");
        // It ends, and is run again.
        bench.let_go(1);
        let line = exposing.line().await;
        assert!(line.starts_with(&address.replace('N', "2")), "{line}");
        let pid = bench.pid();
        assert!(is_alive(&pid));
        // Killed outright, we have no chance to end it.
        exposing.child.start_kill().expect("it is ours");
        soon(async {
            while is_alive(&pid) {
                tokio::time::sleep(ms(20)).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_that_is_not_installed_or_does_not_open_says_what_to_do() {
    let bench = Bench::new(
        "cloudflared",
        "echo 'failed to request quick Tunnel: 429' >&2; exit 1",
    );
    let mut command = bench.command(&["expose", "ngrok"]);
    let done = command.output().await.expect("it runs");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        !done.status.success() && told.contains("`ngrok` is not installed"),
        "{told}"
    );
    assert!(told.contains("https://ngrok.com/download"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_follow_the_tunnel_and_calls_keep_their_sockets() {
    let (name, prints, address) = PROGRAMS[0];
    let bench = Bench::new(name, prints);
    let here = free_address();
    for carrier in exchange::CARRIERS {
        bench.begin_anew();
        let (first, second) = (address.replace('N', "1"), address.replace('N', "2"));
        let local = format!("http://{here}");
        let exchange = Exchange::builder()
            .carrier(carrier)
            .number(
                OURS,
                &format!("https://of-yesterday.trycloudflare.com/{carrier}/voice"),
            )
            .number("+15550002222", "https://somebody.example.com/menu")
            .tunnel(&first, &local)
            .tunnel(&second, &local)
            .start()
            .await
            .expect("the exchange starts");
        bench.configure(&here.to_string(), &exchange);
        let serving = bench.serve();
        let points_at = async |to: &str| {
            let to = format!("{to}/{carrier}/voice");
            soon(async {
                while exchange
                    .addresses(OURS)
                    .is_none_or(|(voice, _)| voice != to)
                {
                    tokio::time::sleep(ms(20)).await;
                }
            })
            .await;
        };
        points_at(&first).await;
        let script = [Step::Wait(ms(3_000)), Step::HangUp];
        let call = exchange.call_in(THEIRS, OURS, script).expect("ours");
        let streaming = exchange.watch();
        bench.let_go(1);
        points_at(&second).await;
        drop(streaming);
        let outcome = soon(exchange.call(&call)).await;
        // It went on over the change, and ended as the caller wanted.
        assert_eq!(
            (outcome.status, outcome.ended_by),
            (Status::Completed, EndedBy::Caller),
            "{carrier}"
        );
        assert!(
            outcome.talked >= ms(2_500),
            "{carrier}: {:?}",
            outcome.talked
        );
        if *carrier != "telnyx" {
            // That carrier has one address for all numbers of its application.
            let (other, _) = exchange
                .addresses("+15550002222")
                .expect("it is the account's");
            assert_eq!(
                other, "https://somebody.example.com/menu",
                "it is left to whoever has it"
            );
        }
        drop(serving);
    }
}

/// A folder that is first in the path, and a stand-in in it.
struct Bench {
    folder: TempDir,
    program: PathBuf,
}

impl Bench {
    fn new(name: &str, prints: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("the folder is ours");
        let program = bin.join(name);
        let script = format!(
            "#!/bin/sh\nn=$(($(cat \"$0.count\" 2>/dev/null || echo 0) + 1))\necho $n > \"$0.count\"\n\
             echo \"$@\" > \"$0.asked\"\necho $$ > \"$0.pid\"\n{prints}\n\
             while [ ! -e \"$0.go$n\" ]; do sleep 0.05; done\n"
        );
        std::fs::write(&program, script).expect("the folder is ours");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("it is ours");
        Self { folder, program }
    }

    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.program.as_os_str().to_owned();
        name.push(format!(".{what}"));
        PathBuf::from(name)
    }

    /// Has the run of this number end.
    fn let_go(&self, run: u32) {
        std::fs::write(self.beside(&format!("go{run}")), "").expect("the folder is ours");
    }

    fn begin_anew(&self) {
        for what in ["count", "go1", "go2"] {
            // It may not be there yet.
            let _ = std::fs::remove_file(self.beside(what));
        }
    }

    /// Writes a configuration with two numbers, that echoes.
    fn configure(&self, here: &str, exchange: &Exchange) {
        let carrier = exchange.carrier();
        let text = format!(
            "[server]\ndrain_seconds = 0\nlisten = \"{here}\"\nexpose = \"cloudflared\"\n{}\n\
             [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [numbers.\"+15550002222\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n[policy]\nanswer = [\"{THEIRS}\"]\n",
            exchange.configuration()
        );
        std::fs::write(self.folder.path().join("offhook.toml"), text).expect("the folder is ours");
    }

    fn asked(&self) -> String {
        std::fs::read_to_string(self.beside("asked")).expect("it was run")
    }

    fn pid(&self) -> String {
        let pid = std::fs::read_to_string(self.beside("pid")).expect("it was run");
        pid.trim().to_owned()
    }

    fn command(&self, args: &[&str]) -> tokio::process::Command {
        let bin = self.program.parent().expect("it is in a folder");
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_offhook"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("XDG_STATE_HOME", self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("OFFHOOK_CONFIG")
            .env("OFFHOOK_LOG", "off")
            .kill_on_drop(true);
        command
    }

    fn expose(&self, args: &[&str]) -> Exposing {
        let mut command = self.command(&["expose"]);
        let mut child = command
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = child.stdout.take().expect("it was piped");
        Exposing {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    fn serve(&self) -> Serving {
        let bin = self.program.parent().expect("it is in a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command
            .arg("serve")
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("XDG_STATE_HOME", self.folder.path())
            .env_remove("OFFHOOK_CONFIG")
            .env("OFFHOOK_LOG", "off")
            .stdout(Stdio::null());
        Serving(command.spawn().expect("it starts"))
    }
}

struct Exposing {
    child: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Exposing {
    async fn line(&mut self) -> String {
        let line = soon(self.lines.next_line()).await;
        line.expect("it is text").expect("it goes on")
    }
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_alive(pid: &str) -> bool {
    // Somebody who is not waited for yet is dead all the same.
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|it| !it.contains(") Z "))
}
