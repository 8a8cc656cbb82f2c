//! `offhook token`.

use jiff::Timestamp;
use ports::{Blame, Fault, code};

use super::{Done, Out};
use crate::access::{Scope, Tokens};
use crate::state;

/// What to do with the tokens of the control API.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make one. It is shown now and never again.
    Create {
        /// What it may do.
        #[arg(long, value_enum, default_value_t = Scope::Read)]
        scope: Scope,
    },
    /// Those there are.
    List,
    /// Make one worthless.
    Revoke {
        /// Its name, as `offhook token list` prints it.
        id: String,
    },
}

/// Does it.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    let mut tokens = Tokens::open(&state::folder())?;
    match args.what {
        What::Create { scope } => {
            let (access, token) = tokens.create(scope, Timestamp::now())?;
            out.json(&serde_json::json!({ "id": access.id, "scope": scope, "token": token }));
            out.line(token);
        }
        What::List => {
            for it in tokens.all() {
                let (id, scope, created) = (&it.id, it.scope, it.created);
                out.json(&serde_json::json!({ "id": id, "scope": scope, "created": created }));
                let scope = format!("{scope:?}").to_lowercase();
                out.line(format_args!("{id}  {scope:<6} {created:.0}"));
            }
        }
        What::Revoke { id } => {
            if !tokens.revoke(&id)? {
                let message = format!("there is no token {id:?}");
                return Err(Fault::new(Blame::Caller, code::GATEWAY_TOKEN, message)
                    .hint("`offhook token list` shows those there are"));
            }
            out.json(&serde_json::json!({ "revoked": id }));
            out.line(format_args!("{id} opens nothing any more"));
        }
    }
    Ok(Done::Well)
}
