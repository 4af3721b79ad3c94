//! Who calls, how often, and for how much money and how many tokens.
//!
//! Keys are long random texts, so that a plain SHA-256 of each is all that is kept of it. They are
//! compared in constant time, all of them every time. A budget counts what is expected of what is
//! decided: its cost, or its tokens. It can be overdrawn by the calls that are in flight when it
//! ends. Its weakness: this process alone counts, from its start.

use crate::{
    problem::{Code, Problem},
    settings::CheckedKey,
};
use pointsman_core::units::{Tokens, Usd};
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    ops::Add,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use subtle::{Choice, ConstantTimeEq};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Digest {
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let hex = hex.as_bytes();
        let mut digest = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(hex.as_chunks::<2>().0) {
            let digits = pair.map(|digit| char::from(digit).to_digit(16));
            let [Some(high), Some(low)] = digits else { return None };
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        Some(Self(digest))
    }

    fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// Everybody who may call.
#[derive(Debug)]
pub(crate) struct Keys {
    callers: Vec<Arc<Caller>>,
    admin: Option<Digest>,
}

/// Somebody who may call, and what is left to them.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) key: CheckedKey,
    left: Mutex<Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    calls: f64,
    last_ns: u64,
    day: u64,
    spent: Expense,
}

/// What decisions are expected to take of the budgets of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Expense {
    /// Nothing where no price is known.
    pub(crate) cost: Usd,
    /// Of the prompts and of the answers.
    pub(crate) tokens: Tokens,
}

impl Expense {
    /// Of a decision, whose price may not be known.
    pub(crate) fn of(cost: Option<Usd>, tokens: Tokens) -> Self {
        Self { cost: cost.unwrap_or(Usd::ZERO), tokens }
    }
}

impl Add for Expense {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let tokens = self.tokens.get().saturating_add(other.tokens.get());
        Self { cost: self.cost + other.cost, tokens: Tokens::new(tokens) }
    }
}

/// Which of the listeners a call came in at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    Callers,
    Operators,
}

impl Keys {
    pub(crate) fn new(keys: Vec<CheckedKey>, admin: Option<Digest>) -> Self {
        Self { callers: keys.into_iter().map(|key| Arc::new(Caller::new(key))).collect(), admin }
    }

    /// Other keys, with what is left to those who keep their name.
    pub(crate) fn renewed(&self, keys: Vec<CheckedKey>, admin: Option<Digest>) -> Self {
        let caller = |key: CheckedKey| match self
            .callers
            .iter()
            .find(|caller| caller.key.name == key.name)
        {
            Some(same) if same.key == key => Arc::clone(same),
            Some(before) => Arc::new(before.with(key)),
            None => Arc::new(Caller::new(key)),
        };
        Self { callers: keys.into_iter().map(caller).collect(), admin }
    }

    /// Everybody who may call, in the order of the settings.
    pub(crate) fn callers(&self) -> &[Arc<Caller>] {
        &self.callers
    }

    /// Whether a listener takes only those who have a key.
    pub(crate) fn is_guarded(&self, plane: Plane) -> bool {
        match plane {
            Plane::Callers => !self.callers.is_empty(),
            Plane::Operators => self.admin.is_some(),
        }
    }

    /// Who calls, by the value of the `Authorization` header; nobody in particular where the
    /// listener takes everybody.
    pub(crate) fn check(
        &self,
        plane: Plane,
        authorization: Option<&[u8]>,
    ) -> Result<Option<Arc<Caller>>, Problem> {
        if !self.is_guarded(plane) {
            return Ok(None);
        }
        let Some(key) = authorization.and_then(bearer) else {
            let message = "no API key; send it as `Authorization: Bearer KEY`";
            return Err(Problem::new(Code::MissingKey, message));
        };
        let digest = Digest::of(key);
        let mut found = None;
        for caller in &self.callers {
            if bool::from(caller.key.digest.is(&digest)) {
                found = Some(caller);
            }
        }
        let is_admin = self.admin.as_ref().is_some_and(|admin| bool::from(admin.is(&digest)));
        match (plane, found, is_admin) {
            (Plane::Callers, Some(caller), _) => Ok(Some(Arc::clone(caller))),
            (Plane::Operators, _, true) => Ok(None),
            (Plane::Callers, None, true) => Err(Problem::new(
                Code::WrongListener,
                "this is an operator's key; calls need a caller's",
            )),
            (Plane::Operators, Some(_), false) => Err(Problem::new(
                Code::WrongListener,
                "this is a caller's key; operators have one of their own",
            )),
            (Plane::Callers | Plane::Operators, None, false) => {
                Err(Problem::new(Code::UnknownKey, "this API key is not known here"))
            }
        }
    }
}

fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = authorization.split_at_checked(7)?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !key.is_empty()).then_some(key)
}

impl Caller {
    fn new(key: CheckedKey) -> Self {
        let left = Left { calls: key.burst, last_ns: 0, day: 0, spent: Expense::default() };
        Self { left: Mutex::new(left), key }
    }

    /// The same caller by another key, or with other limits.
    fn with(&self, key: CheckedKey) -> Self {
        let left = *self.left();
        let calls = left.calls.min(key.burst);
        Self { left: Mutex::new(Left { calls, ..left }), key }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts some calls, and refuses them where they come too fast or a budget of the day is
    /// spent.
    pub(crate) fn admit(&self, n_calls: f64, elapsed_ns: u64, now_ms: u64) -> Result<(), Problem> {
        let mut left = self.left();
        left.turn(now_ms);
        self.check_spent(left.spent, left.ms_to_turn(now_ms))?;
        let Some(per_second) = self.key.per_second else { return Ok(()) };
        #[expect(clippy::cast_precision_loss, reason = "a difference of nanoseconds may round")]
        let seconds = elapsed_ns.saturating_sub(left.last_ns) as f64 / 1e9;
        left.last_ns = left.last_ns.max(elapsed_ns);
        left.calls = (left.calls + seconds * per_second).min(self.key.burst);
        if left.calls < n_calls {
            let burst = self.key.burst;
            let message = if burst < n_calls {
                format!(
                    "{n_calls} calls at once, and this API key may send {burst}; make batches smaller"
                )
            } else {
                format!(
                    "this API key has {per_second} calls a second and at most {burst} at once; slow down"
                )
            };
            return Err(Problem::new(Code::RateLimited, message));
        }
        left.calls -= n_calls;
        Ok(())
    }

    /// Refuses another call of a batch where the day's budgets are spent, with what is decided of
    /// the batch and not yet counted.
    pub(crate) fn admit_after(&self, decided: Expense, now_ms: u64) -> Result<(), Problem> {
        let mut left = self.left();
        left.turn(now_ms);
        self.check_spent(left.spent + decided, left.ms_to_turn(now_ms))
    }

    fn check_spent(&self, spent: Expense, ms_to_turn: u64) -> Result<(), Problem> {
        let unit = if self.key.usd_per_day.is_some_and(|limit| limit <= spent.cost) {
            "dollars"
        } else if self.key.tokens_per_day.is_some_and(|limit| limit <= spent.tokens) {
            "tokens"
        } else {
            return Ok(());
        };
        let message = format!(
            "today's budget of {unit} of this API key is spent; it begins anew at 00:00 UTC"
        );
        let retry_after_s = Some(ms_to_turn.div_ceil(1000));
        Err(Problem { retry_after_s, ..Problem::new(Code::BudgetSpent, message) })
    }

    /// Counts what a decision is expected to take.
    pub(crate) fn spend(&self, expense: Expense, now_ms: u64) {
        let mut left = self.left();
        left.turn(now_ms);
        left.spent = left.spent + expense;
    }

    /// What was counted today.
    pub(crate) fn spent_today(&self, now_ms: u64) -> Expense {
        let mut left = self.left();
        left.turn(now_ms);
        left.spent
    }
}

impl Left {
    fn turn(&mut self, now_ms: u64) {
        let day = now_ms / DAY_MS;
        if self.day < day {
            (self.day, self.spent) = (day, Expense::default());
        }
    }

