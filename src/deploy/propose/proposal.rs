//! Evaluates all parts of a host's plan at once, for a flake whose fingerprint does not detect every change.
//!
//! One evaluation gives the endpoint, the facts and the toplevel of the same state of the flake, even if its files
//! change meanwhile. A build whose toplevel is the same was made from that state.

use super::error::ProposeError;
use super::facts::{self, Facts};
use crate::deploy::host::endpoint::{self, HostEndpoint};
use crate::flake::hosts::{HOSTS, toplevel};
use crate::flake::{Answer, Flake, Instantiate, PathStep, Question, UnreadPart};
use crate::names::{HostName, StorePath};
use crate::progress::Call;

/// Names of the parts of the answer, as in the Nix expression.
const BUILT: &str = "built";
const FACTS: &str = "facts";
const PLACE: &str = "place";

/// Evaluates the endpoint, the facts and the toplevel of a host.
pub(super) async fn evaluate_proposal(
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
    let mut part = |name: &str| {
        let value = value.get_mut(name).map(serde_json::Value::take).unwrap_or_default();
        Answer { value, unread: below(&unread, name) }
    };
    let system = toplevel(host, &part(BUILT).value)?;
    let facts = facts::facts_from_answer(flake, host, part(FACTS))?;
    Ok((endpoint::endpoint_from_answer(flake, host, Ok(part(PLACE)))?, facts, system))
}

/// The unread values below one part; their paths are relative to that part.
fn below(unread: &[UnreadPart], name: &str) -> Vec<UnreadPart> {
    let in_part = |part: &UnreadPart| match part.part.split_first() {
        Some((first, rest)) if *first == PathStep::from(name) => {
            Some(UnreadPart { part: rest.to_vec(), ..part.clone() })
        }
        // The evaluation ended before this part, so all of the part is unread.
        _ if part.covers([name]) => Some(UnreadPart { part: Vec::new(), ..part.clone() }),
        _ => None,
    };
    unread.iter().filter_map(in_part).collect()
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
