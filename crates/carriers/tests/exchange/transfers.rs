//! Calls that are put through by the carrier itself.

use std::time::Duration;

use call::event::{End, Party, Why};
use exchange::mischief::{Callbacks, Mischief};
use exchange::phone::{PhonePlan, Pickup, Step};
use ports::carrier::{Door, News};

use super::house::{House, OTHER, OURS, THEIRS, up};

#[tokio::test]
async fn two_who_talk_are_joined_and_then_parted() {
    for name in exchange::CARRIERS {
        let other = PhonePlan::answers(ms(200), [Step::Wait(ms(600)), Step::HangUp]);
        let (house, call) = a_call(name, other, Callbacks::default()).await;
        house.put_through(&call, 1).await;
        ended(&house, &call).await;
        let news = after_the_offer(&house, &call);
        let (joined, rest) = joined(&news);
        assert!(joined >= 1, "{name}: {news:?}");
        // Who tells first that it is over, the one leg or the other, is not the same everywhere.
        let (parted, over): (Vec<_>, Vec<_>) = rest.into_iter().partition(|it| *it == News::Parted);
        assert_eq!(parted.len(), 1, "{name}: {news:?}");
        let ends = match &over[..] {
            [News::Ended(end)] => (end.by, end.why),
            _ => panic!("{name}: {news:?}"),
        };
        // A call that asked is ended by our reply, and we know that by ourselves.
        if !house.replies() {
            assert_eq!(ends, (Party::Carrier, Why::Completed), "{name}");
        }
    }
}

#[tokio::test]
async fn a_call_that_nobody_takes_is_put_back_for_the_reason_there_is() {
    for name in exchange::CARRIERS {
        for (pickup, why) in [
            (Pickup::Busy, Why::Busy),
            (Pickup::NoAnswer, Why::NoAnswer),
            (Pickup::Unreachable, Why::Fault),
        ] {
            let other = PhonePlan::never_talks(pickup);
            let (house, call) = a_call(name, other, Callbacks::default()).await;
            house.put_through(&call, 2).await;
            let news = put_back(&house, 1).await;
            assert_eq!(news, [News::PutBack(why)], "{name} {pickup:?}");
        }
    }
}

#[tokio::test]
async fn a_call_can_be_put_back_twice_and_each_time_that_is_news() {
    for name in exchange::CARRIERS {
        let callbacks = Callbacks {
            duplicates: 1,
            forged: 1,
            ..Callbacks::default()
        };
        let other = PhonePlan::never_talks(Pickup::Busy);
        let (house, call) = a_call(name, other, callbacks).await;
        house.put_through(&call, 1).await;
        put_back(&house, 1).await;
        house.put_through(&call, 2).await;
        let news = put_back(&house, 2).await;
        assert_eq!(
            news,
            [News::PutBack(Why::Busy), News::PutBack(Why::Busy)],
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_caller_who_leaves_while_it_rings_ends_the_call() {
    for name in exchange::CARRIERS {
        let other = PhonePlan::never_talks(Pickup::NoAnswer);
        let (house, call) = a_short_call(name, other).await;
        house.put_through(&call, 1).await;
        let outcome = ended(&house, &call).await;
        assert_eq!(outcome.ended_by, exchange::EndedBy::Caller, "{name}");
        let news = after_the_offer(&house, &call);
        let over = News::Ended(End {
            by: Party::Caller,
            why: Why::HungUp,
        });
        assert!(!news.is_empty(), "{name}");
        assert!(news.iter().all(|it| *it == over), "{name}: {news:?}");
    }
}

/// Somebody calls in, and is up without sound; after eight seconds they hang up.
async fn a_call(name: &str, other: PhonePlan, callbacks: Callbacks) -> (House, String) {
    a_call_of(ms(8_000), name, other, callbacks).await
}

/// The same, but they hang up before a phone has rung for as long as it may.
async fn a_short_call(name: &str, other: PhonePlan) -> (House, String) {
    a_call_of(ms(2_000), name, other, Callbacks::default()).await
}

async fn a_call_of(
    length: Duration,
    name: &str,
    other: PhonePlan,
    callbacks: Callbacks,
) -> (House, String) {
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let plays = |it: exchange::Builder| it.phone(OTHER, other).mischief(mischief);
    let house = House::of(name, plays).await;
    let mut watcher = house.exchange.watch();
    let script = [Step::Wait(length), Step::HangUp];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    up(&mut watcher, &call).await;
    (house, call)
}

async fn ended(house: &House, call: &str) -> std::sync::Arc<exchange::Outcome> {
    let outcome = tokio::time::timeout(Duration::from_secs(30), house.exchange.call(call));
    outcome.await.expect("it ends")
}

/// What was told of a call since it was offered, but for its sound, which leads nowhere. All of it is
/// about that call.
fn after_the_offer(house: &House, call: &str) -> Vec<News> {
    let news = house.news();
    assert!(news.iter().all(|it| it.leg == call), "{news:?}");
    let mut news: Vec<_> = news.into_iter().map(|it| it.news).collect();
    let of_no_matter = |it: &News| {
        matches!(
            it,
            News::Offered { .. } | News::Adrift | News::Unconnected(_)
        )
    };
    news.retain(|it| !of_no_matter(it));
    news
}

/// How often they were said to be joined, and all the rest.
fn joined(news: &[News]) -> (usize, Vec<News>) {
    let (joined, rest): (Vec<_>, Vec<_>) = news.iter().cloned().partition(|it| *it == News::Joined);
    (joined.len(), rest)
}

/// Waits until a call was put back so often, by notices of which none is another's repetition.
async fn put_back(house: &House, times: usize) -> Vec<News> {
    let put_back = async {
        loop {
            let mut notices: Vec<String> = Vec::new();
            let mut put_back = Vec::new();
            for heard in house.news() {
                if matches!(heard.news, News::PutBack(_)) && !notices.contains(&heard.notice) {
                    assert!(heard.door == Door::Again || !house.replies());
                    notices.push(heard.notice);
                    put_back.push(heard.news);
                }
            }
            if put_back.len() >= times {
                return put_back;
            }
            tokio::time::sleep(ms(10)).await;
        }
    };
    let put_back = tokio::time::timeout(Duration::from_secs(7), put_back).await;
    put_back.unwrap_or_else(|_| panic!("it is not put back {times} times: {:?}", house.news()))
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}