    /// How long it is until the budgets begin anew; a clock that steps back begins no new day.
    fn ms_to_turn(&self, now_ms: u64) -> u64 {
        ((self.day + 1) * DAY_MS).saturating_sub(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key without limits.
    fn key(name: &str) -> CheckedKey {
        CheckedKey {
            name: name.to_owned(),
            digest: Digest::of(b"sk-app"),
            per_second: None,
            burst: 2.0,
            usd_per_day: None,
            tokens_per_day: None,
        }
    }

    fn keys_of(key: CheckedKey) -> Keys {
        Keys::new(vec![key], Some(Digest::of(b"sk-admin")))
    }

    fn keys(per_second: Option<f64>, usd_per_day: Option<Usd>) -> Keys {
        keys_of(CheckedKey { per_second, usd_per_day, ..key("app") })
    }

    fn keys_for_tokens(n: u64) -> Keys {
        keys_of(CheckedKey { tokens_per_day: Some(Tokens::new(n)), ..key("app") })
    }

    fn expense(nanos: u64, tokens: u64) -> Expense {
        Expense { cost: Usd::from_nanos(nanos), tokens: Tokens::new(tokens) }
    }

    #[track_caller]
    fn check(plane: Plane, authorization: Option<&str>, expected: Result<bool, Code>) {
        let keys = keys(None, None);
        let found = keys.check(plane, authorization.map(str::as_bytes));
        assert_eq!(found.map(|caller| caller.is_some()).map_err(|p| p.code()), expected);
    }

    #[test]
    fn a_key_is_good_for_its_own_listener() {
        use Plane::{Callers, Operators};
        check(Callers, Some("Bearer sk-app"), Ok(true));
        check(Callers, Some("bearer  sk-app "), Ok(true));
        check(Operators, Some("Bearer sk-admin"), Ok(false));
        check(Callers, Some("Bearer sk-admin"), Err(Code::WrongListener));
        check(Operators, Some("Bearer sk-app"), Err(Code::WrongListener));
        for none in [None, Some(""), Some("Bearer "), Some("Basic sk-app"), Some("sk-app")] {
            check(Callers, none, Err(Code::MissingKey));
        }
        check(Callers, Some("Bearer sk-ap"), Err(Code::UnknownKey));
        check(Operators, Some("Bearer x"), Err(Code::UnknownKey));
        let open = Keys::new(Vec::new(), None);
        assert!(open.check(Callers, None).unwrap().is_none());
    }

    /// Nobody can be found out by how long a comparison takes: it ends neither at the first key that
    /// fits, so that of two that do the last is found, nor before the operator's.
    #[test]
    fn a_key_is_compared_with_all_keys() {
        let names = ["first", "second", "third"];
        let keys = Keys::new(names.map(key).to_vec(), Some(Digest::of(b"sk-app")));
        let found = |plane| keys.check(plane, Some(b"Bearer sk-app")).unwrap();
        assert_eq!(found(Plane::Callers).unwrap().key.name, "third");
        assert!(found(Plane::Operators).is_none(), "the operator's fits as well");
    }

    #[test]
    fn a_digest_that_differs_in_any_bit_is_another_one() {
        let digest = Digest::of(b"sk-app");
        assert!(bool::from(digest.is(&digest)));
        for bit in 0..256 {
            let mut other = digest;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!bool::from(digest.is(&other)), "bit {bit}");
        }
    }

    #[test]
    fn calls_come_at_their_rate() {
        let keys = keys(Some(10.0), None);
        let caller = &keys.callers[0];
        let mut admitted = |ms: u64| caller.admit(1.0, ms * 1_000_000, 0).is_ok();
        assert_eq!([0, 0, 0].map(&mut admitted), [true, true, false]);
        assert_eq!([99, 100, 150, 200].map(&mut admitted), [false, true, false, true]);
        assert_eq!([100, 60_000, 60_000, 60_000].map(&mut admitted), [false, true, true, false]);
    }

    #[test]
    fn a_batch_that_is_never_taken_is_told_so() {
        let keys = keys(Some(10.0), None);
        let refusal = |n_calls| keys.callers[0].admit(n_calls, 0, 0).unwrap_err().message;
        let never = "3 calls at once, and this API key may send 2; make batches smaller";
        assert_eq!(refusal(3.0), never);
        assert!(keys.callers[0].admit(2.0, 0, 0).is_ok());
        let too_fast = "this API key has 10 calls a second and at most 2 at once; slow down";
        assert_eq!(refusal(2.0), too_fast);
    }

    #[track_caller]
    fn check_day(keys: &Keys, unit: &str) {
        let caller = &keys.callers[0];
        caller.spend(expense(99, 99), 0);
        assert!(caller.admit(1.0, 0, 0).is_ok());
        assert!(caller.admit_after(Expense::default(), 0).is_ok());
        let after = caller.admit_after(expense(1, 1), 0).unwrap_err();
        caller.spend(expense(5, 5), 0);
        let problem = caller.admit(1.0, 0, 0).unwrap_err();
        assert_eq!((problem.code(), &problem), (Code::BudgetSpent, &after));
        let sentence = format!(
            "today's budget of {unit} of this API key is spent; it begins anew at 00:00 UTC"
        );
        assert_eq!(problem.message, sentence);
        assert_eq!(problem.retry_after_s, Some(24 * 60 * 60));
        let last = caller.admit(1.0, 0, DAY_MS - 1).unwrap_err();
        assert_eq!(last.retry_after_s, Some(1));
        assert_eq!(caller.spent_today(DAY_MS - 1), expense(104, 104));
        assert!(caller.admit(1.0, 0, DAY_MS).is_ok());
        assert_eq!(caller.spent_today(DAY_MS), Expense::default());
    }

    #[test]
    fn a_budget_ends_the_day() {
        check_day(&keys(None, Some(Usd::from_nanos(100))), "dollars");
        check_day(&keys_for_tokens(100), "tokens");
    }

    #[test]
    fn a_budget_that_is_spent_opens_no_day_for_a_clock_that_steps_back() {
        let keys = keys_for_tokens(1);
        let caller = &keys.callers[0];
        caller.spend(expense(0, 1), DAY_MS);
        let problem = caller.admit(1.0, 0, DAY_MS - 5000).unwrap_err();
        assert_eq!(problem.retry_after_s, Some(24 * 60 * 60 + 5));
    }

    #[test]
    fn what_is_spent_saturates() {
        let sum = expense(u64::MAX, u64::MAX) + expense(1, 1);
        assert_eq!(sum, expense(u64::MAX, u64::MAX));
    }

    /// Calls of 3 nanodollars and 3 tokens, from a hundred threads.
    #[track_caller]
    fn check_overdrawn(keys: &Keys) {
        let caller = &keys.callers[0];
        let call_until_refused = || {
            while caller.admit(1.0, 0, 0).is_ok() {
                caller.spend(expense(3, 3), 0);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(call_until_refused);
            }
        });
        let Expense { cost, tokens } = caller.spent_today(0);
        assert_eq!(cost.nanos(), tokens.get());
        assert!((1000..1000 + 3 * 100).contains(&tokens.get()), "{tokens:?}");
    }

