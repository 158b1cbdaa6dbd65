//! Ids of plans.

use super::name;

name!(
    /// The id of a plan: `plan-` and 26 random characters of base32 (RFC 4648, in lower case).
    PlanId, "a plan", at most 31,
    "plan- and 26 characters of a-z and 2-7, as plan_deploy and `pantheros-mcp plans` show it",
    "^plan-[a-z2-7]{26}$",
    |given| {
        given.strip_prefix(PLAN_PREFIX).is_some_and(|rest| {
            rest.len() == PLAN_CHARACTERS && rest.bytes().all(|byte| BASE32.contains(&byte))
        })
    }
);

const PLAN_PREFIX: &str = "plan-";
/// 130 random bits, which cannot be guessed.
const PLAN_CHARACTERS: usize = 26;
/// The alphabet of RFC 4648, section 6, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl PlanId {
    /// A new random id.
    ///
    /// # Errors
    /// The system provides no random bytes.
    pub fn random() -> std::io::Result<Self> {
        let bytes = crate::random::bytes::<PLAN_CHARACTERS>()?;
        let characters = bytes.iter().filter_map(|byte| BASE32.get(usize::from(byte % 32)));
        Ok(Self(PLAN_PREFIX.chars().chain(characters.map(|byte| char::from(*byte))).collect()))
    }

    /// Its last six characters, which a person types to confirm a plan of several hosts.
    #[must_use]
    pub fn ending(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(6)..).unwrap_or(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_plan_names_are_refused() {
        let id = PlanId::random().unwrap();
        assert_eq!(id.as_str().parse::<PlanId>().unwrap(), id);
        assert_ne!(PlanId::random().unwrap(), id);
        assert!(id.as_str().ends_with(id.ending()) && id.ending().len() == 6);
        let rest = "a".repeat(26);
        for given in [
            String::new(),
            "plan-".to_owned(),
            format!("../../{rest}"),
            format!("plan-../{}", "a".repeat(23)),
            format!("plan-{rest}a"),
            format!("plan-{rest}\n"),
            format!("plan-{}\0", "a".repeat(25)),
            format!("plan-{}/", "a".repeat(25)),
            format!("plan-{}", "A".repeat(26)),
            format!("plan-{}", "1".repeat(26)),
            format!("--{rest}"),
            format!("/plan-{rest}"),
        ] {
            assert!(given.parse::<PlanId>().is_err(), "{given:?} was accepted");
        }
    }
}
