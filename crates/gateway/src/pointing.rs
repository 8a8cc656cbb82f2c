//! Where carriers ask about calls to our numbers: where they should, where they do, and mending it.

use call::Number;
use ports::Fault;
use ports::account::{Addresses, Routed};

use crate::config::Plan;
use crate::tunnel::Exposed;

/// What became of pointing a number at us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointed {
    /// It was.
    Already,
    /// It is now.
    Now,
    /// It was left where it goes, since that is not ours to change: where that is.
    Left(String),
}

/// Where a carrier of that name in the configuration is to ask and tell.
pub fn addresses(public_url: &str, carrier: &str) -> Addresses {
    Addresses {
        voice: format!("{public_url}/{carrier}/voice"),
        status: format!("{public_url}/{carrier}/status"),
    }
}

/// Whether a carrier asks and tells where it should. One that has a single address for everything
/// tells where it asks.
pub fn is_at(there: &Addresses, ours: &Addresses) -> bool {
    there.voice == ours.voice && (there.status == ours.status || there.status == ours.voice)
}

/// Whether a carrier of that name asks some gateway, perhaps this one at an earlier address.
pub fn is_some(there: &Addresses, carrier: &str) -> bool {
    there.voice.ends_with(&format!("/{carrier}/voice"))
}

/// Opens the tunnel that a plan asks for, if it does, and writes its address into the plan.
pub async fn open(plan: &mut Plan) -> Result<Option<Exposed>, Fault> {
    let Some(tunnel) = plan.expose else {
        return Ok(None);
    };
    let mut exposed = Exposed::begin(tunnel, plan.listen)?;
    plan.public_url = exposed.address(tunnel).await?;
    Ok(Some(exposed))
}

/// Points every number of the plan's at its public address, but leaves alone what leads elsewhere than
/// to some gateway's address for that carrier.
pub async fn point_all(plan: &Plan) -> Vec<(Number, Result<Pointed, Fault>)> {
    let mut all = Vec::new();
    for (number, ours) in &plan.numbers {
        let numbers = plan
            .carriers
            .get(&ours.carrier)
            .and_then(|it| it.numbers.as_ref());
        let Some(numbers) = numbers else {
            continue;
        };
        let to = addresses(&plan.public_url, &ours.carrier);
        let done = async {
            match numbers.find(number).await?.map(|it| it.routed) {
                Some(Routed::Here(there)) if is_at(&there, &to) => return Ok(Pointed::Already),
                Some(Routed::Here(there)) if is_some(&there, &ours.carrier) => {}
                Some(Routed::Here(there)) => return Ok(Pointed::Left(there.voice)),
                Some(Routed::Elsewhere(what)) => return Ok(Pointed::Left(what)),
                // Where it is not the account's, pointing it says so.
                Some(Routed::Nowhere) | None => {}
            }
            numbers.point(number, &to).await.map(|()| Pointed::Now)
        };
        all.push((number.clone(), done.await));
    }
    all
}

/// The same, told to the log.
pub async fn point_and_tell(plan: &Plan) {
    for (number, pointed) in point_all(plan).await {
        match pointed {
            Ok(Pointed::Already) => {}
            Ok(Pointed::Now) => tracing::info!(?number, "calls to it are asked about here now"),
            Ok(Pointed::Left(to)) => {
                let hint = "run `offhook setup` to take it over";
                tracing::warn!(?number, hint, "calls to it go to {to}, and are left so");
            }
            Err(fault) => {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(?number, code, hint, "it cannot be pointed here: {fault}");
            }
        }
    }
}
