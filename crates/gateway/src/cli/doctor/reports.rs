//! Whether reports arrive.

use ports::Fault;

use super::{Finding, Health};
use crate::config::Plan;
use crate::outbox::{Account, Store};
use crate::state;

/// How the last try of each destination went.
pub(super) async fn examine(plan: &Plan) -> Vec<Finding> {
    if plan.reports.is_empty() {
        return Vec::new();
    }
    let accounts = match accounts().await {
        Ok(accounts) => accounts,
        Err(fault) => return vec![Finding::of_fault("reports", Health::Warn, &fault)],
    };
    let told = plan.reports.iter();
    told.map(|(name, report)| {
        let account = accounts.iter().find(|it| it.name == *name);
        judge(&report.door.shown(), name, account)
    })
    .collect()
}

async fn accounts() -> Result<Vec<Account>, Fault> {
    match Store::of_folder(&state::folder())? {
        Some(store) => store.accounts().await,
        None => Ok(Vec::new()),
    }
}

fn judge(door: &str, name: &str, account: Option<&Account>) -> Finding {
    let what = format!("reports {name}");
    let Some(account) = account else {
        return Finding::ok(what, format!("go to {door}; none was tried yet"));
    };
    let (waiting, dead) = (account.waiting, account.dead);
    let stands = format!("{waiting} wait, {dead} are tried no more");
    match &account.error {
        Some(error) => Finding {
            what,
            health: Health::Warn,
            message: format!("the last try to reach {door} failed: {error}; {stands}"),
            hint: Some("`offhook reports` tells more; `offhook reports replay` tries again what is tried no more".to_owned()),
        },
        None => Finding::ok(what, format!("reach {door}; {stands}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_whose_last_try_failed_is_told_of() {
        let mut account = Account {
            name: "crm".into(),
            waiting: 2,
            delivered: 5,
            failed: 1,
            dead: 1,
            oldest: None,
            tried: None,
            error: None,
        };
        let judged = judge("url crm.example.com", "crm", Some(&account));
        assert_eq!(judged.health, Health::Ok);
        account.error = Some("it answered 500".into());
        let judged = judge("url crm.example.com", "crm", Some(&account));
        assert_eq!(judged.health, Health::Warn);
        assert_eq!(
            judged.message,
            "the last try to reach url crm.example.com failed: it answered 500; 2 wait, 1 are tried no more"
        );
    }
}
