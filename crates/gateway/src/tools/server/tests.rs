use std::path::Path;

use super::*;

/// A server in a few lines. It writes down that it started, which process it is, and what is taken back; two of its
/// tools have ends that nobody wants.
const SCRIPT: &str = r#"
echo "started $$" >> "$LOG"
echo "a word of the caller's" >&2
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) answer '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"calendar","version":"1"}}' ;;
    *'"tools/list"'*) answer '{"tools":[
      {"name":"free.days","description":"When the owner is free","inputSchema":{"type":"object","properties":{"day":{"type":"string"}}}},
      {"name":"free_days","inputSchema":{"type":"object"}},
      {"name":"die","inputSchema":{"type":"object"}},
      {"name":"hang","inputSchema":{"type":"object"}}]}' ;;
    *'"free.days"'*) answer '{"content":[{"type":"text","text":"Friday is free."},{"type":"image","data":"AA==","mimeType":"image/png"}]}' ;;
    *'"free_days"'*) answer '{"content":[{"type":"text","text":"No such day."}],"isError":true}' ;;
    *'"die"'*) exit 1 ;;
    *'"hang"'*) echo asked >> "$LOG" ;;
    *'"notifications/cancelled"'*) echo cancelled >> "$LOG" ;;
  esac
done
"#;

fn server(log: &Path, only: Only) -> Arc<Server> {
    let log = log.to_str().expect("a plain path").to_owned();
    let script = SCRIPT.replace("[\n", "[").replace(",\n", ",");
    let at = At::Program {
        command: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        environment: vec![("LOG".to_owned(), Secret::new(log))],
    };
    Arc::new(Server::new("calendar".to_owned(), at, only))
}

fn written(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

/// Until that is so, which takes moments.
async fn until(so: impl Fn() -> bool) {
    let done = async {
        while !so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), done)
        .await
        .expect("it takes moments");
}

#[tokio::test]
async fn a_program_lists_its_tools_and_is_started_again_when_it_dies() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("log");
    let server = server(&log, Only::All);
    let [nothing] = &server.told()[..] else {
        panic!("one thing is told: that it is not there");
    };
    assert_eq!(nothing.name, "calendar");
    assert!(nothing.about.starts_with("Not there"));
    server.come(START).await;
    let told = server.told();
    let names: Vec<_> = told.iter().map(|it| &*it.name).collect();
    // Two of them look the same to a model: it is told of the first.
    let three = ["calendar_free_days", "calendar_die", "calendar_hang"];
    assert_eq!(names, three);
    assert_eq!(told[0].about, "When the owner is free");
    assert_eq!(told[0].takes["properties"]["day"]["type"], "string");
    let offer = server.offer("calendar_free_days").expect("it has it");
    let takes = json!({ "day": "Friday" });
    let done = server.have_done(&offer.theirs, &takes).await;
    assert_eq!(done, Used::Done("Friday is free.".to_owned().into()));
    // What a server says of a failure is as much its own as all else.
    let done = server.have_done("free_days", &takes).await;
    let why = "It failed: No such day.".to_owned();
    assert_eq!(done, Used::Done(why.into()));

    assert_eq!(server.have_done("die", &takes).await, gone());
    assert_eq!(server.have_done("free.days", &takes).await, gone());
    assert_eq!(written(&log).matches("started").count(), 1, "not at once");
    assert!(
        server.offer("calendar_free_days").is_some(),
        "it may come back"
    );
    server.line.lock().await.again = Instant::now();
    let done = server.have_done("free.days", &takes).await;
    assert_eq!(done, Used::Done("Friday is free.".to_owned().into()));
    assert_eq!(written(&log).matches("started").count(), 2);
}

#[tokio::test]
async fn what_is_taken_back_is_told_to_the_server_which_ends_with_us() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let log = folder.path().join("log");
    let server = server(&log, Only::These(vec!["hang".to_owned()]));
    server.come(START).await;
    let told = server.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(server.offer("calendar_die").is_none(), "nobody allowed it");
    let used = server.clone();
    let hangs = tokio::spawn(async move { used.have_done("hang", &json!({})).await });
    until(|| written(&log).contains("asked")).await;
    hangs.abort();
    until(|| written(&log).contains("cancelled")).await;
    let text = written(&log);
    let process = text.split_whitespace().nth(1).expect("its number");
    let stat = format!("/proc/{process}/stat");
    assert!(Path::new(&stat).exists());
    drop(hangs.await);
    drop(server);
    until(|| std::fs::read_to_string(&stat).map_or(true, |it| it.contains(") Z "))).await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_keeps_nobody_waiting() {
    let at = At::Program {
        command: vec!["/nowhere/at/all".to_owned()],
        environment: Vec::new(),
    };
    let server = Arc::new(Server::new("calendar".to_owned(), at, Only::All));
    server.come(START).await;
    assert_eq!(server.told().len(), 1);
    assert_eq!(server.have_done("free", &json!({})).await, gone());
    assert_eq!(format!("{server:?}"), "Server(calendar)");
}

#[test]
fn a_server_of_no_use_is_left_alone_longer_each_time() {
    let pauses: Vec<_> = (0..8).map(|it| pause(it).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(pause(u32::MAX).as_secs(), 60);
}

#[test]
fn what_a_server_answers_is_bounded() {
    let long = "x".repeat(LONGEST_RESULT + 1);
    assert_eq!(bounded(long), failed("its answer is too long"));
    let value = json!({ "free": true });
    let structured = CallToolResult::structured(value.clone());
    let text = value.to_string();
    assert_eq!(read(&structured), Used::Done(text.into()));
}