    #[test]
    fn a_budget_is_overdrawn_by_no_more_than_is_in_flight() {
        check_overdrawn(&keys(None, Some(Usd::from_nanos(1000))));
        check_overdrawn(&keys_for_tokens(1000));
    }

    #[test]
    fn who_keeps_their_name_keeps_what_they_spent() {
        let before = keys(Some(1.0), Some(Usd::from_nanos(100)));
        let caller = Arc::clone(&before.callers[0]);
        caller.spend(expense(100, 0), 0);
        let named = |name: &str, secret: &[u8]| CheckedKey {
            name: name.to_owned(),
            digest: Digest::of(secret),
            ..caller.key.clone()
        };
        let after =
            before.renewed(vec![named("app", b"sk-app"), named("new", b"sk-new")], before.admin);
        assert!(Arc::ptr_eq(&after.callers[0], &caller), "nothing of it changed");
        assert!(after.callers[1].admit(1.0, 0, 0).is_ok());
        let rotated = after.renewed(vec![named("app", b"sk-app-2")], None);
        let found = |key: &str| rotated.check(Plane::Callers, Some(key.as_bytes()));
        for gone in ["Bearer sk-app", "Bearer sk-new"] {
            assert_eq!(found(gone).unwrap_err().code(), Code::UnknownKey, "{gone}");
        }
        let again = found("Bearer sk-app-2").unwrap().unwrap();
        assert_eq!(again.admit(1.0, 0, 0).unwrap_err().code(), Code::BudgetSpent);
        assert!(!rotated.is_guarded(Plane::Operators));
    }

    #[test]
    fn digests_do_not_print() {
        let digest = Digest::from_hex(&"0f".repeat(32)).unwrap();
        assert_eq!(format!("{digest:?}"), "Digest(…)");
        assert!(Digest::from_hex("0f").is_none() && Digest::from_hex(&"zz".repeat(32)).is_none());
    }
}
