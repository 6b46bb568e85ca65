//! A whole session over a ledger: every party's secrets, and the events in their order.

use super::share;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use veilgrid_crypto::keygen::{
    Abort, Agreement, Answer, DealtShares, Delivery, Effect, Event, Group, KeyShares, OneTimeKey, Opened,
    Package, Parties, Phase, Refusal, Schedule, Session, SessionContext, Task, ThresholdKeys, deal,
    deal_refresh, deal_resharing,
};
use veilgrid_crypto::schnorr::SigningKey;

pub const LEDGER: [u8; 32] = [7; 32];
pub const SCHEDULE: Schedule =
    Schedule { announce_until: 10, deal_until: 20, judge_until: 30, answer_until: 40 };

pub struct World {
    pub session: Session,
    pub dealers: Vec<SigningKey>,
    pub receivers: Vec<SigningKey>,
    /// Of receiver i at i − 1, until it opens.
    pub one_time: Vec<Option<OneTimeKey>>,
    /// Of dealer d at d − 1.
    pub dealt: Vec<(Package, Vec<DealtShares>)>,
    pub opened: Vec<Option<Opened>>,
    /// Everything that was applied and accepted, for a replay.
    pub log: Vec<(u64, Event)>,
    pub rng: ChaCha20Rng,
}

pub fn at(number: u16) -> usize {
    usize::from(number) - 1
}

pub fn signers(count: u16, seed: u64) -> Vec<SigningKey> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..count).map(|_| SigningKey::generate(&mut rng)).collect()
}

pub fn parties(dealers: &[SigningKey], receivers: &[SigningKey]) -> Parties {
    let public = |keys: &[SigningKey]| keys.iter().map(SigningKey::verifying_key).collect();
    Parties { dealers: public(dealers), receivers: public(receivers) }
}

/// The same shares with the lowest bit of one key's share changed.
pub fn falsified(shares: &DealtShares, key: usize, ctx: &SessionContext) -> DealtShares {
    let mut bytes = shares.to_bytes().expose().clone();
    bytes[8 + 32 * key] ^= 1;
    DealtShares::from_bytes(&bytes, &ctx.generation()).expect("still canonical")
}

/// The secret that shares of key `k` combine to, times G.
pub fn combined(shares: &[&KeyShares], k: usize) -> RistrettoPoint {
    let numbers: Vec<u16> = shares.iter().map(|s| s.index()).collect();
    let lambda = |i: u16| -> Scalar {
        let others = numbers.iter().filter(|j| **j != i).map(|j| Scalar::from(*j));
        others.map(|x| x * (x - Scalar::from(i)).invert()).product()
    };
    let secret: Scalar = shares.iter().map(|s| lambda(s.index()) * share(s, k)).sum();
    &secret * RISTRETTO_BASEPOINT_TABLE
}

/// Any t consecutive shares combine to every key, t − 1 do not, and each matches its share keys.
pub fn check_shares(public: &ThresholdKeys, shares: &[KeyShares]) {
    let t = usize::from(public.threshold());
    for k in 0..public.keys().len() {
        for window in shares.windows(t) {
            assert_eq!(combined(&window.iter().collect::<Vec<_>>(), k), *public.key(k), "key {k}");
            assert_ne!(combined(&window[1..].iter().collect::<Vec<_>>(), k), *public.key(k), "key {k}");
        }
    }
    for held in shares {
        assert!(public.matches(held));
        for k in 0..public.keys().len() {
            assert_eq!(&share(held, k) * RISTRETTO_BASEPOINT_TABLE, *public.share_key(held.index(), k));
        }
    }
}

impl World {
    pub fn generate(n: u16, keys: u32, seed: u64) -> Self {
        let ctx = SessionContext::generate(LEDGER, seed, 1, Group::of(n), keys);
        let signers = signers(n, seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 1);
        let dealt = (1..=n).map(|d| {
            let (package, shares) = deal(&ctx.generation(), &signers[at(d)], d, &mut rng).expect("dealt");
            (Package::Generation(package), shares)
        });
        let dealt = dealt.collect();
        Self::new(ctx, signers.clone(), signers, None, dealt, seed)
    }

    pub fn refresh(public: &ThresholdKeys, signers: &[SigningKey], seed: u64) -> Self {
        let ctx = Self::renewal(Task::Refresh, public, public.group(), seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 1);
        let dealt = (1..=public.validators()).map(|d| {
            let (package, shares) = deal_refresh(&ctx, &signers[at(d)], d, &mut rng).expect("dealt");
            (Package::Renewal(package), shares)
        });
        let dealt = dealt.collect();
        Self::new(ctx, signers.to_vec(), signers.to_vec(), Some(public.clone()), dealt, seed)
    }

