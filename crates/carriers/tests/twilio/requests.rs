//! Every request we can make, against Twilio's own description of its API.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use call::Number;
use call::event::{End, Party, Why};
use ports::carrier::{Dial, Leg, Status, Stream};
use ports::{Blame, Fault, Retry, Secret, code};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::{ACCOUNT, CALL, TOKEN, carrier_at, oracle};

#[tokio::test]
async fn every_request_is_one_that_twilio_describes() {
    let exchange = Recorder::start(vec![
        (201, example("Calls.json", "post", "201")),
        (200, example("Calls/{Sid}.json", "get", "200")),
        (200, example("Calls/{Sid}.json", "post", "200")),
        (200, example("IncomingPhoneNumbers.json", "get", "200")),
    ])
    .await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let dialed = calls.dial(dial(&from, &to)).await.expect("it is dialled");
    assert_eq!(dialed, Leg("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()));
    calls.status(&leg()).await.expect("it has a status");
    calls.hang_up(&leg()).await.expect("it is hung up");
    let stream = Stream {
        url: "wss://e.com/m".to_owned(),
        token: Secret::new("t"),
    };
    calls
        .answer(&leg(), &stream)
        .await
        .expect("nothing is to be done");
    calls.check().await.expect("the credentials are good");

    let requests = exchange.requests();
    let api = Api::read();
    for request in &requests {
        api.check(request);
    }
    println!(
        "requests validated against the OpenAPI description: {}",
        requests.len()
    );
    assert_eq!(requests.len(), 4, "answering needs no request");
}

#[tokio::test]
async fn requests_are_those_of_twilios_own_library() {
    let exchange = Recorder::start(vec![
        (201, example("Calls.json", "post", "201")),
        (200, example("Calls/{Sid}.json", "get", "200")),
        (200, example("Calls/{Sid}.json", "post", "200")),
    ])
    .await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    calls.dial(dial(&from, &to)).await.expect("it is dialled");
    calls.status(&leg()).await.expect("it has a status");
    calls.hang_up(&leg()).await.expect("it is hung up");

    let requests = exchange.requests();
    let mut compared = 0;
    for (ours, action) in requests.iter().zip([
        "create call with url, all status events, async AMD",
        "fetch",
        "hang up",
    ]) {
        let golden = golden(action);
        assert_eq!(ours.method, golden["method"]);
        assert_eq!(
            format!("https://api.twilio.com{}", ours.path),
            golden["url"]
        );
        assert_eq!(ours.header("accept"), golden["accept"].as_str());
        assert_eq!(ours.header("content-type"), golden["content_type"].as_str());
        assert_eq!(ours.header("authorization"), Some(&*basic()));
        let theirs: Vec<(String, String)> =
            serde_json::from_value(golden["form"].clone()).expect("a list of pairs");
        if action.starts_with("create") {
            // Theirs also records and listens for machines, which we do not ask for.
            let known = |it: &&(String, String)| ours.form.iter().any(|(name, _)| *name == it.0);
            let mut shared: Vec<_> = theirs.iter().filter(known).cloned().collect();
            shared.push(("StatusCallbackMethod".to_owned(), "POST".to_owned()));
            assert_eq!(sorted(&ours.form), sorted(&shared));
        } else {
            assert_eq!(ours.form, theirs, "{action}");
        }
        compared += 1;
    }
    println!("requests compared with those of Twilio's own library: {compared}");
    assert_eq!(compared, 3);
}

#[tokio::test]
async fn durations_are_whole_seconds_within_twilios_limits() {
    let exchange = Recorder::start(vec![(201, json!({"sid": CALL}))]).await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    for (ring, limit, expected) in [
        (
            Duration::from_millis(25_001),
            Duration::from_secs(3600),
            ("26", "3600"),
        ),
        (Duration::ZERO, Duration::ZERO, ("1", "1")),
        (
            Duration::from_secs(9999),
            Duration::from_millis(1),
            ("600", "1"),
        ),
    ] {
        let dial = Dial {
            ring,
            limit,
            ..dial(&from, &to)
        };
        calls.dial(dial).await.expect("it is dialled");
        let request = exchange.requests().pop().expect("it was dialled");
        let value = |name| request.form.iter().find(|it| it.0 == name).map(|it| &*it.1);
        assert_eq!(
            (value("Timeout"), value("TimeLimit")),
            (Some(expected.0), Some(expected.1))
        );
    }
}

#[tokio::test]
async fn a_call_is_doing_what_twilio_says() {
    let cases = [
        ("queued", "outbound-api", Status::Pending),
        ("ringing", "outbound-api", Status::Pending),
        ("in-progress", "inbound", Status::Up),
        ("completed", "inbound", ended(Party::Caller, Why::HungUp)),
        ("busy", "outbound-api", ended(Party::Caller, Why::Busy)),
        ("failed", "outbound-api", ended(Party::Carrier, Why::Fault)),
        (
            "no-answer",
            "outbound-api",
            ended(Party::Caller, Why::NoAnswer),
        ),
        (
            "canceled",
            "outbound-api",
            ended(Party::Gateway, Why::Canceled),
        ),
        ("canceled", "inbound", ended(Party::Caller, Why::Canceled)),
    ];
    for (status, direction, expected) in cases {
        let answer = json!({"sid": CALL, "status": status, "direction": direction});
        let exchange = Recorder::start(vec![(200, answer)]).await;
        let found = carrier_at(exchange.address).calls.status(&leg()).await;
        assert_eq!(
            found.expect("it has a status"),
            expected,
            "{status} {direction}"
        );
    }
}

#[tokio::test]
async fn each_refusal_says_whose_it_is_and_what_to_do() {
    use Blame::{Agent, Carrier, Config};
    let cases = [
        (401, 20003, code::CARRIER_CREDENTIALS, Config, Retry::Never),
        (
            400,
            21210,
            code::CARRIER_NUMBER_NOT_OWNED,
            Config,
            Retry::Never,
        ),
        (
            400,
            21212,
            code::CARRIER_NUMBER_NOT_OWNED,
            Config,
            Retry::Never,
        ),
        (
            400,
            21201,
            code::CARRIER_NO_SUCH_NUMBER,
            Agent,
            Retry::Never,
        ),
        (
            400,
            21211,
            code::CARRIER_NO_SUCH_NUMBER,
            Agent,
            Retry::Never,
        ),
        (
            400,
            21214,
            code::CARRIER_NO_SUCH_NUMBER,
            Agent,
            Retry::Never,
        ),
        (
            400,
            21217,
            code::CARRIER_NO_SUCH_NUMBER,
            Agent,
            Retry::Never,
        ),
        (
            400,
            13224,
            code::CARRIER_NO_SUCH_NUMBER,
            Agent,
            Retry::Never,
        ),
        (
            403,
            21215,
            code::CARRIER_NOT_PERMITTED,
            Config,
            Retry::Never,
        ),
        (
            403,
            13227,
            code::CARRIER_NOT_PERMITTED,
            Config,
            Retry::Never,
        ),
        (
            403,
            21216,
            code::CARRIER_NOT_PERMITTED,
            Config,
            Retry::Never,
        ),
        (
            403,
            13225,
            code::CARRIER_NOT_PERMITTED,
            Config,
            Retry::Never,
        ),
        (
            400,
            21219,
            code::CARRIER_NOT_PERMITTED,
            Config,
            Retry::Never,
        ),
        (429, 20429, code::CARRIER_BUSY, Carrier, Retry::IfNotSent),
        (400, 10004, code::CARRIER_BUSY, Carrier, Retry::IfNotSent),
        (400, 21205, code::CARRIER_REFUSED, Carrier, Retry::Never),
        (400, 21626, code::CARRIER_REFUSED, Carrier, Retry::Never),
        (
            404,
            20404,
            code::CARRIER_NO_SUCH_CALL,
            Blame::Gateway,
            Retry::Never,
        ),
    ];
    for (status, number, code, blame, retry) in cases {
        let message = "Twilio could not call +15551230000 (555 123-0000), see the log";
        let body = json!({"code": number, "message": message, "status": status,
            "more_info": format!("https://www.twilio.com/docs/errors/{number}")});
        let fault = dial_answered_with(status, body)
            .await
            .expect_err("it is refused");
        assert_eq!(
            (fault.code, fault.blame, fault.retry),
            (code, blame, retry),
            "{number}"
        );
        assert!(fault.message.contains(&number.to_string()), "{fault}");
        assert!(
            fault.hint.as_ref().is_some_and(|it| it.len() > 20),
            "{number}"
        );
        let told = format!("{fault:?}");
        assert!(
            !told.contains("5551230000") && !told.contains("123-0000"),
            "{told}"
        );
        assert!(!told.contains(TOKEN), "{told}");
    }
    println!("refusals understood: {}", cases.len());
}

#[tokio::test]
async fn a_refusal_that_is_not_twilios_goes_by_its_status() {
    for (status, code, retry) in [
        (401, code::CARRIER_CREDENTIALS, Retry::Never),
        (404, code::CARRIER_NO_SUCH_CALL, Retry::Never),
        (429, code::CARRIER_BUSY, Retry::IfNotSent),
        (403, code::CARRIER_REFUSED, Retry::Never),
        (302, code::CARRIER_REFUSED, Retry::Never),
    ] {
        let fault = dial_answered_with(status, json!("<html>no</html>")).await;
        let fault = fault.expect_err("it is refused");
        assert_eq!((fault.code, fault.retry), (code, retry), "{status}");
    }
}

#[tokio::test]
async fn a_call_that_is_over_is_hung_up() {
    for (status, number) in [(404, 20404), (400, 21220), (404, 0)] {
        let exchange = Recorder::start(vec![(status, json!({"code": number}))]).await;
        let done = carrier_at(exchange.address).calls.hang_up(&leg()).await;
        assert!(done.is_ok(), "{done:?}");
        assert_eq!(exchange.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_up_is_tried_again_but_not_for_ever() {
    let busy = (429, json!({"code": 20429}));
    let trouble = (503, json!({}));
    let done = (200, json!({}));
    let exchange = Recorder::start(vec![busy, trouble.clone(), done]).await;
    carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect("the third time");
    assert_eq!(exchange.requests().len(), 3);

    let exchange = Recorder::start(vec![trouble]).await;
    let fault = carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect_err("never");
    assert_eq!(
        (fault.code, fault.retry),
        (code::CARRIER_UNREACHABLE, Retry::Now)
    );
    assert_eq!(exchange.requests().len(), 3);

    let exchange = Recorder::start(vec![(401, json!({"code": 20003}))]).await;
    let fault = carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect_err("never");
    assert_eq!(fault.code, code::CARRIER_CREDENTIALS);
    assert_eq!(exchange.requests().len(), 1, "it would fail the same way");
}

#[tokio::test]
async fn names_that_are_no_calls_never_get_into_a_path() {
    let exchange = Recorder::start(vec![(200, json!({}))]).await;
    let calls = carrier_at(exchange.address).calls;
    for name in [
        "",
        "CA1",
        "../Calls",
        "CA1111111111111111111111111111111/",
        "AC11111111111111111111111111111111",
    ] {
        let fault = calls.hang_up(&Leg(name.to_owned())).await.expect_err(name);
        assert_eq!(fault.code, code::CARRIER_NO_SUCH_CALL);
        assert!(calls.status(&Leg(name.to_owned())).await.is_err());
    }
    assert!(exchange.requests().is_empty());
}

#[tokio::test]
async fn doctor_hears_about_the_account() {
    let number = json!({"incoming_phone_numbers": [{"phone_number": "+15550001111"}]});
    let none = json!({"incoming_phone_numbers": []});
    for (answer, expected) in [
        (
            number,
            "Twilio took the credentials; the account has +155…11, perhaps more",
        ),
        (
            none,
            "Twilio took the credentials; the account has no phone number yet",
        ),
    ] {
        let exchange = Recorder::start(vec![(200, answer)]).await;
        let line = carrier_at(exchange.address)
            .calls
            .check()
            .await
            .expect("all is well");
        assert_eq!(line, expected);
    }
    let exchange = Recorder::start(vec![(401, json!({"code": 20003}))]).await;
    let fault = carrier_at(exchange.address)
        .calls
        .check()
        .await
        .expect_err("refused");
    assert_eq!(
        (fault.code, fault.blame),
        (code::CARRIER_CREDENTIALS, Blame::Config)
    );
}

/// Writes down what it is asked, and gives prepared answers: the last one again and again.
struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

/// A request as it came in.
#[derive(Clone, Debug)]
struct Recorded {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    form: Vec<(String, String)>,
}

type Answers = Vec<(u16, Value)>;

impl Recorder {
    async fn start(answers: Answers) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let state = (requests.clone(), Arc::new(answers));
        let app = Router::new().fallback(record).with_state(state);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<Recorded> {
        self.requests
            .lock()
            .expect("no test panics holding it")
            .clone()
    }
}

type Records = (Arc<Mutex<Vec<Recorded>>>, Arc<Answers>);

async fn record(State((requests, answers)): State<Records>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 64 * 1024)
        .await
        .expect("requests are short");
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (
            name.to_string(),
            value.to_str().expect("headers are ASCII").to_owned(),
        )
    };
    let pairs = |text: &[u8]| {
        form_urlencoded::parse(text)
            .into_owned()
            .collect::<Vec<_>>()
    };
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        headers: parts.headers.iter().map(header).collect(),
        form: pairs(&body),
    };
    let mut requests = requests.lock().expect("no test panics holding it");
    let (status, answer) = &answers[requests.len().min(answers.len() - 1)];
    requests.push(recorded);
    let status = StatusCode::from_u16(*status).expect("a status");
    (
        status,
        [("location", "/elsewhere")],
        axum::Json(answer.clone()),
    )
}

impl Recorded {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|it| &**it)
    }
}

