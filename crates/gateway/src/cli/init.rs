//! `offhook init`: writes a configuration in which every line is explained.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ports::{Blame, Fault, Key, Kind, Need, code};

use super::options::options;
use super::{Done, Out, lists};
use crate::config::disclosure::{ASK, OPT_OUT, RECORDED, TEXT};
use crate::config::limits::turns_help;
use crate::config::rules::POLICY_DEFAULTS;
use crate::config::{FILE_NAME, Lists, journal_defaults};

/// What to do instead of writing a file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only say what may stand in one, table by table; with --json, for programs.
    #[arg(long)]
    list_options: bool,
    /// Ask nothing. Nothing is asked anyway: `offhook setup` is what asks.
    #[arg(long)]
    non_interactive: bool,
}

/// Writes the file, unless there is one.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let Args {
        list_options,
        non_interactive: _,
    } = args;
    if list_options {
        let text = text(&lists());
        out.line(text.trim_end());
        out.json(&serde_json::json!({ "tables": options(&text) }));
        return Ok(Done::Well);
    }
    let named = std::env::var_os("OFFHOOK_CONFIG").filter(|it| !it.is_empty());
    let path = config.or(named.map(PathBuf::from));
    let path = path.unwrap_or_else(|| PathBuf::from(FILE_NAME));
    write(&path, &text(&lists()))?;
    let shown = path.display();
    out.line(format_args!("wrote {shown}"));
    out.line("next: fill in what is yours, and run `offhook doctor`");
    out.json(&serde_json::json!({ "written": shown.to_string() }));
    Ok(Done::Well)
}

/// The file, with everything that may stand in one. What is switched off begins with `#` and no
/// space behind it.
pub(super) fn text(lists: &Lists) -> String {
    let mut text = String::new();
    let mut add = |part: &str| {
        text.push_str(part);
        text.push('\n');
    };
    add(SERVER);
    for carrier in lists.carriers {
        add("# A phone company, and your account there.");
        add(&table(
            &format!("carriers.{}", carrier.name),
            Lines::Off,
            "",
            carrier.keys,
        ));
    }
    let carrier = lists
        .carriers
        .first()
        .map_or("NAME", |carrier| carrier.name);
    add(&NUMBERS.replace("CARRIER", carrier));
    let mut reception = Some(());
    for agent in lists.agents {
        let ready = agent.keys.iter().all(|key| key.need == Need::Optional);
        let name = match (ready, reception.take_if(|()| ready)) {
            (true, Some(())) => "reception",
            (true | false, _) => agent.kind,
        };
        add(&format!("# Who answers: {}.", agent.about));
        let head = format!("kind = \"{}\"\n", agent.kind);
        let lines = if ready { Lines::On } else { Lines::Off };
        add(&table(&format!("agents.{name}"), lines, &head, agent.keys));
    }
    add(ANY_AGENT);
    add(&policy());
    add(&turns());
    add(PHRASES);
    for vendor in lists.vendors {
        add("# How calls hear and speak.");
        let head = format!("vendor = \"{}\"\n", vendor.name);
        add(&table("speech", Lines::Off, &head, vendor.keys));
    }
    add(&journal());
    add(&disclosure());
    text.push_str(RECORDINGS);
    text.push('\n');
    text.push_str(REPORTS);
    text.push('\n');
    text.push_str(TELEMETRY);
    text
}

/// Whether a table is in use as written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    On,
    Off,
}

fn table(name: &str, lines: Lines, head: &str, keys: &[Key]) -> String {
    let off = if lines == Lines::Off { "#" } else { "" };
    let mut text = format!("{off}[{name}]\n");
    for line in head.lines() {
        let _ = writeln!(text, "{off}{line}");
    }
    for key in keys {
        let _ = writeln!(text, "# {}.", capital(key.help));
        let off = match key.need {
            Need::Required => off,
            Need::Optional => "#",
        };
        let _ = writeln!(text, "{off}{} = {}", key.name, example(name, key));
    }
    text
}

