//! Time goes as fast as it can here: nothing is waited for.

use call::event::{Consent, End, Party, Why};
use call::{Event, Trust};
use tempfile::TempDir;

use super::*;
use crate::journal::{CallLog, Journal, Keep, Keys, Parties};
use crate::outbox::{Door, Outbox, Which};

/// A destination that does what it is told, and says what it was given.
struct Scripted {
    given: mpsc::UnboundedSender<(String, String)>,
    answers: Mutex<Vec<Outcome>>,
}

#[async_trait]
impl Deliver for Scripted {
    async fn deliver(&self, letter: &Letter, _: Timestamp) -> Outcome {
        let answer = self.answers.lock().expect("nobody broke").pop();
        let _ = self.given.send((letter.id.clone(), letter.kind.clone()));
        answer.unwrap_or(Outcome::Delivered)
    }
}

struct Scene {
    folder: TempDir,
    journal: Arc<Journal>,
    outbox: Outbox,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let journal = Journal::open(folder.path(), Keep::default(), Keys::default());
        let journal = journal.expect("the folder is ours");
        let plans = [("crm".to_owned(), plan())].into();
        let outbox = Outbox::open(folder.path(), &plans, journal.last());
        let outbox = outbox.expect("the folder is ours");
        Self {
            folder,
            journal,
            outbox,
        }
    }

    /// A call from its first event to its last.
    async fn call(&self, name: &str) {
        let parties = Parties {
            direction: "inbound",
            number: "+15550001111".to_owned().into(),
            caller: None,
            carrier: "pigeon".to_owned(),
            agent: "reception".to_owned(),
            allowed_by: String::new(),
            trust: Trust::Unknown,
            objective: None,
            asked_by: None,
        };
        let log = CallLog::new(name.to_owned(), parties, self.journal.pen());
        let now = std::time::Instant::now();
        log.push(now, Event::Offered);
        log.push(
            now,
            Event::RecordingStarted {
                consent: Consent::Own,
            },
        );
        let end = End {
            by: Party::Caller,
            why: Why::HungUp,
        };
        log.push(now, Event::Ended(end));
        self.journal.pen().flush().await;
    }

    /// Carries with a destination that answers so, the last first, and then well.
    fn carry(
        &self,
        answers: Vec<Outcome>,
    ) -> (
        mpsc::UnboundedReceiver<(String, String)>,
        tokio::task::JoinHandle<()>,
    ) {
        let (given, told) = mpsc::unbounded_channel();
        let mail = Arc::new(Scripted {
            given,
            answers: Mutex::new(answers),
        });
        let reader = self.journal.reader().expect("it is there");
        let follower = Follower::new(
            reader,
            self.journal.durable(),
            ("crm".to_owned(), plan().kinds),
        );
        let places = (self.outbox.store.clone(), self.outbox.oldest.clone());
        let courier = Courier::new("crm".to_owned(), places, mail, plan());
        let (nudged, resting) = (
            self.outbox.nudges["crm"].clone(),
            self.outbox.resting.subscribe(),
        );
        (told, tokio::spawn(courier.run(follower, nudged, resting)))
    }

    async fn account(&self) -> crate::outbox::Account {
        let accounts = self.outbox.store().accounts().await;
        accounts.expect("it can be read").remove(0)
    }

    /// Waits until this is so, which takes no time of ours.
    async fn until(&self, so: impl Fn(&crate::outbox::Account) -> bool) {
        while !so(&self.account().await) {
            sleep(Duration::from_secs(60)).await;
        }
    }
}

fn plan() -> ReportPlan {
    let mut kinds = Kinds::report();
    assert!(kinds.add("call.ended") && kinds.add("call.offered"));
    ReportPlan {
        door: Door::Command(Vec::new()),
        kinds,
        patience: Duration::from_secs(1),
        backoff: Backoff::default(),
    }
}

