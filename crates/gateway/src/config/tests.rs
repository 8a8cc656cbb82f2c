use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use call::meeting::After;
use call::{Direction, Number, Trust};
use policy::Known;
use ports::agent::Answerer;
use ports::{Fault, code};

use super::fakes::LISTS;
use super::file::{Audience, File};
use super::plan::{Callers, OurNumber};
use super::{
    AgentThen, By, ConfigProblem, Consent, Destination, Disclosed, History, Loaded, Place,
    Recorder, Recordings, check, find_among, load,
};
use crate::tunnel::Tunnel;

/// A configuration with nothing wrong in it. Poison is put into copies of it.
const GOOD: &str = r#"[server]
listen = "127.0.0.1:8787"
public_url = "https://voice.example.com"
[carriers.pigeon]
coop = "north"
whistle = "env:WHISTLE"
api_url = "http://127.0.0.1:4010"
[numbers."+15550002222"]
carrier = "pigeon"
agent = "reception"
[agents.reception]
kind = "oracle"
base_url = "http://localhost:11434/v1/"
api_key = "file:key"
opening = "Hello."
[policy]
call = ["+15557654321"]
answer = ["any"]
max_calls = 3
[turns]
barge_in_ms = 300
"#;

const SECRET: &str = "SuperSecretValue77";