fn example(table: &str, key: &Key) -> String {
    match key.kind {
        Kind::Text => "\"…\"".to_owned(),
        Kind::List => "[\"…\"]".to_owned(),
        Kind::Url => "\"https://api.example.com\"".to_owned(),
        Kind::Number => {
            let default = key.help.split_once("default ").map(|(_, number)| number);
            default.unwrap_or("4").to_owned()
        }
        Kind::Secret => {
            let of = table.rsplit('.').next().unwrap_or(table);
            let name = format!("{of}_{}", key.name).to_uppercase();
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            format!("\"env:{}\"", name.chars().map(plain).collect::<String>())
        }
    }
}

fn capital(help: &str) -> String {
    let mut letters = help.trim_end_matches('.').chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

fn policy() -> String {
    let [calls, minutes, per_hour, per_number, per_day, new] = POLICY_DEFAULTS;
    format!(
        "{POLICY}#max_calls = {calls}\n# How long a call may last.\n#max_minutes = {minutes}\n\
             # How many calls may be dialled in any hour, and how many of them to one number.\n\
             #calls_per_hour = {per_hour}\n#calls_per_number = {per_number}\n\
             # How many numbers that were never called before may be called within ten minutes, of those that only a\n\
             # country names; after that each call waits for your yes.\n#new_numbers = {new}\n\
             # Which calls wait for your yes (`offhook approvals`): \"always\", \"unknown\" (to whoever is no contact and\n\
             # never picked up before) or \"never\".\n#approve = \"never\"\n\
             # \"required\": nobody but the owner is called without a purpose, nor who is not a contact with a `consent`.\n\
             # \"recorded\": what is said of that is written down.\n#consent = \"recorded\"\n\
             # What may be spent in any 24 hours, in the currency of [rates]. What a call may cost at most is\n\
             # set aside before anyone is dialled.\n#spend_per_day = {per_day}\n{RATES}"
    )
}

fn turns() -> String {
    let mut text = "# How patient calls are. These are the defaults.\n#[turns]\n".to_owned();
    for (key, default, help) in turns_help() {
        let _ = writeln!(text, "# {}.\n#{key} = {default}", capital(help));
    }
    text
}

fn journal() -> String {
    let [days, mib] = journal_defaults();
    format!(
        "{JOURNAL}#days = {days}\n# ... and no more than this, in MiB.\n#max_mib = {mib}\n{KEY}"
    )
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    // It may come to hold secrets, so nobody else can read it from the start.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let shown = path.display();
        if error.kind() == ErrorKind::AlreadyExists {
            let message = format!("{shown} is there already, and is left as it is");
            return Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint("move it away first, or name another file with --config");
        }
        let message = format!("cannot write {shown}");
        Fault::new(Blame::Config, code::CONFIG_INVALID, message)
            .hint("choose a folder that you may write to")
            .because(error)
    })
}

const SERVER: &str = r#"# What offhook may do, and with what. Every line is explained; a line that begins with # is
# switched off. `offhook config check` finds mistakes, and `offhook doctor` tries everything out.
# A secret is `env:NAME`, `file:PATH`, or the value itself.

[server]
# Where webhooks, media sockets and the control API are served.
#listen = "127.0.0.1:8787"
# The address that carriers reach that by. It must be https, and lead here.
public_url = "https://voice.example.com"
# Or have one opened, by a tunnel that is run beside the gateway: "cloudflared", "ngrok" or "tailscale".
# Numbers are pointed at whatever address it has.
#   expose = "cloudflared"
# How long calls may go on when the gateway is told to stop. The next one takes them up.
#drain_seconds = 5
# How many calls each token of the control API may make in a minute.
#calls_per_minute = 60
"#;

