//! What a plan of a host is made of, by one evaluation: for a flake whose changes no fingerprint tells.
//!
//! Where the host is, its facts and its system are of one state of the flake then, whatever became of its files
//! meanwhile. A system that was built of that state is this system.

use super::error::ProposeError;
use super::facts::{self, Facts};
use crate::deploy::host::endpoint::{self as place, HostEndpoint, Told};
use crate::flake::hosts::{HOSTS, toplevel};
use crate::flake::{Answer, Flake, Instantiate, Question, Step, UnreadPart};
use crate::names::{HostName, StorePath};
use crate::progress::Call;

/// The parts of the answer, as the probe names them.
const BUILT: &str = "built";
const FACTS: &str = "facts";
const PLACE: &str = "place";

/// Where a host is, what its configuration says, and the system it gives.
pub(super) async fn of(
    flake: &Flake,
    host: &HostName,
    call: &Call,
) -> Result<(HostEndpoint, Facts, StorePath), ProposeError> {
    call.report_message(format!("evaluating {host}"));
    let question = Question::new([HOSTS, host.as_str()], "proposal");
    let Answer { mut value, unread } =
        match flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop() {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Ok(flake.explain(host, error, call).await?),
            None => Answer::default(),
        };
    if let Some(part) = unread.iter().find(|part| part.covers([BUILT])) {
        return Ok(flake.explain(host, part.error.clone(), call).await?);
    }
    let mut told = |name: &str| {
        let value = value.get_mut(name).map(serde_json::Value::take).unwrap_or_default();
        Told { value, unread: below(&unread, name) }
    };
    let system = toplevel(host, &told(BUILT).value)?;
    let facts = facts::said(flake, host, told(FACTS))?;
    Ok((place::said(flake, host, Ok(told(PLACE)))?, facts, system))
}

/// What of one part could not be read, by its places in that part.
fn below(unread: &[UnreadPart], name: &str) -> Vec<UnreadPart> {
    let of_it = |part: &UnreadPart| match part.part.split_first() {
        Some((first, rest)) if *first == Step::from(name) => {
            Some(UnreadPart { part: rest.to_vec(), ..part.clone() })
        }
        // Reading ended before it.
        _ if part.covers([name]) => Some(UnreadPart { part: Vec::new(), ..part.clone() }),
        _ => None,
    };
    unread.iter().filter_map(of_it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Diagnostic};

    #[test]
    fn where_reading_ended_all_behind_it_is_unread() {
        let part = |place: &[&str], rest: bool| UnreadPart {
            rest,
            ..UnreadPart::new(place.iter().copied(), Diagnostic::new(Code::Throw, "no"))
        };
        let unread = [part(&["facts", "ssh", "ports"], false), part(&["facts", "users"], true)];
        let facts = [part(&["ssh", "ports"], false), part(&["users"], true)];
        assert_eq!(below(&unread, FACTS), facts);
        let place = below(&unread, PLACE);
        assert_eq!(place, [part(&[], true)]);
        assert!(place.iter().any(|part| part.covers(["target"])));
        assert_eq!(below(&unread, BUILT), []);
    }
}