#[test]
fn a_good_file_is_resolved() {
    let loaded = good(GOOD);
    assert_eq!(loaded.warnings, []);
    let plan = loaded.plan;
    assert_eq!(plan.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(plan.public_url, "https://voice.example.com");
    assert_eq!(plan.carriers["pigeon"].name, "Pigeon Post");
    let expected = OurNumber {
        carrier: "pigeon".into(),
        agent: "reception".into(),
    };
    assert_eq!(plan.numbers[&number("+15550002222")], expected);
    let reception = &plan.agents["reception"];
    assert!(matches!(
        reception.answerer,
        Answerer::Words {
            opens: ports::agent::Opens::Agent,
            ..
        }
    ));
    assert_eq!(
        reception.opening.as_ref().expect("it was written").reveal(),
        "Hello."
    );
    assert_eq!(reception.language, "en");
    let rules = plan.rules;
    let named: Vec<_> = rules.call.value.named().collect();
    assert_eq!(named, [&number("+15557654321")]);
    assert_eq!(rules.call.at, "offhook.toml:17");
    assert_eq!(rules.answer.value, Callers::Any);
    assert_eq!(
        (rules.max_calls.value, rules.max_calls.at.as_str()),
        (3, "offhook.toml:19")
    );
    assert_eq!(rules.max_length.value, Duration::from_secs(1800));
    assert_eq!(rules.max_length.at, "offhook.toml, [policy]");
    assert_eq!(rules.calls_per_hour.value, 20);
    assert_eq!(plan.patience.barge_in, Duration::from_millis(300));
    assert_eq!(plan.patience.limit, Duration::from_secs(1800));
    assert_eq!(plan.speech.vendor, "local");
    assert_eq!(plan.recordings, None);
    assert_eq!(plan.keep.age, Duration::from_secs(90 * 86_400));
    assert_eq!(plan.keep.room, 1 << 30);
}

#[test]
fn a_tunnel_stands_in_the_place_of_an_address() {
    let loaded = good("[server]\nlisten = \"127.0.0.1:9000\"\nexpose = \"tailscale\"\n");
    assert_eq!(loaded.plan.expose, Some(Tunnel::Tailscale));
    // Until it is open, only this machine knows the way.
    assert_eq!(loaded.plan.public_url, "http://127.0.0.1:9000");
}

#[test]
fn people_are_called_by_name_and_countries_by_their_letters() {
    let rules = good(&format!(
        "{}\n[contacts.mom]\nnumber = \"+4930123456\"\nhours = \"10:00-12:00\"\nzone = \"Asia/Tokyo\"\n\
         [rates]\n\"+49\" = 0.02\n\"+1\" = 1\ndefault = 2.5\n",
        replaced("call = [", "hours = \"09:00-17:00\"\ncall_own_numbers = true\ncall = [\"DE mobile\", ")
    ))
    .plan
    .rules;
    let whom = &rules.call.value;
    let mom = &whom.contacts["mom"];
    assert_eq!(mom.value.number, number("+4930123456"));
    assert!(mom.value.hours.is_some() && mom.value.zone.is_some());
    assert_eq!(whom.meant("mom"), "+4930123456");
    assert_eq!(whom.classes.len(), 1);
    assert!(whom.numbers.contains_key(&number("+15557654321")));
    assert_eq!(
        rules.hours.as_ref().expect("said").value.to_string(),
        "09:00-17:00"
    );
    assert!(rules.call_own.value && rules.ours.contains(&number("+15550002222")));
    let minute = |to: &str| rules.rates.per_minute(&Known::of(&number(to))).to_string();
    assert_eq!(minute("+4930123456"), "0.02");
    assert_eq!(minute("+15551234567"), "1.00");
    assert_eq!(minute("+33123456789"), "2.50");
}

#[test]
fn a_phone_of_the_owners_may_neither_be_called_nor_call_for_being_that() {
    let rules = good(&replaced(
        "answer = [\"any\"]",
        "answer = []\nowner = [\"+15551230000\"]",
    ))
    .plan
    .rules;
    let phone = number("+15551230000");
    assert!(rules.is_owner(Some(&phone)) && !rules.is_owner(None));
    assert!(!rules.is_owner(Some(&number("+15557654321"))));
    let ways = [Direction::Inbound, Direction::Outbound];
    assert!(ways.map(|way| rules.still_allows(way, Some(&phone))) == [false, false]);
}

#[test]
fn who_is_trusted_for_what_is_read() {
    let plan = good(&format!(
        "{}\n[contacts.mom]\nnumber = \"+4930123456\"\npin = \"file:pin\"\n\
         [transfers.ben]\nnumber = \"+15557654321\"\ntrust = \"proven\"\n\
         [transfers.ann]\nnumber = \"+15557654321\"\n",
        replaced(
            "[\"any\"]",
            "[\"pairing\", \"+15550009999\"]\npin = \"env:PIN\""
        )
    ))
    .plan;
    assert_eq!(plan.transfers["ben"].trust, Trust::Proven);
    assert_eq!(
        plan.transfers["ann"].trust,
        Trust::CallerId,
        "unless it is written"
    );
    let rules = plan.rules;
    assert!(rules.pairing && rules.has_pins() && rules.has_pin(None));
    assert_eq!(
        rules.answer.value,
        Callers::These(BTreeSet::from([number("+15550009999")]))
    );
    let none = good(GOOD).plan.rules;
    assert!(!none.pairing && !none.has_pins());
    for (text, says) in [
        (
            replaced("max_calls", "pin = \"918273\"\nmax_calls"),
            "`pin` in [policy] stands in the configuration itself",
        ),
        (
            replaced("max_calls", "pin = \"file:key\"\nmax_calls"),
            "`pin` in [policy] is none",
        ),
        (
            replaced("max_calls", "pin = \"env:NOPE\"\nmax_calls"),
            "`pin` in [policy] asks for the environment variable NOPE",
        ),
        (
            replaced(
                "max_calls",
                "pin = \"env:PIN\"\nopt_out_key = \"*\"\nmax_calls",
            ),
            "one of the two keys around a PIN",
        ),
        (
            format!("{GOOD}\n[transfers.ben]\nnumber = \"+15557654321\"\ntrust = \"pin\"\n"),
            "`trust` cannot be `pin`",
        ),
    ] {
        let problems = bad(&text);
        let said = problems.iter().any(|it| it.message.contains(says));
        assert!(said, "{says}: {problems:#?}");
        assert!(!format!("{problems:?}").contains("918273"));
    }
}

#[test]
fn servers_of_tools_and_histories_are_read() {
    let text = replaced(
        "opening = ",
        "tools = [\"files\", \"web\", \"note\"]\nhistory = \"caller\"\nopening = ",
    );
    let plan = good(&format!(
        "{text}\n[agents.mine]\nkind = \"oracle\"\nbase_url = \"http://localhost\"\nhistory = \"shared\"\n\
         history_trust = \"proven\"\n[tools.files]\nmcp = [\"npx\", \"files\"]\n[tools.files.env]\nKEY = \"env:WHISTLE\"\n\
         [tools.web]\nmcp = \"http://127.0.0.1:9000/mcp\"\nonly = [\"search\"]\ntrust = \"attested\"\ntimeout_s = 5\n"
    ))
    .plan;
    assert_eq!(plan.agents["reception"].tools, ["files", "web", "note"]);
    let history = |agent: &str| plan.agents[agent].history;
    assert_eq!(history("reception"), History::Caller(Trust::Attested));
    assert_eq!(history("mine"), History::Shared(Trust::Proven));
    assert_eq!(good(GOOD).plan.agents["reception"].history, History::Call);
    let (files, web) = (&plan.tools["files"], &plan.tools["web"]);
    assert_eq!((files.trust, web.trust), (Trust::Proven, Trust::Attested));
    assert_eq!(web.patience, Duration::from_secs(5));
    let shown = format!("{files:?}");
    assert!(
        shown.contains("Server(files)") && !shown.contains(SECRET),
        "{shown}"
    );
}

#[test]
fn what_is_wrong_with_whom_to_call_is_told_by_its_line() {
    for (text, says) in [
        (
            replaced("call = [", "call = [\"ZZ\", "),
            "neither a number nor a class",
        ),
        (
            replaced("call = [", "call = [\"DE premium\", "),
            "the kinds of number are",
        ),
        (
            replaced("call = [", "hours = \"21-8\"\ncall = ["),
            "`hours` in [policy] cannot be read",
        ),
        (
            format!("{GOOD}\n[rates]\nde = 0.1\n"),
            "not the beginning of a number",
        ),
        (
            format!("{GOOD}\n[rates]\n\"+49\" = -0.1\n"),
            "not an amount",
        ),
        (
            format!("{GOOD}\n[rates]\n\"+49\" = \"0.1\"\n"),
            "not an amount",
        ),
        (format!("{GOOD}\n[rates]\n\"+49\" = nan\n"), "not an amount"),
        (
            format!("{GOOD}\n[contacts.mom]\nhours = \"08:00-21:00\"\n"),
            "`number` in [contacts.mom] is missing",
        ),
        (
            format!("{GOOD}\n[contacts.mom]\nnumber = \"030 123456\"\n"),
            "`number` in [contacts.mom] is not a number",
        ),
        (
            format!("{GOOD}\n[contacts.mom]\nnumber = \"+4930123456\"\nzone = \"Berlin\"\n"),
            "`zone` in [contacts.mom] is not a time zone",
        ),
    ] {
        let problems = bad(&text);
        assert!(
            problems.iter().any(|it| it.message.contains(says)),
            "{says}: {problems:#?}"
        );
    }
    let dear = good(&replaced("call = [", "call = [\"+19005551234\", "));
    let warned = dear
        .warnings
        .iter()
        .any(|it| it.message.contains("never dialled: premium-rate"));
    assert!(warned, "{:#?}", dear.warnings);
}

#[test]
fn the_smallest_file_allows_nothing() {
    let loaded = good("[server]\npublic_url = \"http://localhost:1/\"\n");
    let plan = loaded.plan;
    assert_eq!(plan.public_url, "http://localhost:1");
    assert_eq!(plan.listen.to_string(), "127.0.0.1:8787");
    assert!(plan.rules.call.value.is_nobody());
    assert_eq!(plan.rules.answer.value, Callers::These(BTreeSet::new()));
    assert_eq!(plan.rules.call.at, "offhook.toml, [policy]");
    assert_eq!(plan.rules.max_calls.value, 4);
    let warned: Vec<String> = loaded.warnings.iter().map(ConfigProblem::at).collect();
    assert_eq!(
        warned,
        ["offhook.toml, [numbers]", "offhook.toml, [policy]"]
    );
}

#[test]
fn everything_optional_can_be_written() {
    let text = format!(
        "{}endpoint_ms = 700\nsilence_s = 20\nring_s = 30\nfiller_ms = 900\nthink_s = 8\n\
         [phrases]\nfiller = \"Hm.\"\napology = \"Oh.\"\ngoodbye = \"Bye.\"\n\
         [speech]\nvendor = \"local\"\nthreads = 2\n[recordings]\ndir = \"tapes\"\n\
         [journal]\ndays = 7\nmax_mib = 64\n\
         [reports.crm]\nurl = \"https://crm.example.com/calls\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n\
         events = [\"call.*\"]\ntimeout_s = 7\n[reports.archive]\nfile = \"r.jsonl\"\n\
         [telemetry]\notlp = \"http://127.0.0.1:4318/\"\nprivate = true\n\
         [agents.echo]\nkind = \"cave\"\n[carriers.second]\nkind = \"pigeon\"\ncoop = \"south\"\n\
         whistle = \"tweet\"\nbirds = 7\n",
        GOOD.replace(
            "answer = [\"any\"]",
            "answer = []\nmax_minutes = 5\ncalls_per_hour = 0"
        )
    );
    let plan = good(&text).plan;
    assert_eq!(plan.patience.endpoint, Duration::from_millis(700));
    assert_eq!(plan.patience.silence, Duration::from_secs(20));
    assert_eq!(plan.patience.think, Duration::from_secs(8));
    assert_eq!(plan.patience.limit, Duration::from_secs(300));
    assert_eq!(plan.phrases.goodbye.reveal(), "Bye.");
    assert_eq!(plan.speech.settings.number("threads"), Some(2));
    let recordings = Recordings {
        dir: Path::new("base").join("tapes"),
        by: Recorder::Gateway,
        consent: Consent::Announce,
    };
    assert_eq!(plan.recordings, Some(recordings));
    assert_eq!(plan.keep.age, Duration::from_secs(7 * 86_400));
    assert_eq!(plan.keep.room, 64 << 20);
    let crm = &plan.reports["crm"];
    assert_eq!(crm.patience, Duration::from_secs(7));
    assert!(crm.kinds.take("call.ended") && !crm.kinds.take("caller.said"));
    let archive = &plan.reports["archive"];
    assert!(archive.kinds.take("call.report") && !archive.kinds.take("call.ended"));
    assert!(matches!(&archive.door, crate::outbox::Door::File(path) if path.ends_with("r.jsonl")));
    let telemetry = plan.telemetry.expect("it is written");
    assert_eq!(telemetry.otlp, "http://127.0.0.1:4318/v1/traces");
    assert!(telemetry.private);
    assert!(matches!(plan.agents["echo"].answerer, Answerer::Loopback));
    assert_eq!(plan.carriers.len(), 2);
}

#[test]
fn everybody_hears_first_what_is_written_but_the_owner() {
    let (friend, german) = (number("+15557654321"), number("+4930123456"));
    let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
    let usual = "Hello. You are speaking with an AI assistant.";
    let plan = good(GOOD).plan;
    assert_eq!(plan.disclosure.to, Disclosed::Others);
    for caller in [None, Some(&friend), Some(&german)] {
        assert_eq!(plan.announced(inbound, caller).as_deref(), Some(usual));
        assert_eq!(plan.announced(outbound, caller).as_deref(), Some(usual));
    }
    assert_eq!(plan.announcements(), [usual.to_owned()].into());

    let owned = "opt_out_key = \"9\"\nowner = [\"+15557654321\"]\nanswer = ";
    let more = "[disclosure]\nregions = { DE = \"Hallo. Ich bin eine KI.\" }\n[recordings]\ndir = \"x\"\n[turns]\n";
    let text = replaced("answer = ", owned).replace("[turns]\n", more);
    let plan = good(&text).plan;
    assert_eq!(plan.announced(outbound, Some(&friend)), None);
    assert_eq!(plan.announced(inbound, Some(&friend)), None);
    let german_in = plan.announced(inbound, Some(&german)).expect("a stranger");
    assert_eq!(german_in, "Hallo. Ich bin eine KI. This call is recorded.");
    let german_out = plan.announced(outbound, Some(&german)).expect("a stranger");
    let opt_out = "To not be called again, press 9.";
    assert_eq!(german_out, format!("{german_in} {opt_out}"));
    let hidden = plan.announced(inbound, None).expect("a stranger");
    assert_eq!(hidden, format!("{usual} This call is recorded."));
    let all = [
        &german_in,
        &german_out,
        &hidden,
        &format!("{hidden} {opt_out}"),
    ];
    assert_eq!(plan.announcements(), all.map(Clone::clone).into());

    let asks = text.replace("dir = \"x\"", "dir = \"x\"\nconsent = \"ask\"");
    let asks = asks.replace("[disclosure]\n", "[disclosure]\nto = \"everybody\"\n");
    let plan = good(&asks).plan;
    assert_eq!(
        plan.announced(outbound, Some(&friend)).as_deref(),
        Some(usual)
    );
    let asked = plan.announced(outbound, None).expect("a stranger");
    let ask = "May this call be recorded? Say yes, or press 1.";
    assert_eq!(asked, format!("{usual} {opt_out} {ask}"));
    assert!(plan.announcements().contains(usual));
}

#[test]
fn warnings_do_not_stop_anyone() {
    let warned = |old: &str, new: &str| {
        let warnings = good(&replaced(old, new)).warnings;
        assert_eq!(warnings.len(), 1, "{new}");
        (warnings[0].at(), warnings[0].message.clone())
    };
    let (at, message) = warned("https://voice.example.com", "http://voice.example.com");
    assert_eq!(at, "offhook.toml:3");
    assert!(message.contains("public_url"));
    let (at, message) = warned("[\"any\"]", "[\"any\", \"+15550009999\"]");
    assert_eq!(at, "offhook.toml:18");
    assert!(message.contains("any"));
    let (at, message) = warned(
        "[\"+15557654321\"]",
        "[\"+15557654321\",\n\"+15557654321\"]",
    );
    assert_eq!(at, "offhook.toml:18");
    assert!(message.contains("twice"));
}

#[test]
fn a_secret_in_a_file_everyone_can_read_is_warned_of() {
    let text = replaced("env:WHISTLE", SECRET);
    let read = |audience| resolve(&text, audience).expect("it is good").warnings;
    assert_eq!(read(Audience::Few), []);
    let warnings = read(Audience::Everyone);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].at(), "offhook.toml:6");
    let shown = warnings[0].to_string();
    assert!(
        shown.starts_with("warning: ") && !shown.contains(SECRET),
        "{shown}"
    );
}