const NUMBERS: &str = r#"# Someone callers can be put through to. An agent may whose `transfer_to` names them, where it is so sure of who the
# caller is: "unknown", "caller-id", "attested" or "proven".
#   [transfers.ben]
#   number = "+15557654321"
#   trust = "caller-id"

# A number of yours: whose it is, and who answers it. One table for each.
#[numbers."+15550001111"]
#carrier = "CARRIER"
#agent = "reception"
"#;

const ANY_AGENT: &str = r#"# Every agent may also have, in its table:
#   [agents.NAME]
# The first words of every call.
#   opening = "Hello, what can I do for you?"
# When it calls someone and a machine picks up: "talk", "hang_up" or "leave".
#   on_machine = "leave"
# What it leaves then, after the beep.
#   machine_message = "Please call us back."
# What language is heard.
#   language = "en"
# What it may have done in the middle of a call.
#   tools = ["note", "call_back_later"]
# With call_back_later among them: when a caller who waits for one is promised to be called back with what comes of it.
#   call_back_after_s = 45
# What it is told of earlier calls: nothing ("call"), those with the same caller, or, where it talks with you, all ("shared").
#   history = "caller"
# How sure it must be for that who calls.
#   history_trust = "attested"
"#;

const POLICY: &str = r#"# Nothing is called and nothing is answered that is not listed here.
[policy]
# Whom it may dial: numbers, such as "+15551234567", or countries, such as "DE" or "DE mobile". Empty:
# nobody. Premium-rate, satellite, unknown and emergency numbers are never dialled.
call = []
# Who may reach it: numbers, or "any". Empty: nobody. With "pairing", whoever else calls is asked for a code
# from `offhook pairing new`, and may call once you confirm them.
answer = []
# The phones that you pick up yourself. Being yours alone lets nobody call, or be called.
#owner = ["+15551234567"]
# What a caller keys between star and pound to prove who they are: 6 to 32 digits, kept elsewhere.
#   pin = "env:OFFHOOK_PIN"
# When, by the clocks of those who are called. Without it: whom you name at any time, others from 8 to 21.
#hours = "08:00-21:00"
# How many calls may be up at once.
"#;

const RATES: &str = r#"
# What a minute costs, by the first digits of the number called. The longest that fits counts; what is not
# here is taken to cost more than an ordinary line.
#[rates]
#"+1" = 0.014
#"+49" = 0.02
"#;

const PHRASES: &str = r#"# What is said when an agent cannot speak for itself.
#[phrases]
# When it is slow.
#filler = "One moment, please."
# When it is at work for long.
#still = "I am still on it."
# When it failed once.
#apology = "Sorry, I did not get that. Could you say it again?"
#back = "Sorry, the line was gone for a moment."
# When it keeps failing, the line is silent, or time is up.
#goodbye = "I am sorry, I have to end this call now. Goodbye."
"#;

/// What everyone but the owner hears first.
fn disclosure() -> String {
    format!(
        "{DISCLOSURE}#text = {TEXT:?}\n# How not to be called again, where `opt_out_key` is set; {{key}} is that.\n\
         #opt_out = {OPT_OUT:?}\n# That the call is recorded, and the question whether it may be: see [recordings].\n\
         #recorded = {RECORDED:?}\n#ask = {ASK:?}\n# Who speaks, for numbers of a country.\n\
         #[disclosure.regions]\n#DE = \"Hallo. Sie sprechen mit einer künstlichen Intelligenz.\"\n"
    )
}

const DISCLOSURE: &str = r#"# What people hear before anything is said, on every call. It cannot be cut short, and is made into sound
# before any call is allowed. To whom: "others", which is everybody but the `owner` above, or "everybody".
#[disclosure]
#to = "others"
"#;

const JOURNAL: &str = r#"# What happened on every call is kept: see `offhook tail`, `offhook calls`, `offhook show`.
#[journal]
# For so many days ...
"#;