/// Twilio's description of its API, cut to what concerns calls, its bodies closed: a parameter
/// that it does not name is an error.
struct Api(Value);

impl Api {
    fn read() -> Self {
        Self(oracle("twilio/twilio-voice.openapi.json"))
    }

    fn check(&self, request: &Recorded) {
        let (template, operation) = self.operation(request);
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<&Value> = parameters.collect();
        for (name, value) in path_values(template, &request.path) {
            let named = |it: &&&Value| it["in"] == "path" && it["name"] == *name;
            let parameter = parameters
                .iter()
                .find(named)
                .expect("every path parameter is named");
            self.validate(&parameter["schema"], &json!(value), request);
        }
        for (name, value) in &request.query {
            let named = |it: &&&Value| it["in"] == "query" && it["name"] == *name;
            let parameter = parameters.iter().find(named);
            let parameter = parameter.unwrap_or_else(|| panic!("no query parameter {name}"));
            self.validate(
                &parameter["schema"],
                &typed(&parameter["schema"], value),
                request,
            );
        }
        let kind = "application/x-www-form-urlencoded";
        let body = &operation["requestBody"]["content"][kind];
        if body.is_null() {
            assert!(request.form.is_empty(), "{request:?}");
        } else {
            assert_eq!(request.header("content-type"), Some(kind));
            self.validate(
                &body["schema"],
                &object(&body["schema"], &request.form),
                request,
            );
        }
    }