/// What replaces what in the good file, on which line the problem is, and what it must name.
#[rustfmt::skip]
const POISON: &[(&str, &str, usize, &[&str])] = &[
    // Typing errors, everywhere a key can stand.
    ("[server]", "[sever]", 1, &["`sever`", "did you mean `server`?"]),
    ("listen = ", "lisen = ", 2, &["`lisen`", "[server]", "did you mean `listen`?"]),
    ("whistle = ", "whisle = ", 6, &["`whisle`", "[carriers.pigeon]", "did you mean `whistle`?"]),
    ("api_url = ", "api-url = ", 7, &["`api-url`", "did you mean `api_url`?"]),
    ("agent = ", "agnet = ", 10, &["`agnet`", "did you mean `agent`?"]),
    ("opening = ", "openning = ", 15, &["`openning`", "[agents.reception]", "did you mean `opening`?"]),
    ("answer = ", "answers = ", 18, &["`answers`", "[policy]", "did you mean `answer`?"]),
    ("answer = ", "owner = [\"5551234567\"]\nanswer = ", 18, &["`owner` in [policy]", "+15551234567"]),
    ("answer = ", "owner = [\"+15550002222\"]\nanswer = ", 18, &["`owner` in [policy]", "own numbers"]),
    ("max_calls = ", "max_cals = ", 19, &["`max_cals`", "did you mean `max_calls`?"]),
    ("barge_in_ms = ", "barge_in = ", 21, &["`barge_in`", "[turns]", "did you mean `barge_in_ms`?"]),
    ("opening = ", "language = \"de\"\nopening = ", 15, &["`de`", "there is: en, eo"]),
    ("[turns]", "[speech]\nthreads = 0\n[turns]", 21, &["`threads`: none would do no work", "write at least 1"]),
    ("barge_in_ms = 300", "colour = 3", 21, &["`colour`", "known here: barge_in_ms, connect_s"]),
    ("[turns]\nbarge_in_ms", "[phrases]\nfilllers", 21, &["`filllers`", "did you mean `filler`?"]),
    ("[turns]\nbarge_in_ms", "[speech]\ntreads", 21, &["`treads`", "did you mean `threads`?"]),
    ("[turns]\nbarge_in_ms = 300", "[recordings]\ndri = \"x\"", 21, &["`dri`", "did you mean `dir`?"]),
    ("[turns]\nbarge_in_ms = 300", "[recordings]\ndir = \"x\"\nconsent = \"no\"", 22, &["`consent`", "`no`", "\"announce\"", "\"ask\""]),
    ("[turns]\nbarge_in_ms = 300", "[disclosure]\nto = \"nobody\"", 21, &["`to` in [disclosure]", "`nobody`", "\"others\""]),
    ("[turns]\nbarge_in_ms = 300", "[disclosure]\ntext = \"…\"", 21, &["no words"]),
    ("[turns]\nbarge_in_ms = 300", "[disclosure]\nenabled = false", 21, &["`enabled`", "[disclosure]"]),
    ("[turns]\nbarge_in_ms = 300", "[disclosure.regions]\nGermany = \"Hallo.\"", 21, &["[disclosure.regions]", "not a country"]),
    ("[turns]\nbarge_in_ms = 300", "[disclosure.regions]\nDE = 3", 21, &["`DE`", "must be words"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\nday = 3", 21, &["`day`", "did you mean `days`?"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\ndays = 0", 21, &["`days`", "from 1 to 36500"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\nmax_mib = 1", 21, &["`max_mib`", "from 16"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\nkey = \"SuperSecretValue77\"", 21, &["`key`", "in the configuration itself", "`env:NAME`"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\nkey = \"env:WHISTLE\"", 21, &["`key`", "is no key", "`offhook journal key`"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\nold_keys = [\"env:NOPE\"]", 21, &["`old_keys`", "NOPE", "not set"]),
    ("[turns]\nbarge_in_ms = 300", "[journal]\nkey = \"file:open\"", 21, &["`key`", "everyone on this machine can read", "chmod 600"]),
    // Wrong types.
    ("\"127.0.0.1:8787\"", "8787", 2, &["`listen`", "a string", "a number"]),
    ("[server]", "[[server]]", 1, &["`server`", "a table", "a list"]),
    ("\"north\"", "true", 5, &["`coop`", "a string", "true or false"]),
    ("[\"any\"]", "\"any\"", 18, &["`answer`", "a list of strings", "a string"]),
    ("[\"any\"]", "[\"any\", 5]", 18, &["`answer`", "a number is in it"]),
    ("[\"+15557654321\"]", "15557654321", 17, &["`call`", "a list of strings"]),
    ("max_calls = 3", "max_calls = \"3\"", 19, &["`max_calls`", "without quotes"]),
    ("max_calls = 3", "max_calls = 3.5", 19, &["`max_calls`", "a number with a fraction"]),
    ("max_calls = 3", "max_calls = -3", 19, &["`max_calls`", "from 0 to 10000"]),
    ("max_calls = 3", "max_minutes = 0", 19, &["`max_minutes`", "from 1 to 1440"]),
    ("max_calls = 3", "calls_per_hour = 1979-05-27", 19, &["`calls_per_hour`", "a date"]),
    ("[carriers.pigeon]", "[carriers]\npigeon = 3\n[carriers.other]\nkind = \"pigeon\"", 5, &["[carriers.pigeon]", "a table"]),
    ("barge_in_ms = 300", "barge_in_ms = 99999", 21, &["`barge_in_ms`", "from 50 to 5000"]),
    ("barge_in_ms = 300", "think_s = 99999999999999999999", 21, &["`think_s`", "too large"]),
    // What is missing.
    ("public_url = \"https://voice.example.com\"", "", 1, &["`public_url`", "[server]", "missing"]),
    ("coop = \"north\"", "", 4, &["`coop`", "[carriers.pigeon]", "missing"]),
    ("carrier = \"pigeon\"", "", 8, &["`carrier`", "[numbers.\"+155…22\"]", "missing"]),
    ("agent = \"reception\"", "", 8, &["`agent`", "missing"]),
    ("kind = \"oracle\"", "", 11, &["`kind`", "[agents.reception]", "parrot, oracle, cave"]),
    ("base_url = \"http://localhost:11434/v1/\"", "", 11, &["`base_url`", "missing"]),
    ("[turns]\nbarge_in_ms = 300", "[telemetry]\nprivate = \"yes\"", 21, &["`private`", "true or false", "without quotes"]),
    ("[turns]\nbarge_in_ms = 300", "[telemetry]\notlp = \"127.0.0.1\"", 21, &["`otlp`", "[telemetry]"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nurl = \"http://crm.example.com/\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", 21, &["`url`", "[reports.crm]", "https"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nurl = \"https://crm.example.com/\"", 20, &["`secret`", "[reports.crm]", "whsec_"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nurl = \"https://crm.example.com/\"\nsecret = \"sesame\"", 22, &["`secret`", "[reports.crm]", "openssl"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nfile = \"a\"\ncommand = [\"b\"]", 20, &["[reports.crm]", "exactly one", "an address"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nevents = [\"call.report\"]", 20, &["[reports.crm]", "exactly one"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nfile = \"a\"\nevents = [\"caller.sayd\"]", 22, &["`events`", "caller.said"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nfile = \"a\"\nevents = []", 22, &["`events`", "empty"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\ncommand = []", 21, &["`command`", "[reports.crm]"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nfile = \"~/a\"", 21, &["`file`", "home folder"]),
    ("[turns]\nbarge_in_ms = 300", "[reports.crm]\nfile = \"a\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", 22, &["`secret`", "[reports.crm]", "nothing else is signed"]),
    ("[turns]\nbarge_in_ms = 300", "[recordings]", 20, &["`dir`", "[recordings]", "missing"]),
    ("\"north\"", "\"\"", 5, &["`coop`", "empty"]),
    // Names of things that are not there.
    ("[carriers.pigeon]", "[carriers.pigeno]", 4, &["`pigeno`", "did you mean `pigeon`?"]),
    ("[carriers.pigeon]", "[carriers.pigeon]\nkind = \"raven\"", 4, &["`raven`", "known here: pigeon"]),
    ("kind = \"oracle\"", "kind = \"orcale\"", 12, &["`orcale`", "did you mean `oracle`?"]),
    ("carrier = \"pigeon\"", "carrier = \"pidgeon\"", 9, &["`pidgeon`", "did you mean `pigeon`?"]),
    ("agent = \"reception\"", "agent = \"receptoin\"", 10, &["`receptoin`", "did you mean `reception`?"]),
    ("[turns]\nbarge_in_ms = 300", "[speech]\nvendor = \"locale\"", 21, &["`locale`", "did you mean `local`?"]),
    ("[turns]\nbarge_in_ms = 300", "[agents.\"Frau Süß\"]\nkind = \"cave\"", 20, &["name of this table"]),
    // Numbers.
    ("[numbers.\"+15550002222\"]", "[numbers.\"15550002222\"]", 8, &["[numbers.\"…\"]", "starts with +"]),
    ("[numbers.\"+15550002222\"]", "[numbers.\"+1 555 000 1111\"]", 8, &["digits 0 to 9"]),
    ("+15557654321", "+0551234567", 17, &["`call`", "does not start with 0"]),
    ("+15557654321", "+1555", 17, &["`call`", "7 to 15 digits"]),
    ("+15557654321", "+15557654321x9", 17, &["`call`", "digits"]),
    ("+15557654321", "+155576543211234567", 17, &["`call`", "7 to 15 digits"]),
    ("+15557654321", "+155576543２1", 17, &["`call`", "digits"]),
    ("+15557654321", "any", 17, &["`call`", "any", "only numbers"]),
    ("+15557654321", "911", 17, &["`call`", "never dialled", "remove it"]),
    ("\"any\"", "\"+15557654321\",\n\"all\"", 19, &["`answer`", "starts with +"]),
    ("\"any\"", "\"Any\"", 18, &["`answer`"]),
    // Addresses.
    ("127.0.0.1:8787", "localhost:8787", 2, &["`listen`", "IP address"]),
    ("127.0.0.1:8787", "127.0.0.1", 2, &["`listen`", "a port"]),
    ("127.0.0.1:8787", "127.0.0.1:99999", 2, &["`listen`"]),
    ("public_url = \"https://voice.example.com\"", "expose = \"cloudflare\"", 3, &["there is no tunnel `cloudflare`", "cloudflared"]),
    ("public_url = \"https://voice.example.com\"", "expose = 1", 3, &["`expose`"]),
    ("https://voice.example.com", "https://my_voice.example.com", 3, &["`public_url`", "`_`", "hyphens"]),
    ("[carriers.pigeon]", "expose = \"ngrok\"\n[carriers.pigeon]", 3, &["`public_url`", "`expose`", "remove one"]),
    ("https://voice.example.com", "voice.example.com", 3, &["`public_url`", "not a web address"]),
    ("https://voice.example.com", "wss://voice.example.com", 3, &["`public_url`", "http:// or https://"]),
    ("https://voice.example.com", "https://voice.example.com/?a=b", 3, &["`public_url`", "`?`"]),
    ("https://voice.example.com", "https://voice.example.com/#a", 3, &["`public_url`", "`#`"]),
    ("https://voice.example.com", "https://me:SuperSecretValue77@example.com", 3, &["`public_url`", "password"]),
    ("http://localhost:11434/v1/", "localhost:11434/v1", 13, &["`base_url`", "http:// or https://"]),
    ("http://127.0.0.1:4010", "http://", 7, &["`api_url`", "not a web address"]),
    // Secrets.
    ("env:WHISTLE", "env:WHISTEL", 6, &["`whistle`", "WHISTEL", "not set"]),
    ("env:WHISTLE", "env:EMPTY", 6, &["`whistle`", "EMPTY", "not set"]),
    ("env:WHISTLE", "env:", 6, &["`whistle`", "names no variable"]),
    ("env:WHISTLE", "env:SuperSecretValue77", 6, &["`whistle`", "…"]),
    ("env:WHISTLE", "file:nowhere", 6, &["`whistle`", "nowhere", "cannot be read"]),
    ("env:WHISTLE", "file:open", 6, &["`whistle`", "everyone on this machine can read", "chmod 600"]),
    ("env:WHISTLE", "file:blank", 6, &["`whistle`", "blank", "is empty"]),
    ("env:WHISTLE", "file:", 6, &["`whistle`", "names no file"]),
    ("\"env:WHISTLE\"", "[\"SuperSecretValue77\"]", 6, &["`whistle`", "a string", "a list"]),
    ("whistle = \"env:WHISTLE\"", "SuperSecretValue77 = \"x\"\nwhistle = \"env:WHISTLE\"", 6, &["`…`", "not a key"]),
    // What the plugs themselves refuse.
    ("\"north\"", "\"burnt\"", 5, &["`coop`", "burnt down", "build another"]),
    // What contradicts itself.
    ("barge_in_ms = 300", "barge_in_ms = 200", 21, &["`barge_in_ms`", "longer than 200"]),
    ("barge_in_ms = 300", "endpoint_ms = 250", 21, &["`endpoint_short_ms`", "`endpoint_ms`"]),
    ("barge_in_ms = 300", "endpoint_ms = 600\nendpoint_long_ms = 500", 22, &["`endpoint_long_ms`"]),
    ("barge_in_ms = 300", "filler_ms = 5000\nthink_s = 4", 22, &["`filler_ms`", "`think_s`"]),
    ("kind = \"oracle\"\nbase_url = \"http://localhost:11434/v1/\"\napi_key = \"file:key\"", "kind = \"cave\"", 13, &["cannot speak", "`opening`"]),
    ("[turns]\nbarge_in_ms = 300", "[recordings]\ndir = \"~/tapes\"", 21, &["`~`"]),
    ("[turns]\nbarge_in_ms = 300", "[recordings]\ndir = \"tapes\"\nby = \"cat\"", 22, &["`by`", "[recordings]", "`cat`", "\"carrier\""]),
    ("[turns]\nbarge_in_ms = 300", "[recordings]\ndir = \"tapes\"\nby = \"carrier\"", 22, &["`pigeon`", "records no calls by itself", "remove `by`"]),
    // Whom callers are put through to.
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nspoken = \"Ben\"", 20, &["`number`", "[transfers.ben]", "missing"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15550009999\"", 20, &["[transfers.ben]", "may not be called", "`call` in [policy]"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nfrom = \"+15557654321\"", 20, &["`from`", "not one of our numbers"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nafter = \"talk\"", 22, &["`after`", "`talk`", "\"return\""]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nwait_seconds = 3", 22, &["`wait_seconds`", "from 10 to 120"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nby = \"bird\"", 22, &["`by`", "`bird`", "\"carrier\""]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nby = \"carrier\"", 20, &["`pigeon`", "by itself", "remove `by`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nagent = \"sits\"", 22, &["`agent`", "`sits`", "\"listens\""]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nby = \"carrier\"\nagent = \"stays\"", 23, &["nobody sits with", "remove `agent`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nnumber = \"+15557654321\"\nby = \"carrier\"\nafter = \"return\"", 23, &["does not come back", "remove `after`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nconference = \"daily standup\"", 20, &["`pigeon`", "keeps no conferences", "[transfers.ben]", "`number`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nconference = \"stand/up\"", 21, &["`conference`", "not the name of a room", "1 to 64"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nconference = \"standup\"\nnumber = \"+15557654321\"", 22, &["`number`", "beside `conference`", "remove `number`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nconference = \"standup\"\nwait_seconds = 20", 22, &["`wait_seconds`", "beside `conference`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nconference = \"standup\"\nafter = \"return\"", 22, &["`after`", "beside `conference`"]),
    ("[turns]\nbarge_in_ms = 300", "[transfers.ben]\nconference = \"standup\"\nby = \"gateway\"", 22, &["`by = \"gateway\"`", "the phone company keeps it", "remove `by`"]),
    ("opening = \"Hello.\"", "transfer_to = [\"bem\"]\nopening = \"Hello.\"\n[transfers.ben]\nnumber = \"+15557654321\"", 15, &["[transfers.…]", "`bem`", "did you mean `ben`?"]),
    // What agents may have done, and what they are told of earlier calls.
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nabout = \"x\"", 20, &["`url`", "[tools.x]", "missing"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = \"127.0.0.1\"", 21, &["`mcp`", "[tools.x]", "not a web address"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = []", 20, &["`mcp`", "names no program"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = [\"npx\", 5]", 21, &["`mcp`", "a number is in it"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = [\"npx\"]\nonly = \"free\"", 22, &["`only`", "a list of strings"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = [\"npx\"]\nurl = \"http://localhost\"", 22, &["`url`", "[tools.x]"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = \"http://localhost\"\ntoken = \"env:NOPE\"", 22, &["`token`", "NOPE", "not set"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.x]\nmcp = [\"npx\"]\n[tools.x.env]\nKEY = \"env:NOPE\"", 23, &["`KEY` in [tools.x.env]", "NOPE", "not set"]),
    ("[turns]\nbarge_in_ms = 300", "[tools.note]\nmcp = [\"npx\"]", 20, &["every agent may have a tool called `note`"]),
    ("opening = \"Hello.\"", "tools = [\"call_bak_later\"]\nopening = \"Hello.\"", 15, &["`call_bak_later`", "did you mean `call_back_later`?"]),
    ("opening = \"Hello.\"", "call_back_after_s = 0\nopening = \"Hello.\"", 15, &["`call_back_after_s`", "from 1 to 240"]),
    ("opening = \"Hello.\"", "history = \"calls\"\nopening = \"Hello.\"", 15, &["`history`", "`calls`", "\"caller\""]),
    ("opening = \"Hello.\"", "history = \"caller\"\nhistory_trust = \"me\"\nopening = \"Hello.\"", 16, &["`history_trust` cannot be `me`"]),
    ("opening = \"Hello.\"", "history_trust = \"proven\"\nopening = \"Hello.\"", 15, &["`history_trust`", "`history = \"caller\"`"]),
    // What becomes of machines.
    ("opening = \"Hello.\"", "on_machine = \"shout\"\nopening = \"Hello.\"", 15, &["`on_machine`", "`shout`"]),
    ("opening = \"Hello.\"", "on_machine = \"leave\"\nopening = \"Hello.\"", 15, &["`machine_message`"]),
    // What is not even TOML.
    ("max_calls = 3", "max_calls = ", 19, &["not TOML"]),
    ("max_calls = 3", "max_calls = 3\nmax_calls = 4", 20, &["not TOML", "duplicate key"]),
    ("\"env:WHISTLE\"", "SuperSecretValue77", 6, &["not TOML"]),
    ("\"env:WHISTLE\"", "\"SuperSecretValue77", 6, &["not TOML"]),
];

#[test]
fn every_poison_is_found_on_its_line() {
    assert!(POISON.len() >= 40);
    for (old, new, line, words) in POISON {
        let problems = bad(&replaced(old, new));
        let here = problems.iter().find(|it| it.place == Place::Line(*line));
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let Some(problem) = here else {
            panic!("{new}: nothing on line {line} in {shown:#?}");
        };
        let text = problem.to_string();
        for word in *words {
            assert!(text.contains(word), "{new}: no {word} in {text}");
        }
        assert!(
            text.starts_with("error: ") && text.contains("\n\nhint: "),
            "{text}"
        );
    }
}

#[test]
fn the_agent_leaves_the_two_alone_unless_it_is_written() {
    let written = [
        ("", AgentThen::Leaves),
        ("agent = \"leaves\"", AgentThen::Leaves),
        ("agent = \"listens\"", AgentThen::Listens),
        ("agent = \"stays\"", AgentThen::Stays),
    ];
    for (line, agent) in written {
        let ben = "[transfers.ben]\nnumber = \"+15557654321\"\nafter = \"return\"\n";
        let text = replaced("[turns]", &format!("{ben}{line}\n[turns]"));
        let after = After::Return;
        let plan = good(&text).plan;
        let Destination::Phone(phone) = &plan.transfers["ben"].to else {
            panic!("it has a number");
        };
        assert_eq!(phone.by, By::Gateway { after, agent }, "{line}");
    }
}

#[test]
fn a_carrier_records_nobody_who_did_not_agree() {
    let problems = |more: &str| {
        let tapes = "[recordings]\ndir = \"tapes\"\nby = \"carrier\"\n";
        bad(&replaced("[turns]", &format!("{tapes}{more}[turns]")))
    };
    let ben = "[transfers.ben]\nnumber = \"+15557654321\"\n";
    let none = problems(ben).len();
    for (more, place, words) in [
        (
            format!("{ben}by = \"carrier\"\n"),
            22,
            ["[transfers.ben]", "remove `by`"],
        ),
        (
            "[transfers.ben]\nconference = \"standup\"\n".to_owned(),
            22,
            ["[transfers.ben]", "nobody there was told"],
        ),
        (
            "consent = \"ask\"\n".to_owned(),
            23,
            ["`consent = \"ask\"`", "who said no"],
        ),
    ] {
        let found = problems(&more);
        let said = |it: &&ConfigProblem| words.iter().all(|word| it.to_string().contains(word));
        let problem = found
            .iter()
            .find(said)
            .unwrap_or_else(|| panic!("{more}: {found:#?}"));
        assert_eq!(problem.place, Place::Line(place), "{more}");
    }
    let told = problems(&format!("consent = \"announce\"\n{ben}"));
    assert_eq!(
        told.len(),
        none,
        "who is told at a table of ours: {told:#?}"
    );
}

#[test]
fn one_mistake_is_one_problem() {
    // A word misspelt is both an unknown key and, if it is required, a missing one.
    let twice = [
        "whisle",
        "agnet",
        "pigeno",
        "[[server]]",
        "[sever]",
        "dri =",
        "[carriers]\npigeon = 3",
    ];
    for (old, new, _, _) in POISON {
        let problems = bad(&replaced(old, new));
        let most = if twice.iter().any(|it| new.contains(it)) {
            3
        } else {
            1
        };
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.len() <= most, "{new}: {shown:#?}");
    }
}

#[test]
fn no_problem_repeats_a_secret_or_a_whole_number() {
    for (old, new, _, _) in POISON {
        for problem in bad(&replaced(old, new)) {
            let fault = Fault::from(problem.clone());
            for text in [problem.to_string(), format!("{fault:?}")] {
                for private in [SECRET, "tweet", "sesame", "15557654321", "15550002222"] {
                    assert!(!text.contains(private), "{new}: {text}");
                }
            }
        }
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let mut text = GOOD.to_owned();
    for (old, new) in [
        ("127.0.0.1:8787", "nowhere"),
        ("\"north\"", "7"),
        ("carrier = \"pigeon\"", "carrier = \"raven\""),
        ("kind = \"oracle\"", "kind = \"orcale\""),
        ("+15557654321", "+1"),
        ("max_calls = 3", "max_call = 3"),
        ("barge_in_ms = 300", "barge_in_ms = 60"),
    ] {
        text = text.replace(old, new);
    }
    let at: Vec<String> = bad(&text).iter().map(ConfigProblem::at).collect();
    let line = |line| format!("offhook.toml:{line}");
    assert_eq!(at, [2, 5, 9, 12, 17, 19, 21].map(line));
}

#[test]
fn a_problem_reads_like_this() {
    let problems = bad(&replaced("listen = ", "lisen = "));
    expect_test::expect![[r"
        error: `lisen` is not a key of [server]
          at offhook.toml:2

        hint: did you mean `listen`?"]]
    .assert_eq(&problems[0].to_string());
}

#[test]
fn no_file_is_its_own_problem() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("offhook.toml");
    let problems = load(&path, &LISTS).err().expect("there is no file");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, code::CONFIG_MISSING);
    assert!(problems[0].hint.contains("offhook init"));
    assert_eq!(problems[0].place, Place::File);
    assert_eq!(Fault::from(problems[0].clone()).code, code::CONFIG_MISSING);
}

#[test]
fn what_is_not_text_or_endless_is_refused() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("offhook.toml");
    for bytes in [vec![0xFF, 0xFE, 0x00], vec![b'#'; 2 << 20]] {
        std::fs::write(&path, bytes).expect("the folder is ours");
        let problems = load(&path, &LISTS).err().expect("this is no configuration");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, code::CONFIG_INVALID);
    }
    let problems = load(folder.path(), &LISTS)
        .err()
        .expect("a folder is no file");
    assert_eq!(problems[0].code, code::CONFIG_INVALID);
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let secret = folder.path().join("whistle");
    write(&secret, "tweet\n", 0o600);
    let path = folder.path().join("offhook.toml");
    write(
        &path,
        &replaced("env:WHISTLE", "file:whistle").replace("file:key", "sesame"),
        0o600,
    );
    let loaded = load(&path, &LISTS).expect("nothing is wrong");
    assert_eq!(loaded.warnings, []);
}

#[test]
fn what_differs_is_named_and_shown_to_nobody() {
    let differing = |text: &str| good(GOOD).marks.differing(&good(text).marks);
    let spaced = format!("# Ours.\n\n{}", GOOD.replace(" = ", "   =  "));
    assert_eq!(differing(&spaced), Vec::<String>::new());
    let policy = replaced("max_calls = 3", "calls_per_hour = 3");
    assert_eq!(
        differing(&policy),
        ["policy.calls_per_hour", "policy.max_calls"]
    );
    let listed = replaced("[\"any\"]", "[\"+15550009999\"]");
    assert_eq!(differing(&listed), ["policy.answer"]);
    let moved = replaced("+15550002222", "+15550003333");
    let shown = differing(&moved).join(" ");
    assert!(
        shown.contains("numbers.\"+155…33\".agent") && !shown.contains("0003"),
        "{shown}"
    );
    let other = replaced("file:key", "sesame");
    assert_eq!(differing(&other), ["agents.reception.api_key"]);
    let (new, old) = (good(&other).marks, good(GOOD).marks);
    assert!(new.agree_on(&old, "carriers", "pigeon"));
    assert!(!new.agree_on(&old, "agents", "reception"));
}

#[test]
fn another_secret_in_the_same_file_is_a_difference() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("offhook.toml");
    let text = replaced("env:WHISTLE", "file:whistle").replace("file:key", "sesame");
    write(&path, &text, 0o600);
    let marks = |secret: &str| {
        write(&folder.path().join("whistle"), secret, 0o600);
        load(&path, &LISTS).expect("nothing is wrong").marks
    };
    let (first, again, other) = (marks("tweet"), marks("tweet\n"), marks("chirp"));
    assert_eq!(first.differing(&again), Vec::<String>::new());
    assert_eq!(first.differing(&other), ["carriers.pigeon.whistle"]);
    assert_eq!(super::named_files(&path), [folder.path().join("whistle")]);
}

#[test]
fn the_file_is_looked_for_in_this_order() {
    let xdg = PathBuf::from("conf/offhook/offhook.toml");
    let home = PathBuf::from("me/.config/offhook/offhook.toml");
    let here = PathBuf::from("offhook.toml");
    let find = |named: Option<&str>, env: &[(&str, &str)], files: &[&PathBuf]| {
        let env = |name: &str| {
            let found = env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        find_among(named.map(Path::new), &env, &|path| {
            files.contains(&&path.to_owned())
        })
    };
    let env = [
        ("OFFHOOK_CONFIG", "theirs"),
        ("XDG_CONFIG_HOME", "conf"),
        ("HOME", "me"),
    ];
    let all = [&here, &xdg, &home];
    assert_eq!(find(Some("named"), &env, &all), Path::new("named"));
    assert_eq!(find(None, &env, &all), Path::new("theirs"));
    assert_eq!(find(None, &env[1..], &all), here);
    assert_eq!(find(None, &env[1..], &[&xdg, &home]), xdg);
    assert_eq!(find(None, &env[2..], &[&home]), home);
    assert_eq!(find(None, &env[1..], &[]), here);
}

fn replaced(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old} is not in the good file");
    GOOD.replace(old, new)
}

fn good(text: &str) -> Loaded {
    match resolve(text, Audience::Few) {
        Ok(loaded) => loaded,
        Err(problems) => panic!("{problems:#?}"),
    }
}

fn bad(text: &str) -> Vec<ConfigProblem> {
    let problems = resolve(text, Audience::Few).err();
    problems.unwrap_or_else(|| panic!("nothing was found wrong in:\n{text}"))
}

/// As [`load`] does, with an environment and files of the test's own.
fn resolve(text: &str, audience: Audience) -> Result<Loaded, Vec<ConfigProblem>> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    write(&folder.path().join("key"), "sesame", 0o600);
    write(&folder.path().join("pin"), "918273\n", 0o600);
    write(&folder.path().join("open"), "sesame", 0o644);
    write(&folder.path().join("blank"), " \n", 0o600);
    let env = |name: &str| match name {
        "WHISTLE" => Some("tweet".to_owned()),
        "EMPTY" => Some(String::new()),
        "PIN" => Some("918273".to_owned()),
        _ => None,
    };
    let mut file = File::parse("offhook.toml", text, folder.path().to_owned(), audience)?;
    let mut loaded = check::check(&file, "offhook.toml", &LISTS, &env)?;
    // The folder is another each time; what stands below it is what matters.
    file.folder = PathBuf::from("base");
    if let Some(Recordings { dir, .. }) = &mut loaded.plan.recordings {
        let relative = dir
            .strip_prefix(folder.path())
            .expect("it is relative to the file");
        *dir = file.folder.join(relative);
    }
    Ok(loaded)
}

fn write(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("the folder is ours");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("the file is ours");
}

fn number(text: &str) -> Number {
    Number::parse(text).expect("it is a number")
}
