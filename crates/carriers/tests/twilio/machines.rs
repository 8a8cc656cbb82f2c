//! What Twilio is asked about whoever picks up, and how it says it.

use call::event::Who;
use ports::Value;
use ports::carrier::{Detect, Dial, Door, Genuine, Machines, News};
use serde_json::json;

use super::openapi::Api;
use super::recorder::Recorder;
use super::requests::{dial, number};
use super::{ACCOUNT, CALL, carrier, entry, settings, signed_post};

#[tokio::test]
async fn it_is_asked_only_where_it_is_wanted_and_the_call_does_not_wait_for_it() {
    let exchange = Recorder::start(vec![(201, json!({"sid": CALL}))]).await;
    let at = |machines: &str| {
        let settings = settings()
            .with(
                "api_url",
                Value::Text(format!("http://{}", exchange.address)),
            )
            .with("machines", Value::Text(machines.to_owned()));
        (entry().build)(&settings).unwrap_or_else(|them| panic!("{them:?}"))
    };
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    for (machines, detect, asked) in [
        ("own", Detect::Machines, false),
        ("carrier", Detect::Nothing, false),
        ("carrier", Detect::Machines, true),
    ] {
        let dial = Dial {
            name: "0192",
            detect,
            ..dial(&from, &to)
        };
        at(machines).calls.dial(dial).await.expect("it is dialled");
        let request = exchange.requests().pop().expect("it was dialled");
        assert_eq!(Api::read().check(&request), Ok(()), "{request:?}");
        let value = |name| request.form.iter().find(|it| it.0 == name).map(|it| &*it.1);
        assert_eq!(value("MachineDetection"), asked.then_some("Enable"));
        // Without this, what is to be done with the call is held until the verdict.
        assert_eq!(value("AsyncAmd"), asked.then_some("true"));
        assert_eq!(
            value("AsyncAmdStatusCallback"),
            asked.then_some("https://e.com/s#rc=5&rp=5xx,ct,rt")
        );
        assert_eq!(
            value("MachineDetectionTimeout"),
            asked.then_some("5"),
            "in seconds"
        );
        // Keys sent with the dial would switch it off.
        assert_eq!(value("SendDigits"), None);
    }
    assert_eq!(at("own").machines, Machines::Heard);
    assert_eq!(at("carrier").machines, Machines::Told);
}

#[test]
fn a_table_that_names_nobody_is_refused() {
    let settings = settings().with("machines", Value::Text("premium".to_owned()));
    let problems = (entry().build)(&settings).err().expect("it is refused");
    assert_eq!(problems[0].key, "machines");
}

#[test]
fn every_word_it_has_is_understood() {
    for (word, who) in [
        ("human", Who::Human),
        ("machine_start", Who::Machine),
        ("machine_end_beep", Who::Machine),
        ("machine_end_silence", Who::Machine),
        ("machine_end_other", Who::Machine),
        ("fax", Who::Machine),
        ("unknown", Who::Unknown),
        ("word_of_the_future", Who::Unknown),
    ] {
        // The report has no status of the call.
        let fields = [
            ("AccountSid", ACCOUNT),
            ("CallSid", CALL),
            ("AnsweredBy", word),
            ("MachineDetectionDuration", "2700"),
        ];
        assert_eq!(news(Door::Status, &fields), News::AnsweredBy(who), "{word}");
    }
}

#[test]
fn a_report_that_mentions_it_beside_a_status_is_about_the_status() {
    let fields = [
        ("AccountSid", ACCOUNT),
        ("CallSid", CALL),
        ("CallStatus", "in-progress"),
        ("Direction", "outbound-api"),
        ("AnsweredBy", "machine_start"),
    ];
    assert_eq!(news(Door::Voice, &fields), News::Answered);
    assert_eq!(news(Door::Status, &fields), News::Answered);
}

fn news(door: Door, fields: &[(&str, &str)]) -> News {
    let webhooks = carrier().webhooks;
    let request = signed_post("https://voice.example.com/twilio/status?call=1", fields);
    let genuine: Genuine<'_> = webhooks.verify(&request).expect("it is signed");
    webhooks.decode(door, genuine).expect("it makes sense").news
}
