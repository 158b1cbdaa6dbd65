//! How many requests one address may send: a token bucket each.
//!
//! Written here rather than taken from `governor`: its keyed limiter grows with every address until
//! somebody sweeps it, and a table that cannot grow is the point of having one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::refusal::Refusal;

/// Most addresses with a bucket of their own.
const ADDRESSES: usize = 4_096;
/// How often a full table is looked through for buckets that are full again.
const SWEEPING: Duration = Duration::from_secs(1);

/// The buckets.
#[derive(Debug)]
pub struct Rate {
    per_minute: u32,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    buckets: HashMap<IpAddr, Bucket>,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Rate {
    /// A bucket of `per_minute` requests for each address, refilled evenly; 0 is no limit.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, table: Mutex::default() }
    }

    /// Takes one request out of the address's bucket.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let most = f64::from(self.per_minute);
        let per_second = most / 60.0;
        let full = Bucket { left: most, filled: now };
        let level = |bucket: Bucket| {
            let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
            (bucket.left + since * per_second).min(most)
        };
        let mut address = network(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { buckets, swept } = &mut *table;
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&address) {
            // A bucket that is full again says nothing that a new one would not.
            if swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEPING) {
                *swept = Some(now);
                buckets.retain(|_, bucket| level(*bucket) < most);
            }
            if buckets.len() >= ADDRESSES {
                // Under such an attack, newcomers share one.
                address = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        let bucket = buckets.entry(address).or_insert(full);
        let left = level(*bucket);
        if left >= 1.0 {
            *bucket = Bucket { left: left - 1.0, filled: now };
            Ok(())
        } else {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 60")]
            let seconds = ((1.0 - left) / per_second).ceil() as u64;
            Err(Refusal::rate(seconds.max(1)))
        }
    }
}

/// Whoever has one IPv6 address has the whole network of it (RFC 6177, section 2).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_bucket_empties_and_fills() {
        let rate = Rate::new(60);
        let (now, one, other) = (Instant::now(), Ipv4Addr::LOCALHOST.into(), "192.0.2.1".parse().unwrap());
        for _ in 0..60 {
            assert!(rate.take(one, now).is_ok());
        }
        assert!(rate.take(one, now).is_err());
        assert!(rate.take(other, now).is_ok());
        assert!(rate.take(one, now + Duration::from_millis(1_001)).is_ok());
        assert!(rate.take(one, now + Duration::from_millis(1_002)).is_err());
    }

    #[test]
    fn neighbours_in_one_network_share() {
        let rate = Rate::new(1);
        let now = Instant::now();
        assert!(rate.take("2001:db8::1".parse().unwrap(), now).is_ok());
        assert!(rate.take("2001:db8::ffff".parse().unwrap(), now).is_err());
        assert!(rate.take("2001:db8:0:1::1".parse().unwrap(), now).is_ok());
    }

    #[test]
    fn the_table_is_bounded() {
        let rate = Rate::new(2);
        let now = Instant::now();
        for number in 0..100_000_u32 {
            let _ = rate.take(Ipv4Addr::from_bits(number).into(), now);
        }
        assert!(rate.table.lock().unwrap().buckets.len() <= ADDRESSES + 1);
        // Once the attack is over, newcomers are served again.
        assert!(rate.take("2001:db8::1".parse().unwrap(), now + Duration::from_secs(120)).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let rate = Rate::new(0);
        assert!((0..1_000).all(|_| rate.take(Ipv4Addr::LOCALHOST.into(), Instant::now()).is_ok()));
    }
}