    fn operation(&self, request: &Recorded) -> (&str, &Value) {
        let paths = self.0["paths"]
            .as_object()
            .expect("an OpenAPI description has paths");
        let found = paths.iter().find(|(template, _)| {
            let (template, path) = (template.split('/'), request.path.split('/'));
            template.clone().count() == path.clone().count()
                && template
                    .zip(path)
                    .all(|(t, p)| t == p || (t.contains('{') && !p.ends_with("s.json")))
        });
        let (template, item) = found.unwrap_or_else(|| panic!("no such path: {}", request.path));
        let operation = &item[request.method.to_lowercase()];
        assert!(operation.is_object(), "no {} on {template}", request.method);
        (template, operation)
    }

    fn validate(&self, schema: &Value, instance: &Value, request: &Recorded) {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .build(&schema)
            .expect("the description's schemas are schemas");
        let errors: Vec<_> = validator
            .iter_errors(instance)
            .map(|it| it.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {request:?}");
    }
}

/// A form as the object that its schema describes: repeated names are lists.
fn object(schema: &Value, form: &[(String, String)]) -> Value {
    let mut object = Map::new();
    for (name, value) in form {
        let property = &schema["properties"][name];
        if property["type"] == "array" {
            let list = object.entry(name).or_insert_with(|| json!([]));
            let list = list.as_array_mut().expect("it was made as a list");
            list.push(typed(&property["items"], value));
        } else {
            let twice = object.insert(name.clone(), typed(property, value));
            assert!(twice.is_none(), "{name} is there twice");
        }
    }
    Value::Object(object)
}

/// A form's text as the type that its schema asks for, if it can be read as that.
fn typed(schema: &Value, text: &str) -> Value {
    let value = match schema["type"].as_str() {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).ok(),
        Some(_) | None => None,
    };
    value.unwrap_or_else(|| json!(text))
}

