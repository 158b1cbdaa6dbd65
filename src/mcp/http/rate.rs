//! Limits the requests of each client address with a token bucket.
//!
//! The crate `governor` is not used: its keyed limiter grows with every new address, and this table must not grow.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::refusal::HttpRefusal;

/// Most addresses with a bucket of their own.
const ADDRESSES: usize = 4_096;
/// Shortest time between two searches of a full table for buckets that can be removed.
const SWEEPING: Duration = Duration::from_secs(1);

/// A token bucket for each address.
#[derive(Debug)]
pub struct RateLimiter {
    per_minute: u32,
    table: Mutex<BucketTable>,
}

#[derive(Debug, Default)]
struct BucketTable {
    buckets: HashMap<IpAddr, Bucket>,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl RateLimiter {
    /// Buckets of `per_minute` requests, which refill evenly; 0 means no limit.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, table: Mutex::default() }
    }

    /// Takes `requests` out of the address's bucket, or none of them.
    ///
    /// # Errors
    /// The bucket has too few; the refusal has the time to wait.
    pub fn take(&self, address: IpAddr, requests: u32, now: Instant) -> Result<(), HttpRefusal> {
        self.take_after(address, 0, requests, now)
    }

    /// The same for a batch of which `taken` requests were taken already. A retry takes those again, so the time in the
    /// refusal is the one until there is room for all.
    fn take_after(
        &self,
        address: IpAddr,
        taken: u32,
        requests: u32,
        now: Instant,
    ) -> Result<(), HttpRefusal> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let wanted = f64::from(requests);
        let again = wanted + f64::from(taken);
        let most = f64::from(self.per_minute);
        let per_second = most / 60.0;
        let full = Bucket { left: most, filled: now };
        let level = |bucket: Bucket| {
            let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
            (bucket.left + since * per_second).min(most)
        };
        let mut address = network(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let BucketTable { buckets, swept } = &mut *table;
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&address) {
            // A full bucket is equal to a new one.
            if swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEPING) {
                *swept = Some(now);
                buckets.retain(|_, bucket| level(*bucket) < most);
            }
            if buckets.len() >= ADDRESSES {
                // The table is full of active addresses: new ones share a bucket.
                address = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        let bucket = buckets.entry(address).or_insert(full);
        let left = level(*bucket);
        if left >= wanted {
            *bucket = Bucket { left: left - wanted, filled: now };
            Ok(())
        } else if again > most {
            Err(HttpRefusal::batch(self.per_minute))
        } else {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 60")]
            let seconds = ((again - left) / per_second).ceil() as u64;
            Err(HttpRefusal::rate(seconds.max(1)))
        }
    }
}

/// A request that was counted once. If its body is a batch, the other messages are counted later.
#[derive(Clone, Debug)]
pub struct CountedRequest {
    rate: Arc<RateLimiter>,
    address: IpAddr,
}

impl CountedRequest {
    /// Counts a request from `address`.
    ///
    /// # Errors
    /// The address sent too many requests.
    pub fn count(rate: &Arc<RateLimiter>, address: IpAddr) -> Result<Self, HttpRefusal> {
        rate.take(address, 1, Instant::now())?;
        Ok(Self { rate: Arc::clone(rate), address })
    }

    /// Counts the messages of a batch after the first.
    ///
    /// # Errors
    /// The address sent too many requests.
    pub fn count_batch(&self, messages: usize) -> Result<(), HttpRefusal> {
        let further = u32::try_from(messages.saturating_sub(1)).unwrap_or(u32::MAX);
        self.rate.take_after(self.address, 1, further, Instant::now())
    }
}

/// The /64 network of an IPv6 address: one client has all of it (RFC 6177, section 2).
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
        let rate = RateLimiter::new(60);
        let (now, one, other) = (Instant::now(), Ipv4Addr::LOCALHOST.into(), "192.0.2.1".parse().unwrap());
        for _ in 0..60 {
            assert!(rate.take(one, 1, now).is_ok());
        }
        assert!(rate.take(one, 1, now).is_err());
        assert!(rate.take(other, 1, now).is_ok());
        assert!(rate.take(one, 1, now + Duration::from_millis(1_001)).is_ok());
        assert!(rate.take(one, 1, now + Duration::from_millis(1_002)).is_err());
    }

    #[test]
    fn neighbours_in_one_network_share() {
        let rate = RateLimiter::new(1);
        let now = Instant::now();
        assert!(rate.take("2001:db8::1".parse().unwrap(), 1, now).is_ok());
        assert!(rate.take("2001:db8::ffff".parse().unwrap(), 1, now).is_err());
        assert!(rate.take("2001:db8:0:1::1".parse().unwrap(), 1, now).is_ok());
    }

    #[test]
    fn the_table_is_bounded() {
        let rate = RateLimiter::new(2);
        let now = Instant::now();
        for number in 0..100_000_u32 {
            let _ = rate.take(Ipv4Addr::from_bits(number).into(), 1, now);
        }
        assert!(rate.table.lock().unwrap().buckets.len() <= ADDRESSES + 1);
        // After the attack, new addresses are served again.
        assert!(rate.take("2001:db8::1".parse().unwrap(), 1, now + Duration::from_secs(120)).is_ok());
    }

    #[test]
    fn a_batch_takes_what_it_holds_or_nothing() {
        let rate = RateLimiter::new(60);
        let (now, address) = (Instant::now(), Ipv4Addr::LOCALHOST.into());
        assert!(rate.take(address, 59, now).is_ok());
        assert!(rate.take(address, 2, now).is_err());
        assert!(rate.take(address, 1, now).is_ok());
        let later = now + Duration::from_secs(3);
        assert!(rate.take(address, 4, later).is_err());
        assert!(rate.take(address, 3, later).is_ok());
    }

    #[test]
    fn a_batch_that_waits_as_long_as_it_is_told_is_taken() {
        let rate = RateLimiter::new(60);
        let (now, address) = (Instant::now(), Ipv4Addr::LOCALHOST.into());
        assert!(rate.take(address, 51, now).is_ok());
        let refusal = rate.take_after(address, 1, 29, now).unwrap_err();
        let seconds = refusal.retry_after().unwrap();
        let later = now + Duration::from_secs(seconds);
        assert!(rate.take(address, 1, later).is_ok());
        assert!(rate.take_after(address, 1, 29, later).is_ok());
        // One more than the bucket can ever hold.
        assert_eq!(rate.take_after(address, 1, 60, later).unwrap_err().retry_after(), None);
    }

    #[test]
    fn zero_is_no_limit() {
        let rate = RateLimiter::new(0);
        assert!((0..1_000).all(|_| rate.take(Ipv4Addr::LOCALHOST.into(), 1, Instant::now()).is_ok()));
    }
}