const KEY: &str = r#"# Numbers and words are encrypted on the disk with a key from `offhook journal key`, kept elsewhere.
#key = "env:OFFHOOK_JOURNAL_KEY"
# Keys that were used before, for as long as there are entries that only they open.
#old_keys = []
"#;

const RECORDINGS: &str = r#"# Keep the sound of calls, the caller left and the agent right. Without this they are not recorded.
#[recordings]
#dir = "recordings"
# Who records them: "gateway", or the phone company ("carrier"), which records everyone who can be heard.
#by = "gateway"
# What has to come first, on calls with others than the owner: "announce" tells them, "ask" asks them.
# Before that nothing of a call is written anywhere.
#consent = "announce"
"#;

const REPORTS: &str = r#"# Tell your own systems what happened: a report of each call that is over, or events as they come. It is tried again
# for days until it is taken (`offhook reports`). To a `file`, a `command` that reads it, or an address:
#   [reports.crm]
#   url = "https://crm.example.com/calls"
#   secret = "env:CRM_SECRET"     what it is signed with, by Standard Webhooks: whsec_ and base64
#   timeout_s = 20                how long one try may take
#[reports.archive]
#file = "reports.jsonl"
# Which events, by name or family (`call.*`); "call.report" is all there is to say about a call.
#events = ["call.report"]
"#;

const TELEMETRY: &str = r#"# Tell an OpenTelemetry collector of each call that is over: OTLP over HTTP. Without this, and without
# $OTEL_EXPORTER_OTLP_ENDPOINT, nothing is told.
#[telemetry]
#otlp = "http://127.0.0.1:4318"
# Whether words and numbers are told too, as attributes under `offhook.private.`.
#private = false
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fakes::LISTS;
    use crate::config::{Loaded, load};

    #[test]
    fn what_is_written_passes_the_check() {
        let loaded = check(&text(&LISTS)).expect("the file is right as written");
        assert!(loaded.plan.agents.contains_key("reception"));
        assert!(loaded.plan.carriers.is_empty());
        let real = check(&text(&lists())).expect("with the real lists, too");
        assert!(real.plan.agents.contains_key("reception"));
    }

    #[test]
    fn every_line_that_is_switched_off_is_right_once_switched_on() {
        let on = switched_on(&text(&LISTS));
        assert!(on.contains("\nwhistle = \"env:PIGEON_WHISTLE\"\n"), "{on}");
        assert!(on.contains("\nbarge_in_ms = 280\n"), "{on}");
        // What is a secret of the test's machine is not there.
        let on = on.replace("\"env:PIGEON_WHISTLE\"", "\"tweet\"");
        let on = on.replace("\"env:ORACLE_API_KEY\"", "\"sesame\"");
        let on = on.replace("\nkey = \"env:OFFHOOK_JOURNAL_KEY\"\n", "\n");
        let loaded = check(&on).expect("the file is right with everything switched on");
        assert_eq!(loaded.plan.numbers.len(), 1);
        assert_eq!(loaded.plan.agents.len(), LISTS.agents.len());
        assert!(loaded.plan.recordings.is_some());
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join(FILE_NAME);
        write(&path, "one").expect("it is not there yet");
        let fault = write(&path, "two").expect_err("now it is");
        assert!(fault.message.contains("left as it is"));
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "one");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).expect("it is there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    fn check(text: &str) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join(FILE_NAME);
        write(&path, text).map_err(|fault| fault.to_string())?;
        let lists = if text.contains("pigeon") {
            LISTS
        } else {
            lists()
        };
        let show = |problems: Vec<crate::config::ConfigProblem>| {
            problems
                .iter()
                .map(|it| format!("{it}\n"))
                .collect::<String>()
        };
        load(&path, &lists).map_err(show)
    }

    fn switched_on(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(off) if !off.starts_with(' ') && !off.is_empty() => format!("{off}\n"),
            Some(_) | None => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }
}