fn path_values<'p>(template: &'p str, path: &'p str) -> Vec<(&'p str, &'p str)> {
    let pairs = template.split('/').zip(path.split('/'));
    let pairs = pairs.filter_map(|(template, part)| {
        let (name, rest) = template.strip_prefix('{')?.split_once('}')?;
        Some((name, part.strip_suffix(rest)?))
    });
    pairs.collect()
}

#[test]
fn the_check_itself_refuses_what_twilio_would() {
    let good = Recorded {
        method: "POST".to_owned(),
        path: format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json"),
        query: Vec::new(),
        headers: [(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )]
        .into(),
        form: [
            ("To", "+15551230000"),
            ("From", "+15551230001"),
            ("Timeout", "25"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec(),
    };
    let api = Api::read();
    api.check(&good);
    let spoil = |spoiled: &dyn Fn(&mut Recorded)| {
        let mut request = good.clone();
        spoiled(&mut request);
        let api = std::panic::AssertUnwindSafe(&api);
        std::panic::catch_unwind(|| api.check(&request)).expect_err("it must be refused");
    };
    spoil(&|it| it.form[0].0 = "to".to_owned());
    spoil(&|it| it.form.truncate(1));
    spoil(&|it| it.form[2].1 = "25.5".to_owned());
    spoil(&|it| it.form.push(("Sid".to_owned(), String::new())));
    spoil(&|it| it.path = it.path.replace("AC", "AD"));
    spoil(&|it| it.path = it.path.replace("Calls", "Call"));
    spoil(&|it| it.method = "PUT".to_owned());
}

/// The answer that the description gives as an example.
fn example(path: &str, method: &str, status: &str) -> Value {
    let api = oracle("twilio/twilio-voice.openapi.json");
    let path = format!("/2010-04-01/Accounts/{{AccountSid}}/{path}");
    let answer = &api["paths"][&path][method]["responses"][status];
    let examples = answer["content"]["application/json"]["examples"].as_object();
    let first = examples
        .and_then(|it| it.values().next())
        .expect("there is an example");
    first["value"].clone()
}

fn golden(action: &str) -> Value {
    let golden = oracle("vectors/golden-requests.json");
    let all = golden["twilio"].as_array().expect("a list");
    all.iter()
        .find(|it| it["action"] == action)
        .expect("it is on the list")
        .clone()
}

fn basic() -> String {
    use base64::Engine as _;
    let pair = format!("{ACCOUNT}:{TOKEN}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

fn sorted(form: &[(String, String)]) -> Vec<(String, String)> {
    let mut form = form.to_vec();
    // A stable sort: what repeats a name keeps its order.
    form.sort_by(|a, b| a.0.cmp(&b.0));
    form
}

async fn dial_answered_with(status: u16, body: Value) -> Result<Leg, Fault> {
    let exchange = Recorder::start(vec![(status, body)]).await;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let outcome = carrier_at(exchange.address)
        .calls
        .dial(dial(&from, &to))
        .await;
    assert_eq!(exchange.requests().len(), 1, "a dial is one request");
    outcome
}

fn dial<'a>(from: &'a Number, to: &'a Number) -> Dial<'a> {
    Dial {
        from,
        to,
        voice_url: "https://e.com/v",
        status_url: "https://e.com/s",
        ring: Duration::from_secs(25),
        limit: Duration::from_secs(600),
    }
}

fn number(text: &str) -> Number {
    Number::parse(text).expect("the test's numbers are numbers")
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

fn ended(by: Party, why: Why) -> Status {
    Status::Ended(End { by, why })
}