    pub fn reshare(
        public: &ThresholdKeys,
        old: &[SigningKey],
        held: &[KeyShares],
        new: &[SigningKey],
        seed: u64,
    ) -> Self {
        let group = Group::of(u16::try_from(new.len()).expect("small"));
        let ctx = Self::renewal(Task::Reshare, public, group, seed);
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 1);
        let dealt = held.iter().zip(old).map(|(shares, key)| {
            let (package, shares) = deal_resharing(&ctx, key, shares, &mut rng).expect("dealt");
            (Package::Renewal(package), shares)
        });
        let dealt = dealt.collect();
        Self::new(ctx, old.to_vec(), new.to_vec(), Some(public.clone()), dealt, seed)
    }

    pub fn renewal(task: Task, public: &ThresholdKeys, receivers: Group, session: u64) -> SessionContext {
        let keys = u32::try_from(public.keys().len()).expect("small");
        let (dealers, previous) = (public.group(), public.digest());
        SessionContext { task, ledger_id: LEDGER, session, epoch: 2, dealers, receivers, keys, previous }
    }

    fn new(
        ctx: SessionContext,
        dealers: Vec<SigningKey>,
        receivers: Vec<SigningKey>,
        previous: Option<ThresholdKeys>,
        dealt: Vec<(Package, Vec<DealtShares>)>,
        seed: u64,
    ) -> Self {
        let parties = parties(&dealers, &receivers);
        let session = Session::new(ctx, SCHEDULE, parties, previous, 0).expect("a sound session");
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 2);
        let one_time = receivers.iter().map(|_| Some(OneTimeKey::generate(&mut rng))).collect();
        let opened = vec![None; receivers.len()];
        Self { session, dealers, receivers, one_time, dealt, opened, log: Vec::new(), rng }
    }

    pub fn ctx(&self) -> SessionContext {
        *self.session.context()
    }

    /// Through the encoding, as on a ledger.
    pub fn apply(&mut self, height: u64, event: Event) -> Result<Effect, Refusal> {
        let bytes = event.to_bytes();
        assert!(bytes.len() <= Event::max_bytes(&self.ctx()));
        let event = Event::from_bytes(&bytes, &self.ctx()).expect("own encoding");
        let effect = self.session.apply(height, &event)?;
        self.log.push((height, event));
        Ok(effect)
    }

    pub fn announcement(&mut self, receiver: u16) -> Event {
        let key = self.one_time[at(receiver)].as_ref().expect("not opened yet");
        let signer = &self.receivers[at(receiver)];
        Event::Announcement(key.announce(self.session.context(), receiver, signer, &mut self.rng))
    }

    pub fn package(&self, dealer: u16) -> Event {
        Event::Package(self.dealt[at(dealer)].0.clone())
    }

    pub fn delivery(&mut self, dealer: u16) -> Event {
        let (package, shares) = &self.dealt[at(dealer)];
        let (ctx, announced) = (self.ctx(), self.session.announced());
        let (digest, key) = (package.digest(&ctx), &self.dealers[at(dealer)]);
        Event::Delivery(Delivery::seal(&ctx, dealer, digest, shares, &announced, key, &mut self.rng))
    }

    pub fn verdict(&mut self, receiver: u16) -> Event {
        if let Some(key) = self.one_time[at(receiver)].take() {
            self.opened[at(receiver)] = Some(self.session.open(receiver, key).expect("dealing is over"));
        }
        let opened = self.opened[at(receiver)].as_ref().expect("opened");
        Event::Verdict(self.session.verdict(opened, &self.receivers[at(receiver)], &mut self.rng))
    }

    pub fn answer(&mut self, dealer: u16, receiver: u16) -> Event {
        let shares = self.dealt[at(dealer)].1[at(receiver)].clone();
        Event::Answer(Answer::reveal(&self.ctx(), shares, &self.dealers[at(dealer)], &mut self.rng))
    }

    pub fn announce_all(&mut self, silent: &[u16]) {
        for receiver in (1..=self.receivers.len() as u16).filter(|r| !silent.contains(r)) {
            let event = self.announcement(receiver);
            assert_eq!(self.apply(1, event), Ok(Effect::Accepted));
        }
        if !silent.is_empty() {
            self.session.advance(11).expect("height");
        }
    }

    pub fn deal_all(&mut self, silent: &[u16]) {
        for dealer in (1..=self.dealers.len() as u16).filter(|d| !silent.contains(d)) {
            for event in [self.package(dealer), self.delivery(dealer)] {
                assert_eq!(self.apply(12, event), Ok(Effect::Accepted));
            }
        }
        if !silent.is_empty() {
            self.session.advance(21).expect("height");
        }
    }

    pub fn judge_all(&mut self, silent: &[u16]) {
        for receiver in (1..=self.receivers.len() as u16).filter(|r| !silent.contains(r)) {
            let event = self.verdict(receiver);
            assert_eq!(self.apply(22, event), Ok(Effect::Accepted));
        }
        if !silent.is_empty() {
            self.session.advance(31).expect("height");
        }
    }

    /// Everybody does its part but the silent dealers.
    pub fn run(&mut self, silent: &[u16]) -> Agreement {
        self.announce_all(&[]);
        self.deal_all(silent);
        self.judge_all(&[]);
        self.agreement()
    }

    pub fn agreement(&self) -> Agreement {
        assert_eq!(self.session.phase(), Phase::Ended);
        self.session.outcome().expect("ended").clone().expect("an agreement")
    }

    pub fn abort(&self) -> Abort {
        self.session.outcome().expect("ended").clone().expect_err("an abort")
    }

    /// The key shares of everybody, of a generation or resharing.
    pub fn held(&mut self) -> Vec<KeyShares> {
        let opened: Vec<Opened> = self.opened.iter_mut().filter_map(Option::take).collect();
        opened.into_iter().map(|opened| self.session.key_shares(opened).expect("true shares")).collect()
    }
}
