//! Which of several daemons leads: whoever holds a Lease (coordination.k8s.io/v1) and renews it.
//!
//! No clock is compared with another one's: a daemon measures with its own for how long it has not seen the
//! holder renew.

use super::Kubernetes;
use super::rest::{self, Fault};
use crate::error::Error;
use jiff::Timestamp;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Name of the Lease.
const NAME: &str = "bramble";

/// How long things about the lead take. What must hold: a run's own patience < `duration`, and `give_up` + `request` <
/// `duration`, so that everything of a lead that was lost has ended before another one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a lead lasts without being renewed, in whole seconds.
    pub duration: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// How long one request about it may take; also all those of one renewal together.
    pub request: Duration,
    /// After how long without a renewal the holder itself gives up.
    pub give_up: Duration,
    /// How often the others look.
    pub look: Duration,
}

impl Default for Terms {
    /// Another daemon leads at most 16 seconds after the last renewal, where the API answers at once.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(14),
            renew: Duration::from_secs(3),
            request: Duration::from_secs(3),
            give_up: Duration::from_secs(10),
            look: Duration::from_secs(1),
        }
    }
}

/// The content of a Lease.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<u32>,
    acquire_time: Option<String>,
    renew_time: Option<String>,
    lease_transitions: Option<u32>,
}

impl Spec {
    fn holder(&self) -> &str {
        self.holder_identity.as_deref().unwrap_or_default()
    }
}

/// A Lease as it was seen last.
struct Seen {
    spec: Spec,
    /// Since when it is so.
    since: Instant,
}

/// What a daemon does that does not lead.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Takes the lead; whether it is another holder's.
    Take { from_another: bool },
    /// Looks again later.
    Wait,
}

fn decide(spec: &Spec, since: Instant, me: &str, now: Instant) -> Step {
    let lasts = spec
        .lease_duration_seconds
        .map_or(Duration::ZERO, |s| Duration::from_secs(u64::from(s)));
    match spec.holder() {
        "" => Step::Take { from_another: true },
        holder if holder == me => Step::Take {
            from_another: false,
        },
        _ if now.duration_since(since) >= lasts => Step::Take { from_another: true },
        _ => Step::Wait,
    }
}

/// What the Lease says once `me` holds it.
fn taken(spec: &Spec, me: &str, from_another: bool, terms: &Terms, now: Timestamp) -> Spec {
    let now = micro(now);
    let before = spec.lease_transitions.unwrap_or(0);
    Spec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: u32::try_from(terms.duration.as_secs()).ok(),
        acquire_time: match from_another {
            true => Some(now.clone()),
            false => spec.acquire_time.clone(),
        },
        renew_time: Some(now),
        lease_transitions: Some(before + u32::from(from_another)),
    }
}