fn fails(times: usize) -> Vec<Outcome> {
    vec![Outcome::Failed("it answered 500".to_owned(), None); times]
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_for_a_day_is_told_in_order_and_under_the_same_name() {
    let scene = Scene::new();
    let (mut told, _carrying) = scene.carry(fails(9));
    scene.call("a").await;
    let (mut ids, mut kinds) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let (id, kind) = told.recv().await.expect("it is told");
        ids.push(id);
        kinds.push(kind);
    }
    assert!(ids[..10].iter().all(|it| *it == ids[0]), "{ids:?}");
    assert_eq!(kinds[..10], ["call.offered"; 10]);
    assert_eq!(kinds[10..], ["call.ended", "call.report"]);
    scene.until(|it| it.delivered == 3).await;
    let account = scene.account().await;
    assert_eq!((account.failed, account.waiting, account.dead), (9, 0, 0));
    assert_eq!(account.error, None);
    assert_eq!(scene.outbox.age(Timestamp::now()), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_that_never_works_ends_among_the_dead_and_is_told_again_if_wanted() {
    let scene = Scene::new();
    scene.call("a").await;
    let (mut told, _carrying) = scene.carry(fails(14));
    let began = Instant::now();
    scene.until(|it| it.dead == 1 && it.delivered == 2).await;
    assert!(began.elapsed() > Duration::from_secs(2 * 24 * 60 * 60));
    let dead = scene.outbox.store().dead(10).await.expect("it can be read");
    assert_eq!(dead[0].letter.tries.all, 14);
    assert_eq!(dead[0].error, "it answered 500");
    let revived = scene.outbox.revive(Which::All, None).await;
    assert_eq!(revived.ok(), Some(1));
    scene.until(|it| it.dead == 0 && it.delivered == 3).await;
    let mut last = None;
    while let Ok(given) = told.try_recv() {
        last = Some(given.0);
    }
    assert_eq!(last.as_ref(), Some(&dead[0].letter.id));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_away_for_hours_is_told_all_as_soon_as_it_is_back() {
    let scene = Scene::new();
    let away = Outcome::Away("it cannot be reached".to_owned());
    scene.call("a").await;
    scene.call("b").await;
    let (mut told, _carrying) = scene.carry(vec![away; 18]);
    let began = Instant::now();
    scene.until(|it| it.delivered == 6).await;
    let mut last = Vec::new();
    while let Ok(given) = told.try_recv() {
        last.push(given.1);
    }
    // Nine times in vain for each call; then whoever is tried first is told all, and the other at once.
    assert_eq!(last.len(), 18 + 6);
    let whole: Duration = Backoff::default().0[..9].iter().sum();
    assert!(
        began.elapsed() < whole.mul_f64(1.25),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_not_asked_twice() {
    let scene = Scene::new();
    let gone = Outcome::Refused("it answered 410".to_owned());
    let (_told, _carrying) = scene.carry(vec![gone]);
    scene.call("a").await;
    scene.until(|it| it.dead == 1 && it.delivered == 2).await;
    assert_eq!(scene.account().await.failed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_a_gateway_goes_is_told_by_the_next_and_what_was_told_is_not() {
    let scene = Scene::new();
    scene.call("a").await;
    let (mut told, carrying) = scene.carry(fails(1));
    let (first, _) = told.recv().await.expect("it is told");
    scene.outbox.rest();
    carrying.await.expect("it rests");
    let before = scene.account().await;
    assert_eq!((before.waiting, before.failed), (3, 1));
    scene.call("b").await;
    scene.outbox.resting.send_replace(false);
    let (mut told, carrying) = scene.carry(Vec::new());
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(told.recv().await.expect("it is told"));
    }
    assert!(all.iter().any(|(id, _)| *id == first));
    scene.until(|it| it.delivered == 6).await;
    scene.outbox.rest();
    carrying.await.expect("it rests");
    scene.outbox.resting.send_replace(false);
    let (mut told, _carrying) = scene.carry(Vec::new());
    scene.call("c").await;
    let (id, kind) = told.recv().await.expect("it is told");
    assert!(kind == "call.offered" && !all.iter().any(|(it, _)| *it == id));
}

#[tokio::test(start_paused = true)]
async fn nothing_of_what_was_said_is_kept_here() {
    let scene = Scene::new();
    let (_told, _carrying) = scene.carry(fails(1));
    scene.call("a").await;
    scene.until(|it| it.failed == 1).await;
    for name in ["outbox.db", "outbox.db-wal"] {
        let bytes = std::fs::read(scene.folder.path().join(name)).expect("it is there");
        assert!(!bytes.windows(5).any(|it| it == b"15550"), "{name}");
    }
}