/// A time as Leases have it: with microseconds.
fn micro(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// A daemon that would lead.
pub struct Candidate {
    api: Api<DynamicObject>,
    me: String,
    terms: Terms,
    seen: Option<Seen>,
    /// Who else leads is told here.
    leader: watch::Sender<Option<String>>,
}

/// The lead, as long as it is renewed.
pub struct Lead {
    candidate: Candidate,
    object: DynamicObject,
    spec: Spec,
    /// When the last renewal was asked for.
    renewed: Instant,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It is held as long as before.
    Done,
    /// It could not be renewed, and is not over yet.
    Failed,
    /// Another daemon may lead from now on.
    Lost,
}

impl Kubernetes {
    /// Which other daemon leads, as its candidate has seen it last; none where it leads itself or nobody does.
    pub fn leader(&self) -> watch::Receiver<Option<String>> {
        self.leader.subscribe()
    }

    /// A daemon that would lead, by a name that no other has.
    pub fn candidate(&self, me: &str, terms: Terms) -> Candidate {
        let kind = GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease");
        let resource = ApiResource::from_gvk_with_plural(&kind, "leases");
        Candidate {
            api: Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
            me: me.to_owned(),
            terms,
            seen: None,
            leader: self.leader.clone(),
        }
    }
}

impl Candidate {
    /// How long things take.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Waits until it leads. Where the API can't be asked it goes on trying.
    pub async fn lead(mut self) -> Lead {
        loop {
            let asked = Instant::now();
            match self.try_lead(asked).await {
                Ok(Some((object, spec))) => {
                    self.leader.send_replace(None);
                    return Lead {
                        candidate: self,
                        object,
                        spec,
                        renewed: asked,
                    };
                }
                Ok(None) => {}
                Err(error) => tracing::warn!("who leads can't be seen: {error}"),
            }
            tokio::time::sleep(self.terms.look).await;
        }
    }

    async fn try_lead(&mut self, now: Instant) -> Result<Option<(DynamicObject, Spec)>, Error> {
        const WHAT: &str = "read the Lease";
        let found = self.limited(WHAT, self.api.get_opt(NAME)).await;
        let Some(object) = found.map_err(|fault| fault.unexpected(WHAT))? else {
            return self.make().await;
        };
        let spec = read(&object)?;
        let same = self.seen.as_ref().filter(|seen| seen.spec == spec);
        let since = same.map_or(now, |seen| seen.since);
        self.seen = Some(Seen {
            spec: spec.clone(),
            since,
        });
        match decide(&spec, since, &self.me, now) {
            Step::Wait => {
                self.leader.send_replace(Some(spec.holder().to_owned()));
                Ok(None)
            }
            Step::Take { from_another } => {
                self.leader.send_replace(None);
                let spec = taken(&spec, &self.me, from_another, &self.terms, Timestamp::now());
                self.replace(object, spec).await
            }
        }
    }

    async fn make(&self) -> Result<Option<(DynamicObject, Spec)>, Error> {
        const WHAT: &str = "make the Lease";
        let spec = taken(
            &Spec::default(),
            &self.me,
            false,
            &self.terms,
            Timestamp::now(),
        );
        let mut object = DynamicObject {
            types: None,
            metadata: Default::default(),
            data: json!({ "spec": spec }),
        };
        object.metadata.name = Some(NAME.into());
        let made = rest::create(&self.api, &object, WHAT);
        let made = tokio::time::timeout(self.terms.request, made).await;
        self.taken(made, spec, WHAT)
    }

    /// Writes the Lease at the version that was read; `None` where somebody else was quicker.
    async fn replace(
        &self,
        mut object: DynamicObject,
        spec: Spec,
    ) -> Result<Option<(DynamicObject, Spec)>, Error> {
        const WHAT: &str = "write the Lease";
        object.data["spec"] = json!(spec);
        let written = rest::replace(&self.api, &object, WHAT);
        let written = tokio::time::timeout(self.terms.request, written).await;
        self.taken(written, spec, WHAT)
    }

    fn taken(
        &self,
        written: Result<Result<DynamicObject, Fault>, tokio::time::error::Elapsed>,
        spec: Spec,
        what: &'static str,
    ) -> Result<Option<(DynamicObject, Spec)>, Error> {
        match written {
            Ok(Ok(object)) => Ok(Some((object, spec))),
            Ok(Err(Fault::Conflict)) => Ok(None),
            Ok(Err(fault)) => Err(fault.unexpected(what)),
            Err(late) => Err(Error::Home {
                what,
                source: late.into(),
            }),
        }
    }

    async fn limited<T>(
        &self,
        what: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Fault> {
        let request = rest::send(what, request);
        match tokio::time::timeout(self.terms.request, request).await {
            Ok(answer) => answer,
            Err(late) => Err(Fault::Error(Error::Home {
                what,
                source: late.into(),
            })),
        }
    }
}

fn read(object: &DynamicObject) -> Result<Spec, Error> {
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    serde_json::from_value(spec).map_err(|source| Error::Home {
        what: "read the Lease",
        source: source.into(),
    })
}

impl Lead {
    /// How long things take.
    pub fn terms(&self) -> &Terms {
        &self.candidate.terms
    }

    /// How long ago its last renewal was asked for.
    pub fn age(&self) -> Duration {
        self.renewed.elapsed()
    }

    /// How long it lasts still without being renewed, so that no other daemon leads meanwhile.
    pub fn left(&self) -> Duration {
        self.candidate.terms.duration.saturating_sub(self.age())
    }

    /// Renews it.
    pub async fn renew(&mut self) -> Renewal {
        let asked = Instant::now();
        let limit = self.candidate.terms.request;
        // Cut off in its middle it leaves what was read last, and the next renewal finds what was written.
        let renewed = tokio::time::timeout(limit, self.try_renew()).await;
        let renewed = renewed.unwrap_or_else(|late| {
            Err(Error::Home {
                what: "renew the Lease",
                source: late.into(),
            })
        });
        match renewed {
            Ok(true) => {
                self.renewed = asked;
                Renewal::Done
            }
            Ok(false) => Renewal::Lost,
            Err(error) => {
                tracing::warn!("the lead can't be renewed: {error}");
                match self.renewed.elapsed() < self.candidate.terms.give_up {
                    true => Renewal::Failed,
                    false => Renewal::Lost,
                }
            }
        }
    }

    async fn try_renew(&mut self) -> Result<bool, Error> {
        const WHAT: &str = "read the Lease";
        let candidate = &self.candidate;
        let spec = taken(
            &self.spec,
            &candidate.me,
            false,
            &candidate.terms,
            Timestamp::now(),
        );
        let written = candidate.replace(self.object.clone(), spec).await?;
        if let Some((object, spec)) = written {
            (self.object, self.spec) = (object, spec);
            return Ok(true);
        }
        // A renewal whose answer was lost changes the version as well.
        let found = candidate.limited(WHAT, candidate.api.get_opt(NAME)).await;
        let Some(object) = found.map_err(|fault| fault.unexpected(WHAT))? else {
            return Ok(false);
        };
        let spec = read(&object)?;
        if spec.holder() != candidate.me {
            return Ok(false);
        }
        (self.object, self.spec) = (object, spec);
        let spec = taken(
            &self.spec,
            &candidate.me,
            false,
            &candidate.terms,
            Timestamp::now(),
        );
        match candidate.replace(self.object.clone(), spec).await? {
            Some((object, spec)) => {
                (self.object, self.spec) = (object, spec);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Gives it up: others need not wait for its end. Nothing that it stands for may be under way any more.
    pub async fn release(self) {
        let spec = Spec {
            holder_identity: Some(String::new()),
            ..self.spec
        };
        if let Err(error) = self.candidate.replace(self.object, spec).await {
            tracing::warn!("the lead ends by itself: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(by: &str) -> Spec {
        let now = Timestamp::UNIX_EPOCH;
        taken(&Spec::default(), by, true, &Terms::default(), now)
    }

    #[test]
    fn a_lead_is_taken_from_nobody_or_after_its_end() {
        let since = Instant::now();
        let at = |seconds| since + Duration::from_secs(seconds);
        let free = Step::Take { from_another: true };
        let mine = Step::Take {
            from_another: false,
        };
        assert_eq!(decide(&held(""), since, "a", at(0)), free);
        assert_eq!(decide(&Spec::default(), since, "a", at(0)), free);
        assert_eq!(decide(&held("a"), since, "a", at(0)), mine);
        assert_eq!(decide(&held("b"), since, "a", at(13)), Step::Wait);
        assert_eq!(decide(&held("b"), since, "a", at(14)), free);
    }

    #[test]
    fn a_lease_tells_who_and_how_often_it_changed_hands() {
        let now: Timestamp = Timestamp::UNIX_EPOCH + Duration::from_micros(1_500_000);
        let first = held("a");
        let renewed = taken(&first, "a", false, &Terms::default(), now);
        assert_eq!(renewed.acquire_time, first.acquire_time);
        assert_eq!(
            renewed.renew_time.as_deref(),
            Some("1970-01-01T00:00:01.500000Z")
        );
        let other = taken(&renewed, "b", true, &Terms::default(), now);
        assert_eq!((other.holder(), other.lease_transitions), ("b", Some(2)));
    }

    #[test]
    fn another_daemon_leads_within_20_seconds() {
        let terms = Terms::default();
        // A look that first sees the last renewal, one that sees its end, and the request that takes the lead.
        let latest = terms.look + terms.duration + terms.look + terms.request;
        assert!(latest < Duration::from_secs(20));
        assert!(terms.give_up + terms.request < terms.duration);
    }
}
